"""Checkpoints outside the database: in the storage, the newest one and the first of each day.

An attacker who alters only the database leaves these as they are. The signer compares the history with the newest one
before it signs, and `audit verify` tells how much of the history none of them covers.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from adapters.proof.checker import LONGEST_NOTE, Checkpoint, Refused
from adapters.storage.protocol import Storage
from domain.errors import NotFoundError

FOLDER = "checkpoints/"
NEWEST = f"{FOLDER}newest"


class PublishedCheckpoints:
    """`read` returns the checkpoint of a signed note, or raises Refused."""

    def __init__(
        self,
        storage: Storage,
        read: Callable[[str], Checkpoint],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._read = read
        self._now = now
        self._day = ""

    def newest(self) -> Checkpoint | None:
        """Return the checkpoint that was published last, or None; Refused if it is not one of this log."""
        try:
            with self._storage.open(NEWEST) as file:
                return self._read(file.read(LONGEST_NOTE).decode())
        except NotFoundError:
            return None
        except UnicodeDecodeError:
            raise Refused("this is not a signed note") from None

    def publish(self, note: str) -> None:
        """Store the note as the newest one. The first of a day is also stored under its date, and never replaced."""
        today = self._now().date().isoformat()
        if today != self._day:
            key = FOLDER + today
            if not self._storage.exists(key):
                self._storage.put(key, [note.encode()])
            self._day = today
        self._storage.put(NEWEST, [note.encode()])

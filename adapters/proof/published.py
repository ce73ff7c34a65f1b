"""Checkpoints outside the database: in the storage, the newest one and the first of each day.

An attacker who alters only the database leaves these as they are. The signer compares the history with the newest one
before it signs, and `audit verify` tells how much of the history none of them covers.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from adapters.clock import utc_now
from adapters.proof.checker import LONGEST_NOTE, Checkpoint, Refused
from adapters.storage.protocol import Storage
from domain.errors import NotFoundError
from domain.ports import Clock

FOLDER = "checkpoints/"
NEWEST = f"{FOLDER}newest"


class PublishedCheckpoints:
    """`read` returns the checkpoint of a signed note, or raises Refused."""

    def __init__(
        self,
        storage: Storage,
        read: Callable[[str], Checkpoint],
        now: Clock = utc_now,
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

    def dated(self, days: int | None = None) -> dict[str, Checkpoint]:
        """Return the first checkpoint of each day, or of so many latest days, by their keys, the oldest first.

        Those that are not of this log are left out: CHECKPOINT_KEY may have been replaced since.
        """
        # A later date than today's cannot be ours, and could hide the latest.
        last = FOLDER + self._now().date().isoformat()
        keys = sorted(key for key in self._storage.keys(FOLDER.rstrip("/")) if key <= last)
        checkpoints = {}
        for key in keys[-days:] if days is not None else keys:
            with suppress(NotFoundError, Refused, UnicodeDecodeError), self._storage.open(key) as file:
                checkpoints[key] = self._read(file.read(LONGEST_NOTE).decode())
        return checkpoints

    def publish(self, note: str) -> None:
        """Store the note as the newest one. The first of a day is also stored under its date, and never replaced."""
        # In this order no dated checkpoint is ever newer than the newest one, unless somebody set that back.
        self._storage.put(NEWEST, [note.encode()])
        today = self._now().date().isoformat()
        if today != self._day:
            key = FOLDER + today
            if not self._storage.exists(key):
                self._storage.put(key, [note.encode()])
            self._day = today


def newer_than(newest: Checkpoint | None, dated: Mapping[str, Checkpoint]) -> str | None:
    """Return the key of a dated checkpoint that is newer than the newest one, which then was set back, or None."""
    if newest is None:
        return None
    return next((key for key, checkpoint in dated.items() if _extent(checkpoint) > _extent(newest)), None)


def _extent(checkpoint: Checkpoint) -> tuple[int, int]:
    return checkpoint.size, checkpoint.access_log.entries if checkpoint.access_log is not None else 0

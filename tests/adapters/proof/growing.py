"""A history of a dozen or more events in a signed tree, for tests of proofs."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.proof import checkpoints, tiles
from adapters.proof.checker import Checkpoint
from adapters.proof.checkpoints import Signer
from tests.fakes.entries import entries

SIGNER = Signer(("s" * 40,), "stories.example")


class Unpublished:
    """Publishes nothing, so that a test can replace the history as often as it wants."""

    def newest(self) -> None:
        return None

    def dated(self, days: int | None = None) -> dict[str, Checkpoint]:
        return {}

    def publish(self, note: str) -> None:
        pass


def grow(url: str) -> int:
    """Add all events to the tree and return its size."""
    with connect(url) as connection:
        while tiles.grow(connection):
            pass
        return tiles.size(connection.cursor(binary=True))


def sign(url: str, signer: Signer = SIGNER) -> str:
    """Add all events to the tree, sign it, and return the newest checkpoint."""
    grow(url)
    with connect(url) as connection:
        checkpoints.sign_tree(connection, signer, Unpublished(), 0)
        note = checkpoints.latest(connection.cursor())
    assert note is not None
    return note


def append(database: Database, sizes: Sequence[int]) -> None:
    """Append groups of events of these sizes."""
    log = EventLog(database)
    for size in sizes:
        log.append(entries(size))

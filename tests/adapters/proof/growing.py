"""A history of a dozen events and more, in its tree and signed, for tests about what proves it."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.proof import checkpoints, tiles
from adapters.proof.checkpoints import Signer
from tests.fakes.entries import entries

SIGNER = Signer(("s" * 40,), "stories.example")


def grow(url: str) -> int:
    """Take everything into the tree; how much it holds."""
    with connect(url) as connection:
        while tiles.grow(connection):
            pass
        return tiles.size(connection.cursor(binary=True))


def sign(url: str, signer: Signer = SIGNER) -> str:
    """Take everything into the tree and sign it; the newest checkpoint."""
    grow(url)
    with connect(url) as connection:
        checkpoints.sign_tree(connection, signer, 0)
        note = checkpoints.latest(connection.cursor())
    assert note is not None
    return note


def append(database: Database, sizes: Sequence[int]) -> None:
    """So many events at a time."""
    log = EventLog(database)
    for size in sizes:
        log.append(entries(size))

"""One file that proves a ticket's history to anybody: its events as they are stored, each with its path in the tree."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from adapters.proof import tiles, tree
from adapters.proof.checker import FORMAT, OPENED, dumped, statement
from adapters.proof.checkpoints import Signer
from adapters.proof.tiles import BrokenProofError, Tiles
from domain.errors import NotFoundError

PAGE_EVENTS = 500

# Compared as pairs for the planner's sake, as in the log's own page of a ticket. The first event's link has no other.
_PAGE = """
SELECT position, stream, version, topic, ticket, to_char(recorded_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), state,
       coalesce((SELECT hash FROM events b WHERE b.position = e.position - 1), decode(repeat('00', 32), 'hex'))
  FROM events e
 WHERE (ticket, position) > (%s, %s) AND (ticket, position) <= (%s, %s)
 ORDER BY ticket, position LIMIT %s
"""


class Exporter:
    """Writes exports; any number at once."""

    def __init__(self, database: Database, signer: Signer) -> None:
        self._database = database
        self._signer = signer

    def export(self, ticket: UUID) -> Iterator[bytes]:
        """The file a part at a time, a page of events in memory: all that there is of the ticket now.

        NotFoundError, before the first part, if there is nothing.
        """
        size, root = self._now()
        with self._database.reading() as cursor:
            cursor.execute("SELECT count(*) FROM events WHERE ticket = %s AND position <= %s", (ticket, size))
            [(count,)] = cursor.fetchall()
        if not count:
            raise NotFoundError("There is no such ticket.")
        return self._parts(ticket, count, size, root)

    def _now(self) -> tuple[int, bytes]:
        """The tree over everything that has happened."""
        with self._database.connection() as connection:
            while tiles.grow(connection):
                pass
            with connection.cursor(binary=True) as cursor:
                size = tiles.size(cursor)
                return size, tree.root(Tiles(cursor).node, size)

    def _parts(self, ticket: UUID, count: int, size: int, root: bytes) -> Iterator[bytes]:
        signer = self._signer
        header = {
            "format": FORMAT,
            "ticket": str(ticket),
            "key": str(signer.keys[0]),
            "checkpoint": signer.checkpoint(size, root),
            "statement": signer.sign(statement(signer.origin, str(ticket), count, size)),
            "events": [],
        }
        yield dumped(header).removesuffix(OPENED).encode() + b"\n"
        after, separator = 0, ""
        while page := self._page(ticket, after, size):
            yield (separator + ",\n".join(map(dumped, page))).encode()
            after, separator = page[-1]["position"], ",\n"
        yield f"\n{OPENED}\n".encode()

    def _page(self, ticket: UUID, after: int, size: int) -> list[dict[str, Any]]:
        with self._database.connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(_PAGE, (ticket, after, ticket, size, PAGE_EVENTS), prepare=True)
            rows = cursor.fetchall()
            node = Tiles(cursor).node
            return [
                {
                    "position": position,
                    "stream": str(stream),
                    "version": version,
                    "topic": topic,
                    "ticket": str(of),
                    "recordedAt": recorded_at,
                    "state": _text(position, state),
                    "previous": base64.b64encode(previous).decode(),
                    "proof": [base64.b64encode(one).decode() for one in tree.inclusion(node, position - 1, size)],
                }
                for position, stream, version, topic, of, recorded_at, state, previous in rows
            ]


def _text(position: int, state: bytes) -> str:
    try:
        return state.decode()
    except UnicodeDecodeError:
        raise BrokenProofError(f"event {position} of the history is damaged") from None

"""The export of a ticket: its events as stored, each with its inclusion proof, in a file that anybody can check."""

import base64
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from adapters.proof import tree
from adapters.proof.checker import CLOSING, FORMAT, canonical_json, statement
from adapters.proof.checkpoints import Signer, sign_complete_tree
from adapters.proof.published import PublishedCheckpoints
from adapters.proof.tiles import BrokenProofError, Tiles
from domain.errors import NotFoundError

BATCH_EVENTS = 500

# Pairs are compared so that the planner uses the index on both columns. The first event of the log has no link before.
_BATCH = """
SELECT position, stream, version, topic, ticket, to_char(recorded_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), state,
       coalesce((SELECT hash FROM events b WHERE b.position = e.position - 1), decode(repeat('00', 32), 'hex'))
  FROM events e
 WHERE (ticket, position) > (%s, %s) AND (ticket, position) <= (%s, %s)
 ORDER BY ticket, position LIMIT %s
"""


class Exporter:
    """Writes exports; safe to use from several threads."""

    def __init__(self, database: Database, signer: Signer, published: PublishedCheckpoints) -> None:
        self._database = database
        self._signer = signer
        self._published = published

    def export(self, ticket: UUID) -> Iterator[bytes]:
        """Return the file in parts, with one batch of events in memory at a time.

        Raise NotFoundError before the first part if the ticket has no events, and RewrittenHistoryError if the history
        does not continue what was published last.
        """
        with self._database.connection() as connection:
            size, checkpoint = sign_complete_tree(connection, self._signer, self._published)
        with self._database.reading() as cursor:
            cursor.execute("SELECT count(*) FROM events WHERE ticket = %s AND position <= %s", (ticket, size))
            [(count,)] = cursor.fetchall()
        if not count:
            raise NotFoundError("There is no such ticket.")
        return self._parts(ticket, count, size, checkpoint)

    def _parts(self, ticket: UUID, count: int, size: int, checkpoint: str) -> Iterator[bytes]:
        signer = self._signer
        header = {
            "format": FORMAT,
            "ticket": str(ticket),
            "key": str(signer.keys[0]),
            "checkpoint": checkpoint,
            "statement": signer.sign(statement(signer.origin, str(ticket), count, size)),
            "events": [],
        }
        yield canonical_json(header).removesuffix(CLOSING).encode() + b"\n"
        after, separator = 0, ""
        while batch := self._batch(ticket, after, size):
            yield (separator + ",\n".join(map(canonical_json, batch))).encode()
            after, separator = batch[-1]["position"], ",\n"
        yield f"\n{CLOSING}\n".encode()

    def _batch(self, ticket: UUID, after: int, size: int) -> list[dict[str, Any]]:
        with self._database.connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(_BATCH, (ticket, after, ticket, size, BATCH_EVENTS), prepare=True)
            rows = cursor.fetchall()
            node = Tiles(cursor).node
            return [
                {
                    "position": position,
                    "stream": str(stream),
                    "version": version,
                    "topic": topic,
                    "ticket": str(event_ticket),
                    "recordedAt": recorded_at,
                    "state": _text(position, state),
                    "previous": base64.b64encode(previous).decode(),
                    "proof": [base64.b64encode(step).decode() for step in tree.inclusion(node, position - 1, size)],
                }
                for position, stream, version, topic, event_ticket, recorded_at, state, previous in rows
            ]


def _text(position: int, state: bytes) -> str:
    try:
        return state.decode()
    except UnicodeDecodeError:
        raise BrokenProofError(f"event {position} of the history is damaged") from None

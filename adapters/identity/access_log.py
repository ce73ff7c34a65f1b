"""The access log: what administrators did and what was denied, append-only and chained, beside the history.

It names operations and ids, never a person, an address or a secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.postgres.database import Database
from adapters.postgres.group_commit import GroupCommit

GENESIS = bytes(32)
PAGE_ENTRIES = 10_000
MOST_TOGETHER = 256

BEGUN = "begun"
DONE = "done"
FAILED = "failed"
LOOKED = "looked"

_OBJECT = re.compile(r"(?=.*[0-9_])[A-Za-z0-9][A-Za-z0-9_.:\-]{0,99}")

# What one link covers, in the order of `append_access_log`; all of it as stored.
_COVERED = """
SELECT position,
       int8send(position) || timestamptz_send(recorded_at)
       || int4send(octet_length(actor)) || convert_to(actor, 'UTF8')
       || int4send(octet_length(operation)) || convert_to(operation, 'UTF8')
       || int4send(octet_length(object)) || convert_to(object, 'UTF8')
       || int4send(octet_length(outcome)) || convert_to(outcome, 'UTF8')
       || int4send(octet_length(request_id)) || convert_to(request_id, 'UTF8'),
       hash
  FROM access_log WHERE position > %s ORDER BY position LIMIT %s
"""
_PAGE = """
SELECT actor, operation, object, outcome, request_id, position, recorded_at FROM access_log
 WHERE position < %s ORDER BY position DESC LIMIT %s
"""
_NO_END = 2**63 - 1


@dataclass(frozen=True)
class AccessRecord:
    """Somebody who was let in or not: who, for what, about which object (empty if about none), and what came of it."""

    actor: str
    operation: str
    object: str
    outcome: str
    request_id: str


@dataclass(frozen=True)
class StoredAccessRecord(AccessRecord):
    """An act as it is on record."""

    position: int
    recorded_at: datetime


@dataclass(frozen=True)
class Verdict:
    """How many entries hold, and the first position that does not, with the reason; `head` is the last hash."""

    entries: int
    first_bad: tuple[int, str] | None
    head: bytes

    @property
    def ok(self) -> bool:
        return self.first_bad is None


class AccessLog:
    """Notes acts, and lists them. What is noted at the same time shares a commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together: GroupCommit[AccessRecord, None] = GroupCommit(self._append, MOST_TOGETHER)

    def note(self, act: AccessRecord) -> None:
        """On record, durably, once this returns."""
        self._group_commit.submit(act)

    def _append(self, acts: Sequence[AccessRecord]) -> Sequence[None]:
        with self._database.connection() as connection:
            connection.execute(
                "SELECT append_access_log(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])",
                [list(column) for column in zip(*map(astuple, acts), strict=True)],
                prepare=True,
            )
        return [None] * len(acts)

    def page(self, limit: int, before: int | None = None) -> list[StoredAccessRecord]:
        """Newest first, those before a position."""
        with self._database.connection() as connection:
            rows = connection.execute(_PAGE, (before or _NO_END, limit)).fetchall()
        return [StoredAccessRecord(*row) for row in rows]


def logged_object(parts: Sequence[str], ours: Container[str] = ()) -> str:
    """The id of what an act is about, from the parts of a path; `ours` are names that we gave.

    What is neither and does not look like an id may be a person's.
    """
    return "/".join(part if part in ours or _OBJECT.fullmatch(part) else "?" for part in parts)


def verify_access_log(connection: Connection[TupleRow]) -> Verdict:
    """Recompute every link from the stored bytes, in whatever view of the log the connection's transaction has."""
    expected, last, entries = GENESIS, 0, 0
    with connection.cursor(binary=True) as cursor:
        while True:
            cursor.execute(_COVERED, (last or -_NO_END, PAGE_ENTRIES), prepare=True)
            page = cursor.fetchall()
            if not page:
                return Verdict(entries, None, expected)
            for position, covered, stored in page:
                if position < 1:
                    return Verdict(entries, (position, "added"), expected)
                if position != last + 1:
                    return Verdict(entries, (last + 1, "missing"), expected)
                expected = hashlib.sha256(expected + covered).digest()
                if expected != stored:
                    return Verdict(entries, (position, "does not match its hash"), expected)
                last, entries = position, entries + 1

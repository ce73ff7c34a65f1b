"""The access log: an append-only, chained table of administrators' acts and of denied writes.

It holds operations and ids, never a person, an address or a secret.
"""

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.postgres.database import Database
from adapters.postgres.group_commit import GroupCommit
from adapters.proof.audit import BEFORE_ALL, Chain
from adapters.proof.checker import AccessLogHead

BATCH_ENTRIES = 10_000
MOST_PER_COMMIT = 256

BEGUN = "begun"
DONE = "done"
FAILED = "failed"
LOOKED = "looked"

_OBJECT = re.compile(r"(?=.*[0-9_])[A-Za-z0-9][A-Za-z0-9_.:\-]{0,99}")

# The stored bytes that one link of the chain covers, in the order of `append_access_log`.
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
    """One act or denied write; `object` is the id of what it is about, or empty."""

    actor: str
    operation: str
    object: str
    outcome: str
    request_id: str


@dataclass(frozen=True)
class StoredAccessRecord(AccessRecord):
    """A record of the log with its position and time."""

    position: int
    recorded_at: datetime


@dataclass(frozen=True)
class Verdict:
    """The number of valid entries, the first invalid position with the reason, and the last valid hash as `head`."""

    entries: int
    first_bad: tuple[int, str] | None
    head: bytes

    @property
    def ok(self) -> bool:
        return self.first_bad is None


class AccessLog:
    """Appends and lists records. Concurrent callers share one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._appends: GroupCommit[AccessRecord, None] = GroupCommit(self._append_all, MOST_PER_COMMIT)

    def append(self, record: AccessRecord) -> None:
        """Append a record; it is durable once this returns."""
        self._appends.submit(record)

    def _append_all(self, records: Sequence[AccessRecord]) -> Sequence[None]:
        with self._database.connection() as connection:
            connection.execute(
                "SELECT append_access_log(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])",
                [list(column) for column in zip(*map(astuple, records), strict=True)],
                prepare=True,
            )
        return [None] * len(records)

    def page(self, limit: int, before: int | None = None) -> list[StoredAccessRecord]:
        """Return the records before a position, newest first."""
        rows = self._database.rows(_PAGE, (before or _NO_END, limit))
        return [StoredAccessRecord(*row) for row in rows]


def logged_object(parts: Sequence[str], fixed_names: Container[str] = ()) -> str:
    """Return the parts of a path joined by slashes, as the object of a record.

    A part that neither looks like an id nor is a fixed name of the service may be personal, and becomes "?".
    """
    return "/".join(part if part in fixed_names or _OBJECT.fullmatch(part) else "?" for part in parts)


def verify_access_log(connection: Connection[TupleRow], signed: Iterable[AccessLogHead] = ()) -> Verdict:
    """Recompute every link from the stored bytes, in the connection's transaction.

    `signed` are heads of the log from checkpoints whose signatures were checked: the log must continue each.
    """
    chain, bad, agreed = Chain(), None, 0
    waiting = sorted((head for head in signed if head.entries), key=lambda head: head.entries, reverse=True)
    with connection.cursor(binary=True) as cursor:
        while chain.bad is None:
            cursor.execute(_COVERED, (chain.length or BEFORE_ALL, BATCH_ENTRIES), prepare=True)
            if not (rows := cursor.fetchall()):
                break
            first, links = chain.length, chain.extend(rows)
            while waiting and waiting[-1].entries <= chain.length:
                head = waiting.pop()
                if links[head.entries - first - 1] != head.link:
                    bad = bad or (agreed + 1, f"differs from the checkpoint of {head.entries} entries")
                agreed = head.entries
    if chain.bad is None and waiting:
        bad = bad or (chain.length + 1, f"missing: a checkpoint of {waiting[0].entries} entries was signed")
    return Verdict(chain.length, bad or chain.bad, chain.head)

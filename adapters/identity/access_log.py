"""The access log: an append-only, chained table of administrators' acts and of denied writes.

It holds operations and ids, never a person, an address or a secret. Beside an entry, and outside of the chain, is the
workspace that it concerns, with the sealed network address for as long as that is kept: the audit log of a workspace.
"""

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from uuid import UUID

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
# An act ends within so many records of its beginning, unless it takes very long.
_MOST_BETWEEN = 1_000
# A member may have few of a workspace's records, so there is an index for each of the two.
RECORDS_OF_WORKSPACE = f"""
SELECT l.actor, l.operation, l.object, l.outcome, l.request_id, d.position, d.recorded_at, d.member_id, d.address
  FROM access_log_details d JOIN access_log l USING (position)
 WHERE d.workspace = %(workspace)s
   AND d.recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
   AND d.recorded_at < coalesce(%(until)s::timestamptz, 'infinity')
   AND (d.recorded_at, d.position) < (coalesce(%(time)s::timestamptz, 'infinity'), coalesce(%(position)s::bigint, 0))
   AND (%(operations)s::text[] IS NULL OR l.operation = ANY(%(operations)s))
   AND (NOT %(without_begun)s OR l.outcome <> '{BEGUN}' OR NOT EXISTS (
        SELECT FROM access_log e WHERE e.position > l.position AND e.position < l.position + {_MOST_BETWEEN}
           AND e.request_id = l.request_id AND e.operation = l.operation AND e.outcome <> '{BEGUN}'))
 ORDER BY d.recorded_at DESC, d.position DESC LIMIT %(limit)s
"""  # noqa: S608 - constants
RECORDS_OF_MEMBER = RECORDS_OF_WORKSPACE.replace("WHERE", "WHERE d.member_id = %(member_id)s AND")


@dataclass(frozen=True)
class AccessRecord:
    """One act or denied write; `object` is the id of what it is about, or empty."""

    actor: str
    operation: str
    object: str
    outcome: str
    request_id: str


@dataclass(frozen=True)
class AccessDetails:
    """The workspace that a record concerns, the member who acted, and the network address, if there are any."""

    workspace: str | None = None
    member_id: UUID | None = None
    address: str | None = None


NO_DETAILS = AccessDetails()


@dataclass(frozen=True)
class StoredAccessRecord(AccessRecord):
    """A record of the log with its position and time."""

    position: int
    recorded_at: datetime


@dataclass(frozen=True)
class AuditRecord(StoredAccessRecord):
    """A record that concerns a workspace; `address` is sealed, or None once it is forgotten."""

    member_id: UUID | None
    address: bytes | None


@dataclass(frozen=True)
class AuditSelection:
    """Records of a workspace, from `since` until before `until`.

    With `without_begun` the beginning of an act is left out if its outcome is recorded.
    """

    workspace: str
    member_id: UUID | None = None
    operations: list[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    without_begun: bool = False


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

    def __init__(self, database: Database, seal_address: Callable[[str], bytes | None] | None = None) -> None:
        self._database = database
        self._seal_address = seal_address
        self._appends: GroupCommit[tuple[object, ...], None] = GroupCommit(self._append_all, MOST_PER_COMMIT)

    def append(self, record: AccessRecord, details: AccessDetails = NO_DETAILS) -> None:
        """Append a record with its details; it is durable once this returns."""
        address = None
        if self._seal_address is not None and details.workspace is not None and details.address:
            address = self._seal_address(details.address)
        self._appends.submit((*astuple(record), details.workspace, details.member_id, address))

    def _append_all(self, rows: Sequence[tuple[object, ...]]) -> Sequence[None]:
        with self._database.connection() as connection:
            connection.execute(
                "SELECT append_access_log(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
                " %s::text[], %s::uuid[], %s::bytea[])",
                [list(column) for column in zip(*rows, strict=True)],
                prepare=True,
            )
        return [None] * len(rows)

    def page(self, limit: int, before: int | None = None) -> list[StoredAccessRecord]:
        """Return the records before a position, newest first."""
        rows = self._database.rows(_PAGE, (before or _NO_END, limit))
        return [StoredAccessRecord(*row) for row in rows]

    def page_of_workspace(
        self, selection: AuditSelection, limit: int, before: tuple[datetime, int] | None = None
    ) -> list[AuditRecord]:
        """Return the selected records before the one with this time and position, newest first."""
        time, position = before or (None, None)
        rows = self._database.rows(
            RECORDS_OF_WORKSPACE if selection.member_id is None else RECORDS_OF_MEMBER,
            asdict(selection) | {"time": time, "position": position, "limit": limit},
        )
        return [AuditRecord(*row) for row in rows]

    def forget_addresses(self, days: int) -> None:
        """Delete the network addresses of records that are older."""
        self._database.execute(
            "UPDATE access_log_details SET address = NULL"
            " WHERE address IS NOT NULL AND recorded_at < now() - make_interval(days => %s)",
            (days,),
        )


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

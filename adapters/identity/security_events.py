"""Security events: what looks like misuse, for those who run a workspace.

Repeats of one kind about one subject within an hour are one row with a count, and a workspace gets only so many rows in
an hour, so nobody can fill the table. Rows hold ids and a sealed network address.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import structlog

from adapters.identity.credentials import PUBLIC_WORKSPACE
from adapters.identity.login_codes import MAX_CODE_ATTEMPTS, MAX_MEMBER_ATTEMPTS
from adapters.identity.network_addresses import AddressCipher
from adapters.identity.tokens import digest
from adapters.postgres.database import Database
from domain.errors import NotFoundError, UnavailableError
from domain.values import Actor

# In an hour, subjects beyond so many are counted together, under the empty subject.
MAX_ROWS_PER_HOUR = 200

logger = structlog.get_logger()


class SecurityEventKind(StrEnum):
    """The kind of a security event. The first three are about a member, the next five about a key."""

    WRONG_CODE = "wrong_code"
    LOCKED_REQUEST = "locked_request"
    LOCKED_ADDRESS = "locked_address"
    REVOKED_KEY = "revoked_key"
    EXPIRED_KEY = "expired_key"
    MISSING_SCOPE = "missing_scope"
    FORBIDDEN_OPERATION = "forbidden_operation"
    UNKNOWN_TICKET = "unknown_ticket"
    EXCEEDED_QUOTA = "exceeded_quota"
    INVALID_SIGNATURE = "invalid_signature"


@dataclass(frozen=True)
class SecurityEvent:
    """Repeats of one kind about one subject; `address` is the sealed one that it last came from."""

    id: UUID
    kind: SecurityEventKind
    subject: str
    count: int
    first_at: datetime
    last_at: datetime
    address: bytes | None
    seen_at: datetime | None
    seen_by: str | None


@dataclass(frozen=True)
class SecurityEventSelection:
    """Events of a workspace; with `of_installation` also those that concern the installation."""

    workspace: str
    of_installation: bool = False
    kind: SecurityEventKind | None = None
    is_seen: bool | None = None


class SecurityEvents:
    """Counts and lists security events."""

    def __init__(self, database: Database, addresses: AddressCipher) -> None:
        self._database = database
        self._addresses = addresses

    def note(
        self,
        kind: SecurityEventKind,
        workspace: str,
        subject: str = "",
        address: str | None = None,
        *,
        of_installation: bool = False,
    ) -> None:
        """Count an event. Without a database it is only in the service's log."""
        values = {"kind": kind, "workspace": workspace, "subject": subject, "of_installation": of_installation}
        self._write(_NOTE, values, address)

    def note_failed_sign_in(self, request_id: UUID, address: str | None) -> None:
        """Count a wrong code in every workspace whose member it was sent to, and whether no more codes are accepted.

        The statement is the same for every address, whether it is a member's or not.
        """
        values = {"request": request_id, "tries": MAX_CODE_ATTEMPTS, "hourly": MAX_MEMBER_ATTEMPTS}
        self._write(_NOTE_FAILED_SIGN_IN, values, address)

    def note_invalid_key(self, credential: str, address: str | None) -> None:
        """Count the use of a revoked or expired key for its workspace; a key of all workspaces is the installation's.

        The statement is the same for a credential that was never a key, which counts for nobody.
        """
        self._write(_NOTE_INVALID_KEY, {"digest": digest(credential), "public": PUBLIC_WORKSPACE}, address)

    def _write(self, statement: str, values: dict[str, object], address: str | None) -> None:
        try:
            sealed = None if address is None else self._addresses.seal(address)
            self._database.execute(statement, values | {"address": sealed, "most": MAX_ROWS_PER_HOUR})
        except UnavailableError:
            logger.warning("security event is not stored")

    def page(
        self, selection: SecurityEventSelection, limit: int, before: tuple[datetime, UUID] | None = None
    ) -> list[SecurityEvent]:
        """Return the events before the one with this time and id, newest first."""
        time, id = before or (None, None)
        rows = self._database.rows(_PAGE, asdict(selection) | {"time": time, "id": id, "limit": limit})
        return [_event(row) for row in rows]

    def unseen(self, workspace: str, most: int) -> int:
        """Return the number of the workspace's events that nobody has marked as seen, counted up to `most`."""
        row = self._database.row(_UNSEEN, {"workspace": workspace, "most": most})
        return row[0] if row else 0

    def mark_seen(
        self, selection: SecurityEventSelection, event_id: UUID, actor: Actor, count: int | None = None
    ) -> SecurityEvent:
        """Note who has seen the event, and return it; a repeat makes it unseen.

        NotFoundError if there is none, or if it happened more often than the `count` that the caller saw.
        """
        row = self._database.row(
            _MARK_SEEN,
            {
                "workspace": selection.workspace,
                "of_installation": selection.of_installation,
                "id": event_id,
                "actor": str(actor),
                "count": count,
            },
        )
        if row is None:
            raise NotFoundError("There is no such security event.")
        return _event(row)

    def purge(self, days: int) -> None:
        """Delete the events that are older."""
        self._database.execute("DELETE FROM security_events WHERE last_at < now() - make_interval(days => %s)", (days,))


def _event(row: tuple[object, ...]) -> SecurityEvent:
    id, kind, *rest = row
    return SecurityEvent(id, SecurityEventKind(str(kind)), *rest)  # type: ignore[arg-type]


_COUNT_UP = """
INSERT INTO security_events AS present (workspace, of_installation, kind, subject, hour, address)
SELECT e.workspace, e.of_installation, e.kind,
       CASE WHEN (SELECT count(*) FROM security_events o
                   WHERE o.workspace = e.workspace AND o.hour = date_trunc('hour', now())) < %(most)s
            THEN e.subject ELSE '' END,
       date_trunc('hour', now()), %(address)s
  FROM events e
ON CONFLICT (workspace, hour, of_installation, kind, subject) DO UPDATE
   SET count = present.count + 1, last_at = now(), address = EXCLUDED.address, seen_at = NULL, seen_by = NULL
"""
_NOTE = _COUNT_UP.replace(
    "FROM events e",
    "FROM (SELECT %(workspace)s AS workspace, %(of_installation)s AS of_installation, %(kind)s AS kind,"
    " %(subject)s AS subject) AS e",
)
_NOTE_FAILED_SIGN_IN = (
    """
WITH events (workspace, of_installation, kind, subject) AS (
    SELECT DISTINCT m.workspace, false, k.kind, m.member_id::text
      FROM access_requests r
      JOIN contact_hashes h ON h.hash = ANY(r.contact_indexes) AND h.is_current
      JOIN members m ON m.member_id = h.owner_id AND m.has_joined
     CROSS JOIN LATERAL (VALUES
           ('wrong_code', true),
           ('locked_request', r.code_attempts >= %(tries)s),
           ('locked_address', (SELECT sum(o.code_attempts) FROM access_requests o
              WHERE o.contact_indexes[1] = r.contact_indexes[1] AND o.audience = 'member'
                AND o.created_at > now() - interval '1 hour') >= %(hourly)s)
           ) AS k (kind, applies)
     WHERE r.id = %(request)s AND r.audience = 'member' AND k.applies
)
"""  # noqa: S608 - constants
    + _COUNT_UP
)
_NOTE_INVALID_KEY = (
    """
WITH events (workspace, of_installation, kind, subject) AS (
    SELECT CASE WHEN role = 'client' THEN workspace ELSE %(public)s END, role <> 'client',
           CASE WHEN revoked_at IS NULL THEN 'expired_key' ELSE 'revoked_key' END, id::text
      FROM api_keys WHERE digest = %(digest)s
)
"""  # noqa: S608 - constants
    + _COUNT_UP
)
_FIELDS = "id, kind, subject, count, first_at, last_at, address, seen_at, seen_by"
_PAGE = f"""
SELECT {_FIELDS} FROM security_events
 WHERE workspace = %(workspace)s AND (NOT of_installation OR %(of_installation)s)
   AND (first_at, id) < (coalesce(%(time)s::timestamptz, 'infinity'),
                         coalesce(%(id)s::uuid, '00000000-0000-0000-0000-000000000000'))
   AND (%(kind)s::text IS NULL OR kind = %(kind)s)
   AND (%(is_seen)s::boolean IS NULL OR (seen_at IS NOT NULL) = %(is_seen)s)
 ORDER BY first_at DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608 - columns
_UNSEEN = """
SELECT count(*) FROM (
    SELECT FROM security_events WHERE workspace = %(workspace)s AND seen_at IS NULL AND NOT of_installation
     LIMIT %(most)s) AS unseen
"""
_MARK_SEEN = f"""
UPDATE security_events SET seen_at = coalesce(seen_at, now()), seen_by = coalesce(seen_by, %(actor)s)
 WHERE id = %(id)s AND workspace = %(workspace)s AND (NOT of_installation OR %(of_installation)s)
   AND (%(count)s::bigint IS NULL OR count = %(count)s)
RETURNING {_FIELDS}
"""  # noqa: S608 - columns

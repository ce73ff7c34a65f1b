"""Credentials: ticket tokens, sessions and API keys. Secrets are stored as digests and compared in constant time."""

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from adapters.identity.members import MEMBER_TOKEN, MemberSessions
from adapters.identity.sessions import SESSION_TOKEN
from adapters.identity.tokens import digest, url_text
from adapters.ids import uuid7
from adapters.postgres.database import Database
from adapters.read_models.read_your_writes import TicketRows
from domain.errors import InvalidError, NotFoundError, RefusedError
from domain.members import MemberRole
from domain.organisations import PUBLIC_WORKSPACE as PUBLIC_WORKSPACE
from domain.values import Actor, Role
from projections.model import Row

TICKET_TOKEN = "tkt_"  # noqa: S105 - a prefix
API_KEY = "slk_"
SECRET_BYTES = 32
LONGEST_CREDENTIAL = 200
LONGEST_WORKSPACE = 100
# The precision of `last_used_at`: one write per key and minute, not one per request.
LAST_USE_SECONDS = 60

SCOPES = (
    "tickets:read",
    "tickets:write",
    "tickets:search",
    "payments:create",
    "donations:read",
    "exports:read",
)
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Principal:
    """Who makes a request: a role, and the fields that apply to it.

    A holder has either the one `ticket` of a ticket token or of a session for it alone, or a `session`, which opens
    every ticket whose contact has one of the `contact_indexes`. A member has a `session` of the address with these
    hashes. It acts as `member_id` with `member_role` in the `workspace`, or has none of the three as long as the
    address is only invited.
    """

    role: Role
    key_id: UUID | None = None
    workspace: str | None = None
    scopes: frozenset[str] = frozenset()
    ticket: UUID | None = None
    session: UUID | None = None
    contact_indexes: frozenset[str] = frozenset()
    member_id: UUID | None = None
    member_role: MemberRole | None = None
    # An API key's own limits by the name of the limit that each replaces, such as `{"payment": "100/minute"}`.
    rate_limits: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def members_workspace(self) -> str | None:
        """The workspace in which a member works, and None for keys of the installation, which see every one."""
        return self.workspace if self.role is Role.MEMBER else None

    @property
    def actor(self) -> Actor:
        id = self.key_id or self.member_id
        return Actor(self.role, str(id) if id else None)

    @property
    def name(self) -> str:
        """Return a stable name without secrets, for idempotency keys, rate limits and logs."""
        id = self.key_id or self.member_id or self.session or self.ticket
        return self.role.value if id is None else f"{self.role}:{id}"


VISITOR = Principal(Role.VISITOR)


def ticket_token(ticket: UUID, secret: bytes) -> str:
    """Return the credential of a ticket's holder, which contains the ticket's id and the secret."""
    return TICKET_TOKEN + url_text(ticket.bytes + secret)


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret."""

    id: UUID
    role: str
    workspace: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: UUID | None
    rate_limits: Mapping[str, str]
    # The actor who created the key, or None for a key of an earlier version.
    created_by: str | None


@dataclass(frozen=True)
class KeyOwner:
    """The role and the id of a key as logs name them, and the workspace whose programs use it."""

    name: str
    workspace: str | None = None


class Credentials:
    """Checks and manages credentials, which are found by their digest.

    Every check reads the primary database, so a revoked credential is invalid everywhere at once. Keys and sessions are
    looked up by digest: the time of a lookup reveals something about digests, which nobody can choose.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._member_sessions = MemberSessions(database)

    def principal(self, credential: str) -> Principal | None:
        """Return the principal whom a session or an API key belongs to, or None if it is invalid."""
        if not _is_well_formed(credential):
            return None
        if credential.startswith(SESSION_TOKEN):
            return self._session_holder(credential)
        if credential.startswith(MEMBER_TOKEN):
            return self._member(credential)
        if credential.startswith(API_KEY):
            return self._client(credential)
        return None

    def _member(self, token: str) -> Principal | None:
        member = self._member_sessions.find(token)
        if member is None:
            return None
        return Principal(
            Role.MEMBER,
            workspace=member.workspace,
            session=member.session,
            contact_indexes=member.contact_indexes,
            member_id=member.member_id,
            member_role=member.role,
        )

    def _session_holder(self, token: str) -> Principal | None:
        row = self._database.row(
            "SELECT id, contact_indexes, ticket_id FROM access_sessions WHERE digest = %s AND expires_at > now()",
            (digest(token),),
        )
        if row is None:
            return None
        if row[2] is not None:
            return Principal(Role.HOLDER, ticket=row[2])
        return Principal(Role.HOLDER, session=row[0], contact_indexes=frozenset(row[1]))

    def _client(self, key: str) -> Principal | None:
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT id, role, workspace, scopes, rate_limits,"
                " coalesce(last_used_at, '-infinity') < now() - make_interval(secs => %s) FROM api_keys"
                " WHERE digest = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
                (LAST_USE_SECONDS, digest(key)),
            ).fetchone()
            if row is None:
                return None
            if row[5]:
                connection.execute("UPDATE api_keys SET last_used_at = now() WHERE id = %s", (row[0],))
        return Principal(Role(row[1]), row[0], row[2], frozenset(row[3]), rate_limits=row[4])

    def key_owner(self, credential: str) -> KeyOwner:
        """Return whose valid or revoked key a credential is; the name is `unknown` if it is none."""
        if not _is_well_formed(credential):
            return KeyOwner(UNKNOWN)
        row = self._database.row("SELECT role, id, workspace FROM api_keys WHERE digest = %s", (digest(credential),))
        if row is None:
            return KeyOwner(UNKNOWN)
        return KeyOwner(f"{row[0]}:{row[1]}", row[2] if row[0] == Role.CLIENT else None)

    def create(
        self,
        role: Role,
        workspace: str = PUBLIC_WORKSPACE,
        scopes: Sequence[str] = (),
        expires_at: datetime | None = None,
        key: str | None = None,
        rate_limits: Mapping[str, str] | None = None,
        *,
        id: UUID | None = None,
        created_by: Actor | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key and return it with its secret, which is not stored; a given `key` is registered as it is.

        Repeating the call with the same key changes nothing.
        """
        if role not in (Role.CLIENT, Role.ADMIN, Role.AUDITOR):
            raise InvalidError("is not a role of API keys", "/role")
        if unknown_scopes := set(scopes) - set(SCOPES):
            raise InvalidError(f"unknown scope: {', '.join(sorted(unknown_scopes))}", "/scopes")
        if not is_workspace_name(workspace):
            raise InvalidError(f"a workspace's name has 1 to {LONGEST_WORKSPACE} printable characters", "/workspace")
        key = key or new_key(secrets.token_bytes(SECRET_BYTES))
        with self._database.connection() as connection:
            connection.execute(
                "INSERT INTO api_keys (id, role, workspace, scopes, digest, expires_at, rate_limits, created_by)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (
                    id or uuid7(),
                    role.value,
                    workspace,
                    list(scopes),
                    digest(key),
                    expires_at,
                    Jsonb(rate_limits or {}),
                    None if created_by is None else str(created_by),
                ),
            )
            [row] = connection.execute(_KEYS + " WHERE digest = %s", (digest(key),)).fetchall()
        return _api_key(row), key

    def replace(
        self,
        key_id: UUID,
        overlap: timedelta,
        expires_at: datetime | None = None,
        *,
        workspace: str | None = None,
        successor: tuple[UUID, str] | None = None,
        created_by: Actor | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a successor with the key's role, workspace, scopes and limits, and return it with its secret.

        The old key expires after `overlap`. Without `expires_at` the successor is valid for as long as the old key was
        when it was created. `successor` is its id and its key; repeating the call with the same one changes nothing.
        With `workspace` only client keys of that workspace are replaced. NotFoundError if there is no such key,
        RefusedError if it is revoked or expired, or has a successor already.
        """
        new_id, secret = successor or (uuid7(), new_key(secrets.token_bytes(SECRET_BYTES)))
        with self._database.transaction() as cursor:
            cursor.execute(_STATE_OF_KEY, {"id": key_id, "workspace": workspace})
            row = cursor.fetchone()
            if row is None:
                raise NotFoundError("There is no such key.")
            is_invalid, existing = row
            if existing != new_id:
                if is_invalid or existing is not None:
                    raise RefusedError("This key is revoked or expired." if is_invalid else "This key has a successor.")
                cursor.execute(
                    "INSERT INTO api_keys (id, role, workspace, scopes, rate_limits, digest, expires_at, created_by)"
                    " SELECT %s, role, workspace, scopes, rate_limits, %s,"
                    " coalesce(%s, now() + (expires_at - created_at)), %s FROM api_keys WHERE id = %s",
                    (new_id, digest(secret), expires_at, None if created_by is None else str(created_by), key_id),
                )
                cursor.execute(
                    "UPDATE api_keys SET replaced_by = %s, expires_at = least(expires_at, now() + %s) WHERE id = %s",
                    (new_id, overlap, key_id),
                )
            [successor_row] = cursor.execute(_KEYS + " WHERE id = %s", (new_id,)).fetchall()
        return _api_key(successor_row), secret

    def list(self) -> list[ApiKey]:
        """Return all keys, the oldest first."""
        return [_api_key(row) for row in self._database.rows(_KEYS + " ORDER BY created_at, id")]

    def client_keys(self, workspace: str, limit: int, after: UUID | None = None) -> Sequence[ApiKey]:
        """Return client keys of the workspace in the order of their ids, which grow, after the one with this id."""
        rows = self._database.rows(
            _KEYS + " WHERE workspace = %(workspace)s AND role = 'client' AND coalesce(id > %(after)s, true)"
            " ORDER BY id LIMIT %(limit)s",
            {"workspace": workspace, "after": after, "limit": limit},
        )
        return [_api_key(row) for row in rows]

    def workspace_of(self, key_id: UUID) -> str | None:
        """Return the workspace whose programs use the key, or None if there is no such client key."""
        row = self._database.row("SELECT workspace FROM api_keys WHERE id = %s AND role = 'client'", (key_id,))
        return row[0] if row else None

    def limit(self, key_id: UUID, rate_limits: Mapping[str, str]) -> None:
        """Give the key its own rate limits, by the names of the limits that they replace; NotFoundError if absent."""
        if not self._database.execute(
            "UPDATE api_keys SET rate_limits = %s WHERE id = %s", (Jsonb(rate_limits), key_id)
        ):
            raise NotFoundError("There is no such key.")

    def revoke(self, key_id: UUID, workspace: str | None = None) -> None:
        """Make the key invalid from now on; revoking it again is not an error.

        With `workspace` only client keys of that workspace are revoked. NotFoundError if there is no such key.
        """
        updated = self._database.execute(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = %(id)s"
            " AND (%(workspace)s::text IS NULL OR (workspace = %(workspace)s AND role = 'client'))",
            {"id": key_id, "workspace": workspace},
        )
        if not updated:
            raise NotFoundError("There is no such key.")


def new_key(secret: bytes) -> str:
    """Return the API key with this secret."""
    return API_KEY + url_text(secret)


def is_workspace_name(name: str) -> bool:
    """Return True if a workspace may have this name."""
    return name.isprintable() and name == name.strip() and 0 < len(name) <= LONGEST_WORKSPACE


def _is_well_formed(credential: str) -> bool:
    return len(credential) <= LONGEST_CREDENTIAL and credential.isascii()


def token_ticket(token: str) -> UUID | None:
    """Return the ticket that a ticket token names, or None if it is not a ticket token. The token may be invalid."""
    if not _is_well_formed(token) or not token.startswith(TICKET_TOKEN):
        return None
    code = token.removeprefix(TICKET_TOKEN)
    try:
        return UUID(bytes=base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))[:16])
    except ValueError:
        return None


def ticket_holder(token: str, tickets: TicketRows) -> Principal | None:
    """Return the holder of the ticket that a ticket token belongs to, or None if the token is invalid."""
    ticket = token_ticket(token)
    if ticket is None:
        return None
    if _is_token_of(tickets.get(ticket), token) or _is_token_of(tickets.newest(ticket), token):
        return Principal(Role.HOLDER, ticket=ticket)
    return None


def _is_token_of(row: Row | None, token: str) -> bool:
    """Return True if the token is the ticket's. An absent ticket takes the same time as a wrong token."""
    token_digest = row["token_digest"] if row else None
    return hmac.compare_digest(token_digest or digest(""), digest(token)) and token_digest is not None


_KEYS = (
    "SELECT id, role, workspace, scopes, created_at, expires_at, revoked_at, last_used_at, replaced_by,"
    " rate_limits, created_by FROM api_keys"
)
_STATE_OF_KEY = (
    "SELECT revoked_at IS NOT NULL OR coalesce(expires_at <= now(), false), replaced_by FROM api_keys"
    " WHERE id = %(id)s AND (%(workspace)s::text IS NULL OR (workspace = %(workspace)s AND role = 'client')) FOR UPDATE"
)


def _api_key(row: Sequence[object]) -> ApiKey:
    id_, role, workspace, scopes, *times = row
    return ApiKey(id_, role, workspace, tuple(scopes), *times)  # type: ignore[arg-type]

"""Who is calling: ticket tokens and API keys. Secrets are stored as digests only and compared in constant time."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.identity.login_codes import SESSION_TOKEN
from adapters.ids import uuid7
from adapters.postgres.database import Database
from adapters.read_models.read_your_writes import ReadYourWrites
from domain.commands import digest
from domain.errors import InvalidError, NotFoundError, RefusedError
from domain.values import Actor, Role
from projections import ticket_status
from projections.model import Row

TICKET_TOKEN = "tkt_"  # noqa: S105 - a prefix
API_KEY = "slk_"
SECRET_BYTES = 32
LONGEST_CREDENTIAL = 200
LONGEST_WORKSPACE = 100
# How exactly a key remembers when it was used last: not every request is worth a write.
LAST_USE_SECONDS = 60

SCOPES = (
    "tickets:read",
    "tickets:write",
    "tickets:search",
    "payments:create",
    "donations:read",
    "exports:read",
)
PUBLIC_WORKSPACE = "public"
UNKNOWN = "unknown"

# How a ticket's row is read: with what is asked for besides, or without.
ReadTicket = Callable[[Cursor[TupleRow], UUID], Row | None]


@dataclass(frozen=True)
class Principal:
    """Somebody who may do something: what is None or empty does not apply to the role.

    A holder has one `ticket`, or came back in a `session` and has those of the verified contact, which has these
    `contact_indexes`. `ticket_row` is the holder's ticket as it was when the credential was checked.
    """

    role: Role
    key_id: UUID | None = None
    workspace: str | None = None
    scopes: frozenset[str] = frozenset()
    ticket: UUID | None = None
    session: UUID | None = None
    contact_indexes: frozenset[str] = frozenset()
    ticket_row: Row | None = field(default=None, compare=False, repr=False)

    @property
    def actor(self) -> Actor:
        return Actor(self.role, str(self.key_id) if self.key_id else None)

    @property
    def name(self) -> str:
        """Stable and without secrets: for idempotency keys, rate limits and logs."""
        id = self.key_id or self.session or self.ticket
        return self.role.value if id is None else f"{self.role}:{id}"


VISITOR = Principal(Role.VISITOR)


def ticket_token(ticket: UUID, secret: bytes) -> str:
    """The credential of a ticket's holder: it names the ticket and proves the secret."""
    return TICKET_TOKEN + base64.urlsafe_b64encode(ticket.bytes + secret).decode().rstrip("=")


@dataclass(frozen=True)
class ApiKey:
    """An API key as it may be listed: everything but the secret."""

    id: UUID
    role: str
    workspace: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: UUID | None


class Credentials:
    """Knows every credential that was ever given out, by its digest.

    Every call is decided by what the database says at that moment, so that what was revoked opens nothing anywhere.
    With `fresh` a ticket's token counts from the moment that it was given out, however far the read models are. Keys
    and sessions are looked up by digest: what time such a search takes tells of digests, which nobody can choose.
    """

    def __init__(self, database: Database, fresh: ReadYourWrites | None = None) -> None:
        self._database = database
        self._fresh = fresh

    def principal(self, credential: str, read: ReadTicket = ticket_status.ticket) -> Principal | None:
        """Who holds this credential; None if nobody does, or no longer. A holder's ticket is read with `read`."""
        if len(credential) > LONGEST_CREDENTIAL or not credential.isascii():
            return None
        if credential.startswith(TICKET_TOKEN):
            return self._holder(credential, read)
        if credential.startswith(SESSION_TOKEN):
            return self._returned(credential)
        if credential.startswith(API_KEY):
            return self._client(credential)
        return None

    def _holder(self, token: str, read: ReadTicket) -> Principal | None:
        code = token.removeprefix(TICKET_TOKEN)
        try:
            ticket = UUID(bytes=base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))[:16])
        except ValueError:
            return None
        with self._database.reading() as cursor:
            row = read(cursor, ticket)
        if self._fresh is not None:
            row = self._fresh.ticket_as_answered(ticket, row)
            if not _opens(token, row):
                row = self._fresh.ticket(ticket, row)
        return Principal(Role.HOLDER, ticket=ticket, ticket_row=row) if _opens(token, row) else None

    def _returned(self, token: str) -> Principal | None:
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT id, contact_indexes FROM access_sessions WHERE digest = %s AND expires_at > now()",
                (digest(token),),
            ).fetchone()
        return Principal(Role.HOLDER, session=row[0], contact_indexes=frozenset(row[1])) if row else None

    def _client(self, key: str) -> Principal | None:
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT id, role, workspace, scopes,"
                " coalesce(last_used_at, '-infinity') < now() - make_interval(secs => %s) FROM api_keys"
                " WHERE digest = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
                (LAST_USE_SECONDS, digest(key)),
            ).fetchone()
            if row is None:
                return None
            if row[4]:
                connection.execute("UPDATE api_keys SET last_used_at = now() WHERE id = %s", (row[0],))
        return Principal(Role(row[1]), row[0], row[2], frozenset(row[3]))

    def whose(self, credential: str) -> str:
        """For the access log: the key that a credential is or once was, by its id; `unknown` if it never was one."""
        if len(credential) > LONGEST_CREDENTIAL or not credential.isascii():
            return UNKNOWN
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT role, id FROM api_keys WHERE digest = %s", (digest(credential),)
            ).fetchone()
        return f"{row[0]}:{row[1]}" if row else UNKNOWN

    def create(
        self,
        role: Role,
        workspace: str = PUBLIC_WORKSPACE,
        scopes: Sequence[str] = (),
        expires_at: datetime | None = None,
        key: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is not to be had again; a `key` given is registered as it is."""
        if role not in (Role.CLIENT, Role.ADMIN, Role.AUDITOR):
            raise InvalidError("is no role of an API key", "/role")
        if unknown := set(scopes) - set(SCOPES):
            raise InvalidError(f"unknown scope: {', '.join(sorted(unknown))}", "/scopes")
        if not (workspace.isprintable() and workspace == workspace.strip() and 0 < len(workspace) <= LONGEST_WORKSPACE):
            raise InvalidError(f"a workspace's name has 1 to {LONGEST_WORKSPACE} printable characters", "/workspace")
        key = key or API_KEY + secrets.token_urlsafe(SECRET_BYTES)
        with self._database.connection() as connection:
            connection.execute(
                "INSERT INTO api_keys (id, role, workspace, scopes, digest, expires_at)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (digest) DO NOTHING",
                (uuid7(), role.value, workspace, list(scopes), digest(key), expires_at),
            )
            row = connection.execute(_KEYS + " WHERE digest = %s", (digest(key),)).fetchone()
        assert row is not None
        return _api_key(row), key

    def replace(self, key_id: UUID, overlap: timedelta, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
        """A successor with the key's role, workspace and scopes, and its secret; the key runs out after `overlap`.

        Unless it is said when the successor expires, it is given as long as the key was given when it was made.
        NotFoundError if there is no such key, RefusedError if it is worthless or has a successor already.
        """
        new_id, secret = uuid7(), API_KEY + secrets.token_urlsafe(SECRET_BYTES)
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT revoked_at IS NOT NULL OR coalesce(expires_at <= now(), false), replaced_by FROM api_keys"
                " WHERE id = %s FOR UPDATE",
                (key_id,),
            )
            row = cursor.fetchone()
            if row is None:
                raise NotFoundError("There is no such key.")
            worthless, successor = row
            if worthless or successor is not None:
                raise RefusedError("This key is worthless." if worthless else "This key has a successor.")
            cursor.execute(
                "INSERT INTO api_keys (id, role, workspace, scopes, digest, expires_at)"
                " SELECT %s, role, workspace, scopes, %s, coalesce(%s, now() + (expires_at - created_at))"
                " FROM api_keys WHERE id = %s",
                (new_id, digest(secret), expires_at, key_id),
            )
            cursor.execute(
                "UPDATE api_keys SET replaced_by = %s, expires_at = least(expires_at, now() + %s) WHERE id = %s",
                (new_id, overlap, key_id),
            )
            cursor.execute(_KEYS + " WHERE id = %s", (new_id,))
            made = cursor.fetchone()
        assert made is not None
        return _api_key(made), secret

    def list(self) -> list[ApiKey]:
        """Oldest first."""
        with self._database.connection() as connection:
            return [_api_key(row) for row in connection.execute(_KEYS + " ORDER BY created_at, id").fetchall()]

    def revoke(self, key_id: UUID) -> None:
        """From now on the key opens nothing; revoking it again is no error."""
        with self._database.connection() as connection:
            found = connection.execute(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s", (key_id,)
            )
        if found.rowcount == 0:
            raise NotFoundError("There is no such key.")


def _opens(token: str, row: Row | None) -> bool:
    """Whether it is the ticket's token; the comparison is made whether there is such a ticket or not."""
    known = row["token_digest"] if row else None
    return hmac.compare_digest(known or digest(""), digest(token)) and known is not None


_KEYS = (
    "SELECT id, role, workspace, scopes, created_at, expires_at, revoked_at, last_used_at, replaced_by FROM api_keys"
)


def _api_key(row: Sequence[object]) -> ApiKey:
    id_, role, workspace, scopes, *times = row
    return ApiKey(id_, role, workspace, tuple(scopes), *times)  # type: ignore[arg-type]

"""Sessions about to be opened, for the two audiences of login codes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.identity import members, sessions
from adapters.identity.tokens import digest


class Audience(StrEnum):
    """Whom a login code signs in."""

    HOLDER = "holder"
    MEMBER = "member"


@dataclass(frozen=True)
class SessionOpening:
    """A session about to be opened for a code of this audience; `agent` is what a member's program says of itself."""

    session_id: UUID
    secret: bytes
    audience: Audience = Audience.HOLDER
    agent: str | None = None

    def expiry(self, cursor: Cursor[TupleRow]) -> datetime | None:
        """Return the time when the session ends, or None if it was not opened yet."""
        table = "member_sessions" if self.audience is Audience.MEMBER else "access_sessions"
        statement = f"SELECT expires_at FROM {table} WHERE id = %s AND digest = %s"  # noqa: S608 (constants)
        row = cursor.execute(statement.encode(), (self.session_id, digest(self.token))).fetchone()
        return row[0] if row else None

    def use_code(self, cursor: Cursor[TupleRow], code_id: UUID, contact_indexes: list[str]) -> datetime | None:
        """Use the code up, and return the time when its session ends; None if it was used already."""
        cursor.execute(
            "UPDATE access_requests SET used_at = now() WHERE id = %s AND used_at IS NULL RETURNING id", (code_id,)
        )
        if cursor.fetchone() is None:
            return None
        cursor.execute(
            "UPDATE contact_hashes SET verified_at = now() WHERE hash = ANY(%s) AND verified_at IS NULL",
            (contact_indexes,),
        )
        if self.audience is Audience.MEMBER:
            return members.open_session(cursor, self.session_id, self.secret, contact_indexes, self.agent)
        return sessions.open_session(cursor, self.session_id, self.secret, contact_indexes=contact_indexes)

    @property
    def token(self) -> str:
        member = self.audience is Audience.MEMBER
        return members.member_token(self.secret) if member else sessions.session_token(self.secret)

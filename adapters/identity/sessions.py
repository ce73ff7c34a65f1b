"""Sessions: opened by a login code, a link or a recovery sheet, and stored as the digest of their credential."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.identity.tokens import digest, url_text
from adapters.postgres.database import Database

SESSION_TOKEN = "ses_"  # noqa: S105 - a prefix
SESSION_HOURS = 12


def session_token(secret: bytes) -> str:
    """Return the credential of a session with this secret."""
    return SESSION_TOKEN + url_text(secret)


def open_session(
    cursor: Cursor[TupleRow],
    session_id: UUID,
    secret: bytes,
    *,
    contact_indexes: Sequence[str] = (),
    ticket_id: UUID | None = None,
) -> datetime:
    """Open a session for the tickets of a contact, or for one ticket alone, and return the time when it ends."""
    [row] = cursor.execute(
        "INSERT INTO access_sessions (id, digest, contact_indexes, ticket_id, expires_at)"
        " VALUES (%s, %s, %s, %s, now() + make_interval(hours => %s)) RETURNING expires_at",
        (session_id, digest(session_token(secret)), list(contact_indexes), ticket_id, SESSION_HOURS),
    ).fetchall()
    expires_at: datetime = row[0]
    return expires_at


def end_session(database: Database, token: str) -> None:
    """End the session with this credential; no error if there is none."""
    database.execute("DELETE FROM access_sessions WHERE digest = %s", (digest(token),))

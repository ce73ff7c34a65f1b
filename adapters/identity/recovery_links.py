"""The link on a ticket's recovery sheet: it opens one session, and is valid until it is used or replaced.

Only its digest is stored, so a sheet cannot be printed again, only replaced.
"""

from datetime import datetime
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.identity import sessions
from adapters.identity.tokens import digest, url_text
from adapters.postgres.database import Database
from domain.events import TicketEvent


class RecoveryLinks:
    """Makes, checks and opens the links; a ticket has at most one."""

    def __init__(self, database: Database, public_url: str) -> None:
        self._database = database
        self._public_url = public_url

    def make(self, ticket_id: UUID, secret: bytes) -> str:
        """Return a link with this secret, which replaces the ticket's earlier one."""
        token = url_text(secret)
        self._database.execute(
            "INSERT INTO recovery_links (ticket_id, digest) VALUES (%s, %s) ON CONFLICT (ticket_id) DO UPDATE"
            " SET digest = excluded.digest, created_at = now()",
            (ticket_id, digest(token)),
        )
        return f"{self._public_url}/recover/{token}"

    def made_at(self, ticket_id: UUID) -> datetime | None:
        """Return when the ticket's valid link was made, or None if it has none."""
        row = self._database.row("SELECT created_at FROM recovery_links WHERE ticket_id = %s", (ticket_id,))
        return row[0] if row else None

    def is_valid(self, token: str) -> bool:
        return self._database.row("SELECT FROM recovery_links WHERE digest = %s", (digest(token),)) is not None

    def open(self, token: str, session_id: UUID, secret: bytes) -> UUID | None:
        """Open a session with this secret for the link's ticket, and return the ticket; None if it is not valid."""
        with self._database.transaction() as cursor:
            cursor.execute("DELETE FROM recovery_links WHERE digest = %s RETURNING ticket_id", (digest(token),))
            row = cursor.fetchone()
            if row is None:
                return None
            ticket_id: UUID = row[0]
            sessions.open_session(cursor, session_id, secret, ticket_id=ticket_id)
            return ticket_id

    def open_for(self, ticket_id: UUID, session_id: UUID, secret: bytes) -> None:
        """Open a session with this secret for the ticket, for a holder whose session ends with the old contact."""
        with self._database.transaction() as cursor:
            sessions.open_session(cursor, session_id, secret, ticket_id=ticket_id)


def close(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Make the link and the sessions for the ticket alone invalid, when it is erased or gets another contact."""
    cursor.execute("DELETE FROM recovery_links WHERE ticket_id = %s", (event.ticket,))
    cursor.execute("DELETE FROM access_sessions WHERE ticket_id = %s", (event.ticket,))
    cursor.execute("DELETE FROM contact_changes WHERE ticket_id = %s", (event.ticket,))

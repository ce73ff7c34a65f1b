"""Mails that nothing helped: a person sees that they died, and has them tried again once what was wrong is mended.

What a dead mail says stays sealed for as long as it may be tried again, and goes with its ticket like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Database
from domain.errors import NotFoundError, RefusedError

KEPT_DAYS = 30
# What holds for minutes only is of no use to anybody by then.
PERISHABLE = ("access_code",)

_LIST = """
SELECT id, kind, ticket_id, attempts, error, created_at, sealed <> '' FROM outbox
 WHERE state = 'dead' AND (%(at)s::timestamptz IS NULL OR (created_at, id) > (%(at)s, %(id)s::uuid))
 ORDER BY created_at, id LIMIT %(limit)s
"""
_RETRY = """
UPDATE outbox SET state = 'waiting', attempts = 0, error = NULL, next_attempt_at = now()
 WHERE id = %s AND state = 'dead' AND sealed <> ''
"""
# When it died is when it would have been tried next.
_FORGET = "DELETE FROM outbox WHERE state = 'dead' AND next_attempt_at < now() - make_interval(days => %s)"


@dataclass(frozen=True)
class DeadMail:
    """A mail that could not be sent; `retryable` is whether it may be tried again."""

    id: UUID
    kind: str
    ticket_id: UUID | None
    attempts: int
    error: str | None
    created_at: datetime
    retryable: bool


class DeadMails:
    """The dead ones of the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, limit: int, after: tuple[datetime, UUID] | None = None) -> list[DeadMail]:
        """Oldest first."""
        at, id = after or (None, None)
        with self._database.connection() as connection:
            rows = connection.execute(_LIST, {"at": at, "id": id, "limit": limit}).fetchall()
        return [DeadMail(*row) for row in rows]

    def retry(self, id: UUID) -> None:
        """Have it sent as if it were new; NotFoundError if no such mail is dead, RefusedError if it came too late."""
        with self._database.connection() as connection:
            if connection.execute(_RETRY, (id,)).rowcount:
                return
            dead = connection.execute("SELECT FROM outbox WHERE id = %s AND state = 'dead'", (id,)).fetchone()
        if dead is None:
            raise NotFoundError("There is no such dead mail.")
        raise RefusedError("What this mail says holds no longer, so it is not sent any more.")

    def forget(self) -> None:
        """Drop those that nobody wanted tried again for so long."""
        with self._database.connection() as connection:
            connection.execute(_FORGET, (KEPT_DAYS,))

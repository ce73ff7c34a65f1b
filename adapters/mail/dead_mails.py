"""Dead mails: mails that could not be sent, for a person to look at and to retry.

A dead mail stays sealed in the outbox as long as it may be retried, and is deleted when its ticket is erased.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Database
from domain.errors import NotFoundError, RefusedError

KEPT_DAYS = 30
# Mails whose content is valid for minutes only; they cannot be retried.
PERISHABLE = ("access_code", "contact_code", "member_code")

_LIST = """
SELECT id, kind, ticket_id, attempts, error, created_at, sealed <> '' FROM outbox
 WHERE state = 'dead' AND (%(at)s::timestamptz IS NULL OR (created_at, id) > (%(at)s, %(id)s::uuid))
 ORDER BY created_at, id LIMIT %(limit)s
"""
_RETRY = """
UPDATE outbox SET state = 'waiting', attempts = 0, error = NULL, next_attempt_at = now()
 WHERE id = %s AND state = 'dead' AND sealed <> ''
"""
# The `next_attempt_at` of a dead mail is the time when it died.
_PURGE = "DELETE FROM outbox WHERE state = 'dead' AND next_attempt_at < now() - make_interval(days => %s)"


@dataclass(frozen=True)
class DeadMail:
    """A mail that could not be sent; `retryable` says whether it may be sent again."""

    id: UUID
    kind: str
    ticket_id: UUID | None
    attempts: int
    error: str | None
    created_at: datetime
    retryable: bool


class DeadMails:
    """Lists, retries and deletes the dead mails of the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, limit: int, after: tuple[datetime, UUID] | None = None) -> list[DeadMail]:
        """Return at most `limit` dead mails, oldest first, that come after this time and id."""
        at, id = after or (None, None)
        rows = self._database.rows(_LIST, {"at": at, "id": id, "limit": limit})
        return [DeadMail(*row) for row in rows]

    def retry(self, id: UUID) -> None:
        """Have the mail sent again; NotFoundError if no such mail is dead, RefusedError if its content has expired."""
        with self._database.connection() as connection:
            if connection.execute(_RETRY, (id,)).rowcount:
                return
            dead = connection.execute("SELECT FROM outbox WHERE id = %s AND state = 'dead'", (id,)).fetchone()
        if dead is None:
            raise NotFoundError("There is no such dead mail.")
        raise RefusedError("The content of this mail is no longer valid, so it is not sent again.")

    def purge(self) -> None:
        """Delete the mails that died more than KEPT_DAYS ago."""
        self._database.execute(_PURGE, (KEPT_DAYS,))

"""Dead letters: webhook events that could not be applied, for a person to look at and to retry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.payments.inbox import DISMISSED, IS_DEAD_LETTER, NO_CHECKOUT
from adapters.postgres.database import Database

_LIST = f"""
SELECT event_id, type, attempts, CASE WHEN state = 'dead' OR error = '{NO_CHECKOUT}' THEN error ELSE 'unmatched' END,
       received_at
  FROM stripe_inbox
 WHERE {IS_DEAD_LETTER} AND (%(at)s::timestamptz IS NULL OR (received_at, event_id) > (%(at)s, %(id)s::text))
 ORDER BY received_at, event_id LIMIT %(limit)s
"""  # noqa: S608
_RETRY = f"""
UPDATE stripe_inbox
   SET state = 'received', attempts = 0, error = NULL, accepted_by = %(accepted_by)s, pending_object_id = NULL,
       waits_for = '{{}}', next_attempt_at = now()
 WHERE {IS_DEAD_LETTER} AND (%(ids)s::text[] IS NULL OR event_id = ANY(%(ids)s))
"""  # noqa: S608
_DISMISS = f"""
UPDATE stripe_inbox
   SET state = 'ignored', error = '{DISMISSED}', pending_object_id = NULL, waits_for = '{{}}', ask_about = NULL,
       ticket_id = NULL, body = ''
 WHERE {IS_DEAD_LETTER} AND event_id = ANY(%(ids)s)
"""  # noqa: S608


@dataclass(frozen=True)
class DeadLetter:
    """A webhook event that could not be applied."""

    id: str
    type: str
    attempts: int
    error: str | None
    received_at: datetime


class DeadLetters:
    """Events that failed, and events that have been held too long (see `UNMATCHED_HOURS`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, limit: int | None = None, after: tuple[datetime, str] | None = None) -> list[DeadLetter]:
        """Return at most `limit` dead letters, oldest first, that come after this time and id."""
        at, id = after or (None, None)
        with self._database.connection() as connection:
            rows = connection.execute(_LIST, {"at": at, "id": id, "limit": limit}).fetchall()
        return [DeadLetter(*row) for row in rows]

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Let these dead letters, or all of them, be applied again; return their number."""
        return self._update(_RETRY, ids)

    def accept(self, ids: Sequence[str] | None, accepted_by: str) -> int:
        """Do the same as `retry`, and let them count although a person had to decide about it.

        Their metadata is then believed without a checkout of ours, and more may be captured than was asked for.
        `accepted_by` is the actor of what they record.
        """
        return self._update(_RETRY, ids, accepted_by)

    def dismiss(self, ids: Sequence[str]) -> int:
        """Ignore these dead letters for good and drop their bodies; return their number."""
        return self._update(_DISMISS, ids)

    def _update(self, statement: str, ids: Sequence[str] | None, accepted_by: str | None = None) -> int:
        values = {"ids": None if ids is None else list(ids), "accepted_by": accepted_by}
        with self._database.connection() as connection:
            return connection.execute(statement.encode(), values).rowcount

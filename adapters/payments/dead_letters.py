"""Dead letters: webhook events that could not be applied, for a person to look at and to retry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.payments.inbox import UNMATCHED_HOURS
from adapters.postgres.database import Database

_IS_DEAD_LETTER = "(state = 'dead' OR (state = 'held' AND received_at < now() - make_interval(hours => %(hours)s)))"
_LIST = f"""
SELECT event_id, type, attempts, CASE state WHEN 'dead' THEN error ELSE 'unmatched' END, received_at FROM stripe_inbox
 WHERE {_IS_DEAD_LETTER} AND (%(at)s::timestamptz IS NULL OR (received_at, event_id) > (%(at)s, %(id)s::text))
 ORDER BY received_at, event_id LIMIT %(limit)s
"""  # noqa: S608
_RETRY = f"""
UPDATE stripe_inbox
   SET state = 'received', attempts = 0, error = NULL, pending_object_id = NULL, waits_for = '{{}}',
       next_attempt_at = now()
 WHERE {_IS_DEAD_LETTER} AND (%(ids)s::text[] IS NULL OR event_id = ANY(%(ids)s))
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
            rows = connection.execute(_LIST, {"hours": UNMATCHED_HOURS, "at": at, "id": id, "limit": limit}).fetchall()
        return [DeadLetter(*row) for row in rows]

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Let these dead letters, or all of them, be applied again; return their number."""
        with self._database.connection() as connection:
            return connection.execute(
                _RETRY, {"hours": UNMATCHED_HOURS, "ids": None if ids is None else list(ids)}
            ).rowcount

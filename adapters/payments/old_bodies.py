"""Drops the bodies of applied webhook events that were received long ago; their facts are in the history.

The row stays, so that the event is recognised when it is delivered again. So does the body from which the mails about a
donation take the donor's address, and every body of an event that is still to be applied.
"""

from adapters.postgres.database import Database

BATCH = 500
MOST_AT_ONCE = 20_000

_FIRST = "-infinity", ""
_DROP = """
WITH old AS (
    SELECT event_id, received_at FROM stripe_inbox
     WHERE state = 'applied' AND body <> '' AND (received_at, event_id) > (%(at)s::timestamptz, %(id)s)
       AND received_at < now() - make_interval(days => %(days)s)
     ORDER BY received_at, event_id LIMIT %(limit)s FOR UPDATE
), dropped AS (
    UPDATE stripe_inbox AS i SET body = '', epoch = NULL FROM old
     WHERE i.event_id = old.event_id AND NOT EXISTS (SELECT FROM donor_emails WHERE address_event_id = i.event_id)
)
SELECT received_at, event_id FROM old ORDER BY received_at DESC, event_id DESC
"""


class OldBodies:
    """Drops bodies in small transactions, from where the last call ended; a new process looks at all of them again."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days
        self._last: tuple[object, str] = _FIRST

    def drop(self) -> None:
        """Drop the bodies that are older than the number of days."""
        for _ in range(MOST_AT_ONCE // BATCH):
            at, id = self._last
            seen = self._database.rows(_DROP, {"at": at, "id": id, "days": self._days, "limit": BATCH})
            if seen:
                self._last = seen[0]
            if len(seen) < BATCH:
                return

"""Open checkouts: a checkout of a ticket that was unpublished, suspended or erased is expired at Stripe.

Every opened checkout has a row. The transaction that closes a ticket's checkouts requests their end, and the
transaction that records a new one checks again: appends to the event log run one at a time, so one of the two sees the
other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.postgres.background import StepLoop
from adapters.postgres.database import Database
from adapters.postgres.leased_queue import LeasedQueue
from domain.donations import Donation
from domain.errors import DomainError
from domain.events import CheckoutOpened, TicketEvent
from domain.ticket_state import CLOSES_CHECKOUTS

# The pause between two calls: Stripe limits the calls per second.
CALL_PAUSE_SECONDS = 0.04
# Longer than one call to Stripe takes, so that no other process makes the same call meanwhile.
LEASE_SECONDS = 90

_CLOSING_TOPICS = [event_type.TOPIC for event_type in CLOSES_CHECKOUTS]
# Retried until it succeeds or the checkout has expired by itself, which is at most a day later.
_QUEUE = LeasedQueue(
    "open_checkouts",
    "session_id",
    "session_id, ticket_id, donation_id",
    waiting="expiring",
    lease_seconds=LEASE_SECONDS,
    first_pause_seconds=2.0,
    longest_pause_seconds=300.0,
)
_ADD = """
INSERT INTO open_checkouts (session_id, ticket_id, donation_id, expires_at, state)
SELECT %(session)s, %(ticket)s, %(donation)s, %(expires_at)s,
       CASE WHEN EXISTS (SELECT FROM events
                          WHERE stream = %(ticket)s AND version > %(ticket_version)s AND topic = ANY(%(closing)s))
            THEN 'expiring' ELSE 'open' END
    ON CONFLICT DO NOTHING
"""
_CLOSE = """
UPDATE open_checkouts SET state = 'expiring', attempts = 0, next_attempt_at = now()
 WHERE ticket_id = %s AND state = 'open'
"""

# Expires a donation's checkout at Stripe and records that; called with the ticket, the donation, the session and now.
Expire = Callable[[UUID, UUID, str, datetime], None]

logger = structlog.get_logger()


def add(cursor: Cursor[TupleRow], donation: Donation, event: TicketEvent) -> None:
    """Store an opened checkout in the transaction that records it, or request its end if its ticket was closed."""
    assert isinstance(event, CheckoutOpened)
    cursor.execute(
        _ADD,
        {
            "session": event.session_id,
            "ticket": event.ticket_id,
            "donation": event.donation_id,
            "expires_at": datetime.fromtimestamp(event.expires_at, UTC),
            "ticket_version": donation.ticket_version,
            "closing": _CLOSING_TOPICS,
        },
    )


def close(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Request the end of all open checkouts of a ticket, in the transaction of the event that closes them."""
    cursor.execute(_CLOSE, (event.ticket,))


class CheckoutExpirer(StepLoop):
    """Expires checkouts, on call or in its own thread between `start` and `stop`, in any number of processes."""

    def __init__(self, database: Database, expire: Expire) -> None:
        super().__init__("checkout expirer", self.expire_one, _QUEUE.is_due, pause_seconds=CALL_PAUSE_SECONDS)
        self._database = database
        self._expire = expire

    def expire_one(self) -> bool:
        """Expire the checkout that has been due the longest; return False if none is due."""
        with self._database.transaction() as cursor:
            rows = _QUEUE.claim(cursor)
        for session_id, ticket_id, donation_id, attempts in rows:
            log = logger.bind(ticket=str(ticket_id), donation=str(donation_id), attempts=attempts)
            try:
                self._expire(ticket_id, donation_id, session_id, datetime.now(UTC))
            except DomainError as error:
                log.info("checkout not expired yet", error=type(error).__name__)
                with self._database.connection() as connection:
                    _QUEUE.retry(connection, session_id, attempts, type(error).__name__)
            else:
                log.info("checkout expired")
                self._database.execute("DELETE FROM open_checkouts WHERE session_id = %s", (session_id,))
        return bool(rows)

    def purge(self) -> None:
        """Delete the rows of checkouts that have expired by themselves."""
        self._database.execute("DELETE FROM open_checkouts WHERE expires_at < now() - interval '1 hour'", ())

"""News of gifts for holders: the first gift, the gifts of each week, and the goal.

The applier adds a row of ids in the transaction that records a payment, and a chore adds one for each ticket that got
gifts in the week before. A worker writes the message a little later, once the read models contain the payment. The key
of each message names what it reports, so it is sent once, also after a crash.
"""

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.health import lag
from adapters.localisation import format_money, supported_language
from adapters.mail.holder_messages import HolderMessages
from adapters.mail.holders import holder_values
from adapters.payments.donor_emails import MAX_AGE_SECONDS, AppliedEvent
from adapters.postgres.background import StepLoop
from adapters.postgres.database import CONNECTION_ERRORS, Database
from domain.errors import NotFoundError, UnavailableError
from domain.events import PaymentConfirmed, PaymentReceived
from domain.ports import Tickets
from domain.tickets import RecordingTicket
from domain.values import Money
from projections import donation_ledger
from projections.donation_ledger import gift_sums
from projections.model import Row

REST_SECONDS = 2.0
# News of a first gift that could not be told for so long is old.
FRESH = timedelta(days=2)
WEEK = timedelta(days=7)
# A week is told from Monday, 08:00 UTC, for three days; later its news are old.
FIRST_TELLING = timedelta(hours=8)
LAST_TELLING = timedelta(days=3)

_DUE = f"""
FROM gift_news WHERE position <= (SELECT position FROM projections WHERE live AND name = '{donation_ledger.NAME}')
"""  # noqa: S608
_NEXT = f"SELECT ticket_id, week {_DUE} ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED"
# Rows of the same ticket that another process has taken are told by that process, with the same keys.
_DELETE = f"""
DELETE FROM gift_news WHERE ctid = ANY(ARRAY(
       SELECT ctid {_DUE} AND ticket_id = %(ticket)s AND week IS NOT DISTINCT FROM %(week)s FOR UPDATE SKIP LOCKED))
"""  # noqa: S608

logger = structlog.get_logger()


def note_gifts(cursor: Cursor[TupleRow], applied_events: Iterable[AppliedEvent], position: int) -> None:
    """Have the tickets' holders told of payments in these events, which are recorded up to this position."""
    oldest = time.time() - MAX_AGE_SECONDS
    tickets = {
        event.donation_key[0]
        for event in applied_events
        if (event.gift.payment_reported_at or 0) >= oldest
        and any(fact.event_type in (PaymentReceived, PaymentConfirmed) for fact in event.facts)
    }
    if tickets:
        cursor.execute(
            "INSERT INTO gift_news (ticket_id, position) SELECT unnest(%s::uuid[]), %s", (sorted(tickets), position)
        )


class GiftNews(StepLoop):
    """Writes the messages, when called or in its own thread, in any number of processes.

    Without `livemode` the messages say that no real money moves.
    """

    def __init__(
        self, database: Database, tickets: Tickets, holders: HolderMessages, home_url: str, *, livemode: bool
    ) -> None:
        super().__init__("gift news", self.tell_one, f"EXISTS (SELECT {_DUE})", rest_seconds=REST_SECONDS)
        self._database = database
        self._tickets = tickets
        self._holders = holders
        self._home_url = home_url
        self._test = "" if livemode else "TEST"

    def tell_one(self) -> bool:
        """Tell one holder what is due, in one transaction; return False if nothing is due."""
        ticket_id: UUID | None = None
        week: date | None = None
        try:
            with self._database.transaction() as cursor:
                row = cursor.execute(_NEXT).fetchone()
                if row is None:
                    return False
                ticket_id, week = row
                self._delete(cursor, ticket_id, week)
                self._tell(cursor, ticket_id, week)
        except (UnavailableError, *CONNECTION_ERRORS):
            raise
        except Exception as error:
            if ticket_id is None:
                raise
            # A message that cannot be made is not tried again: the holder sees the gifts on the page.
            logger.error("gift news dropped", ticket=str(ticket_id), error=type(error).__name__)
            with self._database.transaction() as cursor:
                self._delete(cursor, ticket_id, week)
        return True

    def _delete(self, cursor: Cursor[TupleRow], ticket_id: UUID, week: date | None) -> None:
        cursor.execute(_DELETE, {"ticket": ticket_id, "week": week})

    def _tell(self, cursor: Cursor[TupleRow], ticket_id: UUID, week: date | None) -> None:
        try:
            ticket = self._tickets.get(ticket_id)
        except NotFoundError:
            return
        if ticket.erased or ticket.lifecycle.suspended:
            return
        if week is not None:
            self._tell_week(cursor, ticket, week)
            return
        self._tell_first_gift(cursor, ticket)
        self._tell_goal(cursor, ticket)

    def _tell_first_gift(self, cursor: Cursor[TupleRow], ticket: RecordingTicket) -> None:
        gift = gift_sums.first_gift(cursor, ticket.id)
        if gift is not None and gift["recorded_at"] > datetime.now(UTC) - FRESH:
            amount = _written(ticket, [Money(gift["paid"], gift["currency"])])
            self._queue(cursor, ticket, "first_gift", {"amount": amount}, f"first_gift:{ticket.id}")

    def _tell_goal(self, cursor: Cursor[TupleRow], ticket: RecordingTicket) -> None:
        goal = ticket.draft.goal
        if goal is None:
            return
        net = sum(_net(row) for row in donation_ledger.totals(cursor, ticket.id) if row["currency"] == goal.currency)
        if net >= goal.minor:
            values = {"goal": _written(ticket, [goal]), "total": _written(ticket, [Money(net, goal.currency)])}
            self._queue(cursor, ticket, "goal_reached", values, f"goal_reached:{ticket.id}")

    def _tell_week(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, week: date) -> None:
        start = datetime.combine(week, datetime.min.time(), UTC)
        sums = gift_sums.gifts_between(cursor, ticket.id, start, start + WEEK)
        if not sums:
            return
        totals = [Money(_net(row), row["currency"]) for row in donation_ledger.totals(cursor, ticket.id) if _net(row)]
        values = {
            "gifts": str(sum(row["gifts"] for row in sums)),
            "amount": _written(ticket, [Money(row["net"], row["currency"]) for row in sums]),
            "total": _written(ticket, totals),
        }
        self._queue(cursor, ticket, "weekly_gifts", values, f"weekly_gifts:{ticket.id}:{week.isoformat()}")

    def _queue(
        self, cursor: Cursor[TupleRow], ticket: RecordingTicket, kind: str, values: dict[str, str], key: str
    ) -> None:
        more = {"page": f"{self._home_url}/t/{ticket.id}/manage", "test": self._test}
        self._holders.tell(cursor.connection, ticket, kind, {**values, **more}, key, is_limited=True)

    def note_week(self, now: datetime | None = None) -> None:
        """Have the holders told of the gifts of the last whole week, once; a chore calls this again and again."""
        moment = now or datetime.now(UTC)
        monday = datetime.combine(moment.date() - timedelta(days=moment.weekday()), datetime.min.time(), UTC)
        week = (monday - WEEK).date()
        if not FIRST_TELLING <= moment - monday < LAST_TELLING:
            return
        with self._database.transaction() as cursor:
            ledger = lag.projections(cursor).get(donation_ledger.NAME)
            # Every payment of the week is recorded; the ledger must have them, too.
            if ledger is None or ledger.seconds >= FIRST_TELLING.total_seconds():
                return
            cursor.execute("INSERT INTO told_weeks (week) VALUES (%s) ON CONFLICT DO NOTHING", (week,))
            if cursor.rowcount:
                tickets = gift_sums.tickets_with_gifts_between(cursor, monday - WEEK, monday)
                cursor.execute(
                    "INSERT INTO gift_news (ticket_id, position, week) SELECT unnest(%s::uuid[]), 0, %s",
                    (tickets, week),
                )


def _net(row: Row) -> int:
    net: int = row["paid"] - row["refunded"] - row["disputed"]
    return net


def _written(ticket: RecordingTicket, amounts: Iterable[Money]) -> str:
    """Return the amounts, one for each currency, in the language in which the holder is written to."""
    language = supported_language(holder_values(ticket)["language"])
    return ", ".join(format_money(amount, language) for amount in amounts)

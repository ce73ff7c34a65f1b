"""What donors are told by mail: a receipt with our thanks, and word of each refund, to the address of their checkout.

Noted by the applier, in the transaction of the money itself, as ids alone; written a little later from what is then
known. Both are about the donor's own money, so nobody can unsubscribe from them. History replayed notes nothing, and of
what is older than a week nobody is told.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.localisation import format_moment, format_money
from adapters.mail.outbox import Outbox
from adapters.payments.event_parsers import ParsedFact
from adapters.payments.inbox import Inbox
from adapters.payments.parsed_events import FETCHED
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import CONNECTION_ERRORS, Database
from domain.donations import Donation
from domain.errors import InvalidError, NotFoundError, UnavailableError
from domain.events import PaymentReceived, Refunded
from domain.gift import Gift
from domain.ports import Mail
from domain.stores import Donations, Tickets
from domain.tickets import RecordingTicket
from domain.values import Donor, Money

RECEIPT = "receipt"
REFUND = "refund"
SUCCEEDED = "succeeded"
FRESH_SECONDS = 7 * 86_400
POLL_SECONDS = 0.5
MOST_ATTEMPTS = 8
LONGEST_TITLE = 200
LANGUAGE = "en"

_NOTE = (
    "INSERT INTO donor_emails (key, kind, ticket_id, donation_id, address_event_id, refund_id, state)"
    " SELECT * FROM unnest(%b::text[], %b::text[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[])"
    " ON CONFLICT (key) DO NOTHING"
)
_DUE = (
    "SELECT n.key, n.kind, n.ticket_id, n.donation_id, n.refund_id, r.address_event_id FROM donor_emails n"
    " LEFT JOIN donor_emails r ON r.key = 'receipt:' || n.donation_id"
    " WHERE n.state = 'waiting' AND n.next_attempt_at <= now()"
    " ORDER BY n.next_attempt_at LIMIT 1 FOR UPDATE OF n SKIP LOCKED"
)
_DONE = "UPDATE donor_emails SET state = %s, error = %s WHERE key = %s"
_SET_BACK = (
    "UPDATE donor_emails SET attempts = attempts + 1, error = %s,"
    " state = CASE WHEN attempts + 1 >= %s THEN 'dropped' ELSE 'waiting' END,"
    " next_attempt_at = now() + make_interval(secs => least(600, 2 ^ attempts)) WHERE key = %s AND state = 'waiting'"
)

logger = structlog.get_logger()

Name = tuple[UUID, UUID]


@dataclass(frozen=True)
class AppliedEvent:
    """One webhook event that was applied: the donation that it is of, what it says, and all that is known by now."""

    donation: Name
    event_id: str
    facts: Sequence[ParsedFact]
    gift: Gift


def note(cursor: Cursor[TupleRow], told: Iterable[AppliedEvent]) -> None:
    """Note what the donors are to hear of these events, each thing once; no statement if that is nothing."""
    rows = {row[0]: row for one in told if _has_address(one.gift) for row in _rows(one, time.time() - FRESH_SECONDS)}
    if rows:
        cursor.execute(_NOTE, [list(column) for column in zip(*rows.values(), strict=True)])


def _has_address(gift: Gift) -> bool:
    return "email_hash" in gift.said_by_session or "email_hash" in gift.said_by_charge


def _rows(told: AppliedEvent, fresh: float) -> Iterator[tuple[object, ...]]:
    """What an event gives reason to tell; where the address stands is noted of old gifts too, for their refunds."""
    ticket, donation = told.donation
    tells_address = any(
        fact.event is PaymentReceived and fact.told.get("donor", Donor()).email_hash for fact in told.facts
    )
    if tells_address and told.gift.paid_at is not None:
        state = "waiting" if told.gift.paid_at >= fresh else "dropped"
        yield f"{RECEIPT}:{donation}", RECEIPT, ticket, donation, told.event_id, None, state
    if tells_address or any(fact.event is Refunded for fact in told.facts):
        for id, refund in told.gift.refunds.items():
            if refund.state == SUCCEEDED and refund.at >= fresh:
                yield f"{REFUND}:{donation}:{id}", REFUND, ticket, donation, None, id, "waiting"


@dataclass(frozen=True)
class _Notice:
    key: str
    kind: str
    ticket_id: UUID
    donation_id: UUID
    refund_id: str | None
    told_by: str | None


class DonorNotices:
    """Writes the mails by hand, or in a thread of its own between `start` and `stop`; any number may, anywhere.

    `test` says that no real money moves.
    """

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        tickets: Tickets,
        donations: Donations,
        outbox: Outbox,
        page_url: Callable[[str], str],
        *,
        test: bool,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._tickets = tickets
        self._donations = donations
        self._outbox = outbox
        self._page_url = page_url
        self._test = test
        self._background = BackgroundLoop.steps("donor notices", self.write_one, POLL_SECONDS)

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def write_all(self) -> None:
        """Write until nothing that is due is left."""
        while self.write_one():
            pass

    def write_one(self) -> bool:
        """Write the mail that is due the longest, and queue it in the same transaction; False if none is."""
        key = None
        try:
            with self._database.transaction() as cursor:
                row = cursor.execute(_DUE).fetchone()
                if row is None:
                    return False
                notice = _Notice(*row)
                key = notice.key
                state, error = self._written(cursor, notice)
                cursor.execute(_DONE, (state, error, key))
        except (UnavailableError, *CONNECTION_ERRORS):
            raise
        except Exception as error:
            # It holds up only itself.
            logger.error("donor notice failed", error=type(error).__name__)
            with self._database.connection() as connection:
                connection.execute(_SET_BACK, (type(error).__name__, MOST_ATTEMPTS, key))
        return True

    def _written(self, cursor: Cursor[TupleRow], notice: _Notice) -> tuple[str, str | None]:
        try:
            to = self._address(cursor, notice)
            ticket = self._tickets.get(notice.ticket_id)
            donation = self._donations.get(notice.ticket_id, notice.donation_id)
            values = self._told(notice, ticket, donation)
            if ticket.erased or to is None or values is None:
                return "dropped", None
            self._outbox.queue(cursor.connection, Mail(notice.kind, to, values, notice.key, notice.ticket_id))
        except NotFoundError:
            return "dropped", "erased"
        except InvalidError:
            return "dropped", "no address that a mail can reach"
        return "written", None

    def _address(self, cursor: Cursor[TupleRow], notice: _Notice) -> str | None:
        """The address as the webhook event told it."""
        cursor.execute("SELECT body, ticket_id FROM stripe_inbox WHERE event_id = %s", (notice.told_by,))
        row = cursor.fetchone()
        if row is None or notice.told_by is None:
            return None
        body, ticket = row
        event = json.loads(self._inbox.opened(notice.told_by, bytes(body), ticket))
        thing = event.get(FETCHED) or event["data"]["object"]
        details = thing.get("customer_details") or thing.get("billing_details") or {}
        address = details.get("email")
        return address.strip() if isinstance(address, str) else None

    def _told(self, notice: _Notice, ticket: RecordingTicket, donation: Donation) -> Mapping[str, str] | None:
        """The values of the mail; None if what it would tell is no longer so."""
        gift, currency = donation.gift, donation.amount.currency
        common = {
            "test": "TEST" if self._test else "",
            "paid": format_money(Money(gift.paid, currency), LANGUAGE),
            "title": (ticket.draft.title or "")[:LONGEST_TITLE],
            "donation": str(notice.donation_id),
            "page": self._page_url(ticket.slug) if ticket.lifecycle.published else "",
        }
        if notice.kind == RECEIPT:
            if gift.paid_at is None:
                return None
            return common | {
                "donor": gift.donor.last_name or "Anonymous",
                "beneficiary": (ticket.draft.beneficiary or "")[:LONGEST_TITLE],
                "day": _moment(gift.paid_at),
            }
        refund = gift.refunds.get(notice.refund_id or "")
        if refund is None or refund.state != SUCCEEDED:
            return None
        return common | {
            "refunded": format_money(Money(refund.amount, currency), LANGUAGE),
            "refund": notice.refund_id or "",
            "day": _moment(refund.at),
        }


def _moment(at: int) -> str:
    return format_moment(datetime.fromtimestamp(at, UTC), LANGUAGE)

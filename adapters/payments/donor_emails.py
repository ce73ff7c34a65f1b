"""Donor e-mails: a receipt for each donation and a message about each refund, to the address from the checkout.

The applier adds a row of ids in the transaction that records the money. A worker writes the mail a little later, from
the donation's state at that time. Nobody can unsubscribe from these mails, because they are about the donor's own
money. A replay of history adds no rows, and payments and refunds older than a week get no mail.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from msgspec import Struct
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.localisation import format_moment, format_money, supported_language
from adapters.mail.outbox import Outbox
from adapters.payments.event_parsers import ParsedFact
from adapters.payments.inbox import Inbox
from adapters.payments.parsed_events import RETRIEVED_FIELD
from adapters.payments.stripe_objects import DonationKey
from adapters.postgres.background import StepLoop
from adapters.postgres.database import CONNECTION_ERRORS, Database
from adapters.postgres.leased_queue import LeasedQueue
from domain.commands.receipts import ReceiptCommands
from domain.commands.tickets import public_draft
from domain.donations import Donation
from domain.errors import InvalidError, NotFoundError, UnavailableError
from domain.events import DonorsThanked, PaymentReceived, Refunded, TicketEvent
from domain.gift import Gift
from domain.ports import Donations, Mail, SafetyReviewer, Tickets
from domain.tickets import RecordingTicket
from domain.values import SYSTEM, Donor, Money

RECEIPT_MAIL = "receipt"
REFUND_MAIL = "refund"
THANKS_MAIL = "thanks"
SUCCEEDED = "succeeded"
MAX_AGE_SECONDS = 7 * 86_400
MAX_ATTEMPTS = 8
LONGEST_TITLE = 200
MAX_NAME_LENGTH = 200

_ADD = (
    "INSERT INTO donor_emails (key, kind, ticket_id, donation_id, address_event_id, refund_id, state)"
    " SELECT * FROM unnest(%b::text[], %b::text[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[])"
    " ON CONFLICT (key) DO NOTHING"
)
# The row of the receipt names the event that holds the address, also for the mails about refunds.
_ADDRESS = """
SELECT i.event_id, i.body, i.ticket_id, i.donation_stream
  FROM donor_emails e JOIN stripe_inbox i ON i.event_id = e.address_event_id WHERE e.key = %s
"""
_QUEUE = LeasedQueue(
    "donor_emails",
    "key",
    "key, kind, ticket_id, donation_id, refund_id",
    max_attempts=MAX_ATTEMPTS,
    dead_state="dropped",
)

logger = structlog.get_logger()


class AppliedEvent(Struct, frozen=True):
    """A webhook event that was applied, with its facts, its donation, and the donation's money after the batch."""

    donation_key: DonationKey
    event_id: str
    facts: Sequence[ParsedFact]
    gift: Gift


def add_donor_emails(cursor: Cursor[TupleRow], applied_events: Iterable[AppliedEvent]) -> None:
    """Add a row for each mail that these events cause; a mail that has a row already gets no second one."""
    oldest = time.time() - MAX_AGE_SECONDS
    rows = {row[0]: row for event in applied_events if event.gift.donor.email_hash for row in _rows(event, oldest)}
    if rows:
        cursor.execute(_ADD, [list(column) for column in zip(*rows.values(), strict=True)])


def add_thanks(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Add a row for each donation whose donor left an address; the row names the thanks in place of a refund."""
    assert isinstance(event, DonorsThanked)
    cursor.execute(
        "INSERT INTO donor_emails (key, kind, ticket_id, donation_id, refund_id, state)"
        " SELECT %(kind)s || ':' || %(thanks)s || ':' || donation_id, %(kind)s, ticket_id, donation_id, %(thanks)s,"
        " 'waiting' FROM donor_emails WHERE ticket_id = %(ticket)s AND kind = %(receipt)s ON CONFLICT (key) DO NOTHING",
        {"kind": THANKS_MAIL, "thanks": str(event.thanks_id), "ticket": event.ticket, "receipt": RECEIPT_MAIL},
    )


def drop(cursor: Cursor[TupleRow], donation: Donation) -> None:
    """Let no mail about the donation be written, and forget where the donor's address is."""
    cursor.execute(
        "UPDATE donor_emails SET state = 'dropped', address_event_id = NULL WHERE ticket_id = %s AND donation_id = %s",
        (donation.ticket_id, donation.donation_id),
    )


def mail_keys(donation: Donation) -> list[str]:
    """Return the keys of the receipt and of the mails about refunds in the outbox."""
    id = donation.donation_id
    return [_receipt_key(id), *(f"{REFUND_MAIL}:{id}:{refund}" for refund in donation.gift.refunds)]


def _receipt_key(donation_id: UUID) -> str:
    return f"{RECEIPT_MAIL}:{donation_id}"


def _rows(applied: AppliedEvent, oldest: float) -> Iterator[tuple[object, ...]]:
    """Yield the rows for an event.

    A donation that is too old for a receipt gets a row too: mails about its refunds need the event with the address.
    """
    ticket_id, donation_id = applied.donation_key
    has_address = any(
        fact.event_type is PaymentReceived and fact.fields.get("donor", Donor()).email_hash for fact in applied.facts
    )
    if has_address and applied.gift.payment_reported_at is not None:
        state = "waiting" if applied.gift.payment_reported_at >= oldest else "dropped"
        yield _receipt_key(donation_id), RECEIPT_MAIL, ticket_id, donation_id, applied.event_id, None, state
    if has_address or any(fact.event_type is Refunded for fact in applied.facts):
        for id, refund in applied.gift.refunds.items():
            if refund.state == SUCCEEDED and refund.at >= oldest:
                yield f"{REFUND_MAIL}:{donation_id}:{id}", REFUND_MAIL, ticket_id, donation_id, None, id, "waiting"


@dataclass(frozen=True)
class DonorEmail:
    """A mail to be written."""

    key: str
    kind: str
    ticket_id: UUID
    donation_id: UUID
    refund_id: str | None
    attempts: int


class DonorEmails(StepLoop):
    """Writes the mails, when called or in its own thread between `start` and `stop`, in any number of processes.

    Without `livemode` the mails say that no real money moves.
    """

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        tickets: Tickets,
        donations: Donations,
        receipts: ReceiptCommands,
        outbox: Outbox,
        page_url: Callable[[str], str],
        forget_url: Callable[[UUID, UUID], str],
        safety: SafetyReviewer,
        *,
        issuer: str | None,
        livemode: bool,
    ) -> None:
        super().__init__("donor emails", self.write_one, _QUEUE.is_due)
        self._database = database
        self._inbox = inbox
        self._tickets = tickets
        self._donations = donations
        self._receipts = receipts
        self._outbox = outbox
        self._page_url = page_url
        self._forget_url = forget_url
        self._safety = safety
        self._issuer = issuer
        self._livemode = livemode

    def write_one(self) -> bool:
        """Write and queue the mail that has been due the longest, in one transaction; return False if none is due."""
        email: DonorEmail | None = None
        try:
            with self._database.transaction() as cursor:
                for row in _QUEUE.claim(cursor):
                    email = DonorEmail(*row)
                    state, error = self._write(cursor, email)
                    _QUEUE.done(cursor.connection, email.key, state, error)
        except (UnavailableError, *CONNECTION_ERRORS):
            raise
        except Exception as error:
            if email is None:
                raise
            logger.error("donor email failed", error=type(error).__name__)
            with self._database.connection() as connection:
                _QUEUE.retry(connection, email.key, email.attempts, type(error).__name__)
        return email is not None

    def _write(self, cursor: Cursor[TupleRow], email: DonorEmail) -> tuple[str, str | None]:
        """Queue the mail in the outbox; return the row's final state and the reason if no mail can be sent."""
        try:
            address, name = self._recipient(cursor, email)
            ticket = self._tickets.get(email.ticket_id)
            if ticket.erased or address is None:
                return "dropped", None
            donation = self._donations.get(email.ticket_id, email.donation_id)
            values = self._values(email, ticket, donation, name)
            if values is None:
                return "dropped", None
            key = email.key
            if email.kind == THANKS_MAIL:
                # One mail for each donor and text, however often they gave and however often it is sent.
                once = f"{address.lower()} {values['message']}"
                key = f"{THANKS_MAIL}:{ticket.id}:{hashlib.sha256(once.encode()).hexdigest()}"
            self._outbox.queue(cursor.connection, Mail(email.kind, address, values, key, email.ticket_id))
        except NotFoundError:
            return "dropped", "erased"
        except InvalidError:
            return "dropped", "no address that a mail can reach"
        return "written", None

    def _recipient(self, cursor: Cursor[TupleRow], email: DonorEmail) -> tuple[str | None, str]:
        """Return the address and the full name in the webhook event that holds them; None and "" if no event does."""
        row = cursor.execute(_ADDRESS, (_receipt_key(email.donation_id),)).fetchone()
        if row is None:
            return None, ""
        event_id, body, *owners = row
        event = json.loads(self._inbox.open_body(event_id, bytes(body), *owners))
        stripe_object = event.get(RETRIEVED_FIELD) or event["data"]["object"]
        details = stripe_object.get("customer_details") or stripe_object.get("billing_details") or {}
        address, name = details.get("email"), details.get("name")
        full_name = name.strip()[:MAX_NAME_LENGTH] if isinstance(name, str) else ""
        return address.strip() if isinstance(address, str) else None, full_name

    def _values(
        self, email: DonorEmail, ticket: RecordingTicket, donation: Donation, name: str
    ) -> Mapping[str, str] | None:
        """Return the template's values, or None if the payment is not recorded or the refund did not succeed.

        The mail is in the language of the story, in which the donor met the page, or else in that of the workspace.
        """
        analysed = ticket.analysis.language if ticket.analysis else None
        language = supported_language(analysed or self._receipts.settings.settings(ticket.workspace).language or "")
        gift, currency = donation.gift, donation.amount.currency
        draft = public_draft(ticket, self._safety, datetime.now(UTC))
        common = {
            "test": "" if self._livemode else "TEST",
            "paid": format_money(Money(gift.paid, currency), language),
            "title": (draft.title or "")[:LONGEST_TITLE],
            "donation": str(email.donation_id),
            "page": self._page_url(ticket.slug) if ticket.lifecycle.public else "",
            "language": language,
            "name": name,
            "issuer": self._issuer or "",
            "forget": self._forget_url(email.ticket_id, email.donation_id),
        }
        if email.kind == RECEIPT_MAIL:
            if gift.paid_at is None:
                return None
            donation, settings = self._receipts.issue(
                SYSTEM, ticket.workspace, ticket.id, email.donation_id, dated=datetime.now(UTC)
            )
            organisation = settings.organisation
            wording = organisation.tax_wording if gift.refunded < gift.paid else None
            return common | {
                "issuer": organisation.legal_name or self._issuer or "",
                "receipt_number": str(donation.receipt_number or ""),
                "organisation_address": ", ".join((organisation.address or "").splitlines()),
                "registration_number": organisation.registration_number or "",
                "tax_wording": (wording or "") if organisation.legal_name else "",
                "donor": name or gift.donor.last_name or "",
                "receipt": self._receipt_url(ticket, gift),
                "beneficiary": (draft.beneficiary or "")[:LONGEST_TITLE],
                "day": _day(gift.paid_at, language),
            }
        if email.kind == THANKS_MAIL:
            text = ticket.thanks.get(UUID(email.refund_id))
            if text is None or gift.net <= 0 or ticket.lifecycle.suspended:
                return None
            return common | {"message": text, "holder": ticket.display_name or ""}
        refund = gift.refunds.get(email.refund_id or "")
        if refund is None or refund.state != SUCCEEDED:
            return None
        return common | {
            "refunded": format_money(Money(refund.amount, currency), language),
            "refund": email.refund_id or "",
            "day": _day(refund.at, language),
        }

    def _receipt_url(self, ticket: RecordingTicket, gift: Gift) -> str:
        """Return where the donor gets the receipt as a PDF; empty if no checkout session of ours names the donor."""
        return f"{self._page_url(ticket.slug)}/receipt?session_id={gift.session_id}" if gift.session_id else ""


def _day(seconds: int, language: str) -> str:
    return format_moment(datetime.fromtimestamp(seconds, UTC), language)

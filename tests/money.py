"""Delivers Stripe's events to a service, and reads its ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import projections
from adapters.payments.retrieval import PendingRetrievals, Retriever
from adapters.payments.webhooks import WebhookVerifier, sign
from adapters.read_models.follower import Follower
from domain.commands.pending_calls import PendingCallCommands
from domain.donations import Donation
from domain.errors import NotFoundError
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType, Money
from entrypoints.composition.exports import Export, Format
from entrypoints.composition.service import Service
from entrypoints.presentation.donations import Attribution
from entrypoints.presentation.personal_data import PersonalData
from projections import donation_ledger, fee_ledger
from projections.exports import Selection
from tests.stripe_events import Payment

SECRET = "whsec_of_the_money_tests"
Event = Mapping[str, Any]


def nowhere(object_id: str) -> dict[str, Any]:
    raise NotFoundError(object_id)


def pending_calls(service: Any) -> PendingCallCommands:
    """Return the command that completes the service's pending calls."""
    commands = service.commands
    return PendingCallCommands(
        service.aggregates.tickets, service.aggregates.donations, commands.checkouts, commands.refunds, service.page_url
    )


def exported(service: Service, format: Format = "csv", *, unpaid: bool = False, **selection: Any) -> str:
    """Return an export of the service's ledgers."""
    export = Export(format, Selection(**selection), unpaid)
    return b"".join(export.content(service.queries.reads(), PersonalData(service.history.cipher))).decode()


class Ledger:
    """The service's inbox, applier and read models, run step by step. `stripe` returns objects for retrievals."""

    def __init__(self, service: Service, stripe: Callable[[str], dict[str, Any]] = nowhere) -> None:
        self.service = service
        self.retriever = Retriever(lambda id: self.stripe(id), livemode=False)
        self.stripe = stripe
        self.retrievals = PendingRetrievals(service.database, service.payments.inbox, self.retriever)
        self._verifier = WebhookVerifier([SECRET], livemode=False)
        self._follower = Follower(service.url, projections.ALL)

    def ticket(self) -> UUID:
        id = uuid4()
        contact = Contact(ContactType.EMAIL, "ada@example.com")
        self.service.commands.tickets.open(SYSTEM, NewTicket(id, "public", id.hex[:12], contact, id.hex, None, id.hex))
        return id

    def payment(self, ticket: UUID | None = None, amount: int = 10_000, currency: str = "usd") -> Payment:
        """Record a checkout about which no event of Stripe has arrived yet."""
        payment = Payment(ticket or self.ticket(), amount, currency)
        self.record_checkout(payment)
        return payment

    def record_checkout(self, payment: Payment) -> None:
        money = Money(payment.amount, payment.currency.upper())
        donation = Donation.request_checkout(SYSTEM, payment.ticket_id, payment.donation_id, money, None)
        donation.open_checkout(SYSTEM, payment.session_id, int(time.time()), livemode=False)
        self.service.aggregates.donations.add(donation)

    def deliver(self, *events: Event) -> None:
        """Deliver signed events to the webhook endpoint's inbox. `settle` applies them."""
        for event in events:
            body = json.dumps(event).encode()
            self.service.payments.inbox.accept(self._verifier.verify(body, sign(body, SECRET, time.time())))

    def settle(self) -> None:
        while self.service.payments.applier.apply_batch() or self.retrievals.retrieve_one():
            pass
        self.follow()

    def ask(self) -> None:
        """Ask Stripe about what is held, as the service does after a while."""
        while self.retrievals.ask_about_held(after_seconds=0):
            self.settle()

    def follow(self) -> None:
        with self.service.database.connection() as connection:
            while self._follower.fold_next_batch(connection):
                pass

    def take(self, *events: Event) -> None:
        self.deliver(*events)
        self.settle()

    def take_in_turns(self, deliveries: Iterable[Sequence[Event]]) -> None:
        """Take the first event of each delivery, then the second of each, and so on.

        The applier handles deliveries about different payments alone or together alike, and together faster.
        """
        for simultaneous in zip(*deliveries, strict=True):
            self.take(*simultaneous)

    # Reading the ledger.

    def row(self, payment: Payment) -> dict[str, Any]:
        with self.service.database.transaction() as cursor:
            row = donation_ledger.donation(cursor, payment.donation_id)
        assert row is not None
        return row | {"net": row["paid"] - row["refunded"] - row["disputed"]}

    def view(self, payment: Payment) -> Attribution:
        return Attribution.from_row(self.row(payment), PersonalData(self.service.history.cipher))

    def totals(self, ticket: UUID) -> dict[str, tuple[int, int, int]]:
        """Return paid, refunded and net in each currency, after checking them against the entries."""
        with self.service.database.transaction() as cursor:
            totals = donation_ledger.totals(cursor, ticket)
            entries = donation_ledger.entries(cursor, ticket)
        for total in totals:
            for kind in donation_ledger.SUM_COLUMNS:
                posted = [e["amount"] for e in entries if (e["kind"], e["currency"]) == (kind, total["currency"])]
                assert sum(posted) == total[kind]
        return {t["currency"]: (t["paid"], t["refunded"], t["paid"] - t["refunded"] - t["disputed"]) for t in totals}

    def entries(self, payment: Payment) -> list[dict[str, Any]]:
        with self.service.database.transaction() as cursor:
            entries = donation_ledger.entries(cursor, payment.ticket_id)
        return [entry for entry in entries if entry["donation_id"] == payment.donation_id]

    def fees(self, payment: Payment) -> list[dict[str, Any]]:
        with self.service.database.transaction() as cursor:
            return fee_ledger.entries(cursor, [payment.donation_id])

    def inbox(self) -> dict[str, str]:
        """Return the state of each event in the inbox."""
        with self.service.database.connection() as connection:
            return dict(connection.execute("SELECT event_id, state FROM stripe_inbox").fetchall())

    def events(self, payment: Payment) -> list[str]:
        entries = self.service.history.log.ticket_events(payment.ticket_id)
        return [e.topic for e in entries if getattr(e.event(), "donation_id", None) == payment.donation_id]

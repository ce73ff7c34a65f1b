"""Reconciliation leaves out other business on the same Stripe account, and what a person dismissed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest

from adapters.payments.gateway import StripeGateway
from adapters.payments.reconcile import Reconciler, Reconciliation
from domain.errors import NotFoundError
from tests.money import Ledger
from tests.stripe_events import Payment, event

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
Event = dict[str, Any]


class Account:
    """A Stripe account with these events and objects."""

    def __init__(self) -> None:
        self.listed_events: list[Event] = []
        self.listed_objects: dict[str, Event] = {}

    def add(self, *stripe_objects: Event) -> None:
        self.listed_objects |= {stripe_object["id"]: stripe_object for stripe_object in stripe_objects}

    def events(self, since: datetime) -> Iterator[Event]:
        return iter(self.listed_events)

    def objects(self, prefix: str, since: datetime) -> Iterator[Event]:
        return (data for id, data in self.listed_objects.items() if id.startswith(f"{prefix}_"))

    def retrieve(self, id: str) -> Event:
        if id not in self.listed_objects:
            raise NotFoundError(id)
        return self.listed_objects[id]


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def ledger(service, account) -> Ledger:
    return Ledger(service, account.retrieve)


def reconcile(ledger: Ledger, account: Account) -> Reconciliation:
    payments = ledger.service.payments
    reconciler = Reconciler(
        ledger.service.database,
        cast(StripeGateway, account),
        payments.inbox,
        payments.applier,
        ledger.retrievals,
        ledger.retriever,
        ledger.service.aggregates.donations,
        livemode=False,
    )
    outcome = reconciler.reconcile(LONG_AGO)
    ledger.settle()
    return outcome


def dismiss_all(ledger: Ledger) -> None:
    letters = ledger.service.payments.dead_letters
    letters.dismiss([letter.id for letter in letters.list()])


def test_a_shops_payment_on_the_same_account_is_neither_matched_nor_repaired(ledger, account):
    payment, shop = ledger.payment(), Payment(uuid4())
    shop.metadata = {"order": "4711"}
    account.listed_events = [shop.succeeded(), shop.charged(), payment.completed()]
    account.add(shop.intent(), shop.charge(), payment.session(), payment.intent(), payment.charge())
    assert reconcile(ledger, account) == Reconciliation(matched=0, repaired=1)
    assert reconcile(ledger, account) == Reconciliation(matched=1, repaired=0)


def test_an_intent_with_copied_metadata_is_not_stored_again_after_it_was_dismissed(ledger, account):
    payment = ledger.payment()
    copied = Payment(payment.ticket_id, 7_000, donation_id=payment.donation_id)
    copied.intent_id, copied.charge_id = "pi_copied", "ch_copied"
    account.add(payment.session(), payment.intent(), payment.charge())
    account.add(copied.intent(), copied.charge(metadata=copied.metadata))
    ledger.take(payment.completed(), payment.charged(), copied.succeeded())
    ledger.ask()
    dismiss_all(ledger)
    for _ in range(2):
        assert reconcile(ledger, account) == Reconciliation(matched=1)
    assert ledger.row(payment)["paid"] == 10_000


def test_more_than_was_asked_for_is_not_stored_again_after_it_was_dismissed(ledger, account):
    payment = ledger.payment()
    account.add(payment.session(amount_total=15_000), payment.intent(amount_received=15_000))
    completed = event("checkout.session.completed", payment.session(amount_total=15_000))
    ledger.take(completed)
    dismiss_all(ledger)
    # Stripe lists an event for 30 days, and its object for ever.
    for account.listed_events in ([completed], []):
        assert reconcile(ledger, account) == Reconciliation()
    assert ledger.row(payment)["paid"] == 0

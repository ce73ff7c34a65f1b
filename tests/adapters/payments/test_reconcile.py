"""Reconciliation leaves out other business on the same Stripe account."""

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
from tests.stripe_events import Payment

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


def test_a_shops_payment_on_the_same_account_is_neither_matched_nor_repaired(ledger, account):
    payment, shop = ledger.payment(), Payment(uuid4())
    shop.metadata = {"order": "4711"}
    account.listed_events = [shop.succeeded(), shop.charged(), payment.completed()]
    account.add(shop.intent(), shop.charge(), payment.session(), payment.intent(), payment.charge())
    assert reconcile(ledger, account) == Reconciliation(matched=0, repaired=1)
    assert reconcile(ledger, account) == Reconciliation(matched=1, repaired=0)

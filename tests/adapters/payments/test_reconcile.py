"""Reconciliation compares both sides, and leaves out other business on the account and what a person dismissed."""

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
from tests.stripe_events import DAY, Payment, event

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
Event = dict[str, Any]


class Account:
    """A Stripe account with these events and objects."""

    def __init__(self) -> None:
        self.listed_events: list[Event] = []
        self.listed_objects: dict[str, Event] = {}
        # Former values of objects, as a list showed them before they changed.
        self.stale: dict[str, Event] = {}
        self.retrieved: list[str] = []

    def add(self, *stripe_objects: Event) -> None:
        self.listed_objects |= {stripe_object["id"]: stripe_object for stripe_object in stripe_objects}

    def objects(self, prefix: str, since: datetime) -> Iterator[Event]:
        listed = self.listed_events if prefix == "evt" else self.listed_objects.values()
        for data in listed:
            if data["id"].startswith(f"{prefix}_") and data["created"] >= since.timestamp():
                yield data | self.stale.get(data["id"], {})

    def retrieve(self, id: str) -> Event:
        self.retrieved.append(id)
        if id not in self.listed_objects:
            raise NotFoundError(id)
        return self.listed_objects[id]


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def ledger(service, account) -> Ledger:
    return Ledger(service, account.retrieve)


def reconcile(ledger: Ledger, account: Account, since: datetime = LONG_AGO) -> Reconciliation:
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
    outcome = reconciler.reconcile(since)
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


# Both sides.


def reasons(outcome: Reconciliation) -> list[str]:
    return [finding["reason"] for finding in outcome.unmatched]


def paid(ledger: Ledger, account: Account, *extra: Event) -> Payment:
    """Return a payment that both sides know."""
    payment = ledger.payment()
    account.add(payment.session(), payment.intent(), payment.charge())
    ledger.take(payment.completed(), payment.charged(), *extra)
    return payment


def test_money_that_stripe_does_not_have_is_named(ledger, account):
    payment = ledger.payment()
    ledger.take(payment.completed(), payment.charged())
    outcome = reconcile(ledger, account)
    assert reasons(outcome) == [f"{payment.intent_id}: paid 100.00 USD here, not at Stripe"]
    assert outcome.unmatched[0]["id"] == str(payment.donation_id)


def test_an_object_that_was_created_before_the_period_is_asked_for(ledger, account):
    payment = ledger.payment()
    account.add(payment.session(created=1), payment.intent(created=1), payment.charge(created=1))
    ledger.take(payment.completed(), payment.charged())
    assert reconcile(ledger, account, datetime.fromtimestamp(DAY - 60, UTC)) == Reconciliation(matched=1)


def test_different_sums_are_named_on_both_sides(ledger, account):
    payment = ledger.payment()
    account.add(payment.intent(amount_received=9_000), payment.charge(amount_captured=9_000))
    ledger.take(payment.completed(), payment.charged())
    [reason] = reasons(reconcile(ledger, account))
    assert reason.split("; ") == [
        f"{payment.intent_id}: paid 100.00 USD here, paid 90.00 USD at Stripe",
        f"{payment.charge_id}: paid 100.00 USD here, paid 90.00 USD at Stripe",
    ]


def test_a_captured_payment_that_stripe_canceled_is_named(ledger, account):
    payment = ledger.payment()
    account.add(payment.intent(status="canceled", amount_received=0))
    ledger.take(payment.completed())
    assert reasons(reconcile(ledger, account)) == ["paid: 100.00 USD here, 0.00 USD at Stripe"]


def test_fees_are_compared_with_the_balance_transactions(ledger, account):
    payment = paid(ledger, account)
    account.add(payment.transaction("fee", 10_000, 320))
    assert reconcile(ledger, account) == Reconciliation(repaired=1)
    assert [(row["gross"], row["fee"]) for row in ledger.fees(payment)] == [(10_000, 320)]
    account.add(payment.transaction("fee", 10_000, 350))
    [reason] = reasons(reconcile(ledger, account))
    assert reason.endswith(": 100.00 USD with a fee of 3.20 USD here, 100.00 USD with a fee of 3.50 USD at Stripe")


def test_a_fee_that_stripe_does_not_have_is_named(ledger, account):
    payment = paid(ledger, account)
    account.add(fee := payment.transaction("fee", 10_000, 320))
    reconcile(ledger, account)
    del account.listed_objects[fee["id"]]
    [reason] = reasons(reconcile(ledger, account))
    assert reason == f"{fee['id']}: 100.00 USD with a fee of 3.20 USD here, not at Stripe"


def test_open_disputes_and_pending_refunds_are_followed_whatever_their_age(ledger, account):
    disputed = paid(ledger, account)
    refunded = paid(ledger, account)
    ledger.take(disputed.withdrawn(), refunded.refunded(3_000, "pending"))
    account.add(disputed.dispute("lost", (-10_000,)), refunded.refund(3_000, "failed"))
    now = datetime.now(UTC)
    assert reconcile(ledger, account, now) == Reconciliation(repaired=2)
    assert ledger.row(disputed)["dispute_status"] == "lost"
    assert ledger.row(refunded)["refunded"] == 0
    account.retrieved.clear()
    assert reconcile(ledger, account, now) == Reconciliation()
    assert account.retrieved == []


def test_an_event_after_the_lists_were_read_is_no_difference(ledger, account):
    payment = paid(ledger, account)
    account.add(dispute := payment.dispute("lost", (-10_000,)))
    account.stale = {dispute["id"]: {"status": "needs_response"}}
    ledger.take(payment.withdrawn(), payment.closed("lost"))
    assert reconcile(ledger, account) == Reconciliation(matched=1)


def test_a_dispute_that_cannot_be_converted_is_named_and_does_not_end_the_run(ledger, account):
    payment, missing = paid(ledger, account), ledger.payment()
    dispute = payment.dispute("won", (9_000,))
    dispute["balance_transactions"][0]["currency"] = "eur"
    account.add(dispute, missing.session())
    outcome = reconcile(ledger, account)
    assert (outcome.matched, outcome.repaired) == (0, 1)
    assert sorted(reasons(outcome)) == [
        f"{dispute['id']}: nothing here, malformed (balance_transactions) at Stripe",
        "malformed: balance_transactions",
    ]


def test_a_dispute_without_the_movements_of_its_money_is_compared_by_its_state(ledger, account):
    payment = paid(ledger, account)
    account.add(payment.dispute("lost") | {"balance_transactions": None})
    assert reconcile(ledger, account) == Reconciliation(repaired=1)
    assert ledger.row(payment)["dispute_status"] == "lost"


def test_balance_transactions_of_many_charges_are_read_from_the_list(ledger, account, monkeypatch):
    monkeypatch.setattr("adapters.payments.reconcile.MANY_RETRIEVALS", 0)
    payment = ledger.payment()
    account.add(fee := payment.transaction("fee", 10_000, 320), payment.intent())
    account.add(charge := payment.charge(balance_transaction=fee["id"]))
    account.listed_events = [payment.completed(), event("charge.succeeded", charge)]
    assert reconcile(ledger, account) == Reconciliation(repaired=1)
    assert [row["fee"] for row in ledger.fees(payment)] == [320]
    assert fee["id"] not in account.retrieved


def test_every_page_is_compared(ledger, account, monkeypatch):
    monkeypatch.setattr("adapters.payments.reconcile.PAGE", 2)
    monkeypatch.setattr("adapters.payments.reconcile.OWN_PAGE", 2)
    ticket = ledger.ticket()
    payments = [ledger.payment(ticket) for _ in range(5)]
    account.listed_events = [payment.completed() for payment in payments]
    account.add(*[data for payment in payments for data in (payment.session(), payment.intent(), payment.charge())])
    assert reconcile(ledger, account) == Reconciliation(repaired=5)
    assert reconcile(ledger, account) == Reconciliation(matched=5)


@pytest.mark.parametrize("status", ["canceled", "failed"])
def test_a_refund_that_ended_is_dated_by_the_return_of_its_money(ledger, account, status):
    payment = paid(ledger, account)
    back = payment.transaction("back", 3_000, created=DAY + 900, reporting_category="refund_failure")
    account.add(refund := payment.refund(3_000, status, failure_balance_transaction=back["id"]))
    account.add(back | {"source": refund["id"]})
    assert ledger.retriever.time_of(refund) == DAY + 900
    assert reconcile(ledger, account) == Reconciliation(repaired=1)
    refunds = [entry for entry in ledger.entries(payment) if entry["kind"] == "refunded"]
    assert sorted((int(entry["occurred_at"].timestamp()), entry["amount"]) for entry in refunds) == [
        (DAY + 60, 3_000),
        (DAY + 900, -3_000),
    ]

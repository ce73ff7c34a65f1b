"""Every movement of money has the date of its own Stripe object, whenever and in whatever order it is reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import permutations, zip_longest
from typing import Any
from uuid import uuid4

import pytest

from adapters.payments.stripe_objects import StripeDict
from entrypoints.presentation.past_ledger import past_ledger
from projections import donation_ledger
from tests.money import Ledger, exported
from tests.stripe_events import Payment, event


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NEW_YEARS_EVE = at("2026-12-31T23:59:59")
WITHDRAWN_AT, REINSTATED_AT = at("2026-10-22T09:00:00"), at("2026-11-20T16:00:00")


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def dated_entries(ledger: Ledger, payment: Payment) -> list[tuple[str, int, int]]:
    """Return kind, amount and time of each entry, after checking that the journal has the same dates."""
    with ledger.service.database.transaction() as cursor:
        entries = donation_ledger.entries(cursor, payment.ticket_id)
    journal = exported(ledger.service, "journal", ticket_id=payment.ticket_id)
    moved = [line.split() for line in journal.splitlines() if "donation:" in line and ") settled " not in line]
    days = [words[0] for words in moved]
    assert days == sorted(entry["occurred_at"].date().isoformat() for entry in entries)
    return sorted((e["kind"], e["amount"], int(e["occurred_at"].timestamp())) for e in entries)


def sums_as_of(ledger: Ledger, payment: Payment, moment: int) -> tuple[int, int, int]:
    history = ledger.service.queries.reads().ticket_history(payment.ticket_id)
    [row] = past_ledger(history, datetime.fromtimestamp(moment, UTC), None).all(donation_ledger.DONATIONS)
    return row["paid"], row["refunded"], row["disputed"]


def disputed(payment: Payment, status: str, *moved: tuple[int, int]) -> StripeDict:
    """Return the dispute with its balance transactions, each with an amount and a time."""
    transactions = [payment.moved(f"{n}d", amount, created=at) for n, (amount, at) in enumerate(moved)]
    return payment.dispute(status) | {"created": WITHDRAWN_AT, "balance_transactions": transactions}


def reported_in_every_order(ledger: Ledger, reports: Callable[[Payment], list[StripeDict]]) -> list[Payment]:
    """Return payments whose reports were applied one at a time, in a different order for each payment."""
    payments, deliveries = [], []
    for order in permutations(range(len(reports(Payment(uuid4()))))):
        payments.append(ledger.payment())
        events = reports(payments[-1])
        deliveries.append([events[index] for index in order])
    ledger.take_in_turns(deliveries)
    return payments


def test_a_gift_of_new_years_eve_is_entered_in_the_old_year_in_every_order_of_its_events(ledger):
    def reports(payment: Payment) -> list[StripeDict]:
        return [
            payment.completed(NEW_YEARS_EVE + 2),
            payment.succeeded(NEW_YEARS_EVE + 1),
            payment.charged(NEW_YEARS_EVE + 3, created=NEW_YEARS_EVE),
        ]

    for payment in reported_in_every_order(ledger, reports):
        assert dated_entries(ledger, payment) == [("paid", 10_000, NEW_YEARS_EVE)]
        assert int(ledger.row(payment)["paid_at"].timestamp()) == NEW_YEARS_EVE
        assert sums_as_of(ledger, payment, NEW_YEARS_EVE) == (10_000, 0, 0)


def test_money_of_a_dispute_is_entered_on_the_days_on_which_it_moved_in_every_order_of_the_events(ledger):
    out, back = (-10_000, WITHDRAWN_AT), (10_000, REINSTATED_AT)

    def reports(payment: Payment) -> list[StripeDict]:
        return [
            payment.completed(WITHDRAWN_AT - 86_400),
            event("charge.dispute.funds_withdrawn", disputed(payment, "needs_response", out), WITHDRAWN_AT + 60),
            event("charge.dispute.funds_reinstated", disputed(payment, "won", out, back), REINSTATED_AT + 60),
        ]

    for payment in reported_in_every_order(ledger, reports):
        assert [entry for entry in dated_entries(ledger, payment) if entry[0] == "disputed"] == [
            ("disputed", -10_000, REINSTATED_AT),
            ("disputed", 10_000, WITHDRAWN_AT),
        ]
        assert sums_as_of(ledger, payment, REINSTATED_AT - 1) == (10_000, 0, 10_000)
        assert sums_as_of(ledger, payment, REINSTATED_AT) == (10_000, 0, 0)


def test_a_dispute_that_is_retrieved_at_its_end_is_dated_by_its_balance_transactions(ledger):
    payment = ledger.payment()
    dispute = disputed(payment, "won", (-10_000, WITHDRAWN_AT), (10_000, REINSTATED_AT))
    ledger.take(payment.completed(WITHDRAWN_AT - 86_400))
    ledger.service.payments.inbox.accept_retrieved(dispute, ledger.retriever.time_of(dispute))
    ledger.settle()
    assert sums_as_of(ledger, payment, WITHDRAWN_AT) == (10_000, 0, 10_000)
    assert sums_as_of(ledger, payment, REINSTATED_AT) == (10_000, 0, 0)
    history = ledger.service.queries.reads().ticket_history(payment.ticket_id)
    [row] = past_ledger(history, datetime.fromtimestamp(WITHDRAWN_AT, UTC), None).all(donation_ledger.DONATIONS)
    assert (row["status"], ledger.row(payment)["status"]) == ("DISPUTED", "PAID")
    assert [int(fee["occurred_at"].timestamp()) for fee in ledger.fees(payment)] == [WITHDRAWN_AT, REINSTATED_AT]


def test_a_refund_counts_from_its_creation_and_a_failed_one_until_its_money_came_back(ledger):
    paid_at, refunded_at, returned_at = at("2026-11-03T10:00"), at("2026-11-30T10:00"), at("2026-12-02T10:00")

    def reported(payment: Payment, status: str, type: str, reported_at: int, **more: Any) -> StripeDict:
        return event(type, payment.refund(4_000, status, created=refunded_at, **more), reported_at)

    transactions: dict[str, StripeDict] = {}
    ledger.stripe = transactions.__getitem__

    def reports(payment: Payment) -> list[StripeDict]:
        id = f"txn_back{payment.mark}"
        returned = payment.transaction("", 4_000, id=id, created=returned_at, reporting_category="refund_failure")
        transactions[id] = returned | {"source": f"re_1{payment.mark}"}
        return [
            payment.completed(paid_at),
            reported(payment, "succeeded", "refund.created", refunded_at + 86_400),
            reported(payment, "failed", "refund.failed", returned_at + 86_400, failure_balance_transaction=id),
        ]

    for payment in reported_in_every_order(ledger, reports):
        assert [entry for entry in dated_entries(ledger, payment) if entry[0] == "refunded"] == [
            ("refunded", -4_000, returned_at),
            ("refunded", 4_000, refunded_at),
        ]
        assert sums_as_of(ledger, payment, refunded_at - 1) == (10_000, 0, 0)
        assert sums_as_of(ledger, payment, refunded_at) == (10_000, 4_000, 0)
        assert sums_as_of(ledger, payment, returned_at) == (10_000, 0, 0)


DEBITED_AT, SETTLED_AT = at("2026-08-03T10:00"), at("2026-08-07T10:00")


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.soak)], ids=["every third order", "all orders"])
@pytest.mark.parametrize("is_settled", [False, True], ids=["no balance transaction yet", "balance transaction"])
def test_a_delayed_payment_has_one_date_whether_it_is_retrieved_or_reported_first(ledger, is_settled, every):
    objects: dict[str, StripeDict] = {}
    ledger.stripe = objects.__getitem__
    payments, turns = [], []
    # Every third order begins with each of the four steps, twice.
    for order in list(permutations(range(4)))[is_settled % every :: every]:
        payment = ledger.payment()
        txn = payment.transaction("", 10_000, created=SETTLED_AT)
        charge = payment.charge(created=DEBITED_AT, balance_transaction=txn["id"] if is_settled else None)
        session = payment.session(created=DEBITED_AT - 60)
        intent = payment.intent(created=DEBITED_AT - 60)
        objects |= {o["id"]: o for o in (session, intent, charge, txn)}
        unpaid = session | {"payment_status": "unpaid"}
        reported = event("checkout.session.async_payment_succeeded", session, SETTLED_AT + 5)
        charged = event("charge.succeeded", charge, SETTLED_AT + 6)
        steps = [
            [partial(retrieve, ledger, unpaid)],
            [partial(retrieve, ledger, session), partial(retrieve, ledger, charge)],
            [partial(ledger.deliver, reported)],
            [partial(ledger.deliver, charged)],
        ]
        payments.append(payment)
        turns.append([steps[index] for index in order])
    # The first step of each payment, then the second of each, and so on.
    for simultaneous in zip(*turns, strict=True):
        for acts in zip_longest(*simultaneous, fillvalue=lambda: None):
            for act in acts:
                act()
            ledger.settle()
    captured_at = SETTLED_AT if is_settled else SETTLED_AT + 5
    for payment in payments:
        assert dated_entries(ledger, payment) == [("paid", 10_000, captured_at)]
        assert int(ledger.row(payment)["paid_at"].timestamp()) == captured_at


def retrieve(ledger: Ledger, stripe_object: StripeDict) -> None:
    ledger.service.payments.inbox.accept_retrieved(stripe_object, ledger.retriever.time_of(stripe_object))


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_the_retrieval_of_a_refund_that_ended_does_not_date_its_end_by_its_creation(ledger, state):
    refunded_at, ended_at = at("2026-08-03T10:00"), at("2026-08-07T10:00")
    for order in permutations(range(2)):
        payment = ledger.payment()
        ledger.take(payment.completed(refunded_at - 86_400))
        refund = payment.refund(4_000, state, created=refunded_at)
        reported = event("refund.updated", refund, ended_at)
        steps = [partial(retrieve, ledger, refund), partial(ledger.deliver, reported)]
        for index in order:
            steps[index]()
            ledger.settle()
        assert [entry for entry in dated_entries(ledger, payment) if entry[0] == "refunded"] == [
            ("refunded", -4_000, ended_at),
            ("refunded", 4_000, refunded_at),
        ]


def test_a_time_that_no_calendar_has_is_never_applied(ledger):
    payment = ledger.payment()
    ledger.take(payment.charged(created=10**15), payment.charged(created=-1))
    assert set(ledger.inbox().values()) == {"dead"}
    assert ledger.row(payment)["paid"] == 0

"""The donation ledger's donations, entries and totals agree, in whatever batches they were folded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import projections
from adapters.read_models import rebuild
from adapters.read_models.in_memory import MemoryRows, folded, ticket_row
from adapters.stripe_sandbox.simulation import scenario
from domain.donations import Donation
from domain.events import (
    CheckoutRequested,
    DonationEvent,
    Erased,
    PaymentConfirmed,
    PaymentReceived,
    Refunded,
    TicketEvent,
)
from domain.values import STRIPE, SYSTEM, Money, StripeReport
from entrypoints.composition.simulation_runner import SimulationRunner
from entrypoints.presentation.past_ledger import past_ledger, past_totals
from entrypoints.presentation.personal_data import PersonalData
from projections import donation_ledger, fee_ledger
from tests.domain.donation_facts import FACTS, donation_with
from tests.domain.facts import TICKET
from tests.examples import examples
from tests.fakes.events import log_entries, make_event
from tests.money import Ledger
from tests.stripe_events import DAY, Payment

DONATION = UUID(int=9)
TOTAL_COLUMNS = (*donation_ledger.SUM_COLUMNS, *donation_ledger.COUNT_COLUMNS.values(), "first_paid_at")


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def test_live_and_rebuilt_ledgers_are_the_same_to_the_byte(service):
    runner = SimulationRunner(service, scenario.build(5, 40))
    runner.open()
    for number, delivery in enumerate(runner.scenario.deliveries(Random(5))):
        runner.deliver(delivery)
        if number % 20 == 0:
            runner.settle()
    runner.settle()
    for projection in (donation_ledger, fee_ledger):
        verified = rebuild.verify(service.url, projections.BY_NAME[projection.NAME], lambda *_: None)
        assert (verified.differences, verified.rows > 0) == ([], True)


def folded_donation(*events: TicketEvent) -> MemoryRows:
    return folded(donation_ledger, log_entries(*events))


def donation_event(kind: type[DonationEvent], version: int, minor: int | None = None, **fields: Any) -> TicketEvent:
    amount = {} if minor is None else {"amount": Money(minor, "USD")}
    return make_event(kind, DONATION, version, actor=STRIPE, ticket_id=TICKET, donation_id=DONATION, **amount, **fields)


REQUESTED = donation_event(CheckoutRequested, 1, 5_000, description=None)
PAID = donation_event(PaymentReceived, 2, 5_000, payment_intent_id="pi_1", report=StripeReport("evt_1", 100))
REFUNDED = donation_event(
    Refunded, 3, 2_000, refund_id="re_1", state="succeeded", refunded_at=200, report=StripeReport("evt_2", 200)
)


def test_a_requested_donation_is_counted_and_has_no_entries():
    rows = folded_donation(REQUESTED)
    [donation] = rows.all(donation_ledger.DONATIONS)
    assert (donation["amount"], donation["status"], donation["paid"]) == (5_000, "CREATED", 0)
    [total] = rows.all(donation_ledger.TOTALS)
    assert (total["created_count"], total["paid_count"], total["paid"]) == (1, 0, 0)
    assert rows.all(donation_ledger.ENTRIES) == []


def test_a_payment_and_its_refund_are_two_entries_that_add_up_to_the_donation_and_the_total():
    rows = folded_donation(REQUESTED, PAID, REFUNDED)
    entries = [(entry["position"], entry["kind"], entry["amount"]) for entry in rows.all(donation_ledger.ENTRIES)]
    assert entries == [(2, "paid", 5_000), (3, "refunded", 2_000)]
    [donation] = rows.all(donation_ledger.DONATIONS)
    [total] = rows.all(donation_ledger.TOTALS)
    assert (donation["paid"], donation["refunded"]) == (total["paid"], total["refunded"]) == (5_000, 2_000)


def test_a_payment_confirmed_again_is_entered_once():
    confirmed = donation_event(PaymentConfirmed, 3, 5_000, payment_intent_id="pi_1", report=StripeReport("evt_3", 100))
    [entry] = folded_donation(REQUESTED, PAID, confirmed).all(donation_ledger.ENTRIES)
    assert (entry["position"], entry["amount"]) == (2, 5_000)


def test_facts_about_a_donation_that_was_never_requested_are_ignored():
    rows = folded_donation(PAID, REFUNDED)
    assert [rows.all(table) for table in donation_ledger.TABLES] == [[], [], [], []]


@examples(5)
@given(seed=st.integers(0, 10**6))
def test_a_ledger_folded_in_one_batch_equals_one_folded_event_by_event(service, seed):
    runner = SimulationRunner(service, scenario.build(seed, 5, f"batches {seed} {Random().random()}"))
    runner.open()
    for delivery in runner.scenario.deliveries(Random(seed)):
        runner.deliver(delivery)
    service.payments.applier.apply_all()
    ticket = runner.scenario.donations[0].ticket_id
    history = service.queries.reads().ticket_history(ticket)
    at_once, one_by_one = MemoryRows(), MemoryRows()
    donation_ledger.fold(history, at_once)
    for event in history:
        donation_ledger.fold([event], one_by_one)
    for table in donation_ledger.TABLES:
        assert sorted(map(repr, at_once.all(table))) == sorted(map(repr, one_by_one.all(table)))


@given(facts=st.lists(FACTS, max_size=10), at=st.integers(0, 12), random=st.randoms(use_true_random=False))
def test_entries_donations_and_totals_agree_in_every_order_of_the_facts_now_and_as_of_every_time(facts, at, random):
    shuffled = [*facts, *random.choices(facts, k=len(facts))] if facts else []
    random.shuffle(shuffled)
    moment = datetime.fromtimestamp(at, UTC)
    ledgers = []
    for ordered in (facts, shuffled):
        events: Any = donation_with(*ordered).collect_events()
        history = log_entries(*events)
        present, past = folded(donation_ledger, history), past_ledger(history, moment, None)
        gift = donation_with(*ordered).gift
        assert sorted(map(entry_of, present.all(donation_ledger.ENTRIES))) == sorted(gift.entries())
        one_by_one = MemoryRows()
        for event in history:
            donation_ledger.fold([event], one_by_one)
        assert dated_rows(one_by_one) == dated_rows(present)
        for rows in (present, past):
            assert_the_ledger_agrees(rows)
        ledgers.append([dated_rows(rows) for rows in (present, past)])
    assert ledgers[0] == ledgers[1]


@given(before=st.lists(FACTS, max_size=8), after=st.lists(FACTS, max_size=8), keeps_name=st.booleans())
def test_erasing_the_person_of_a_story_and_forgetting_the_donor_change_no_figure(before, after, keeps_name):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    forgotten = donation_with(*before)
    forgotten.forget_donor(SYSTEM, now + timedelta(days=1) if keeps_name else None, now)
    for kind, fields in after:
        forgotten.record(STRIPE, kind, **fields)
    erased = make_event(Erased, forgotten.ticket_id, 2, actor=SYSTEM)
    with_donor: Any = donation_with(*before, *after).collect_events()
    without: Any = [*forgotten.collect_events(), erased]
    ledgers = [folded(donation_ledger, log_entries(*events)) for events in (with_donor, without)]
    assert dated_rows(ledgers[0]) == dated_rows(ledgers[1])
    assert {row["email_hash"] for row in ledgers[1].all(donation_ledger.DONATIONS)} == {None}


def entry_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["kind"], row["source_id"], row["part"], row["amount"], int(row["occurred_at"].timestamp())


def dated_rows(rows: MemoryRows) -> list[Any]:
    """Return everything in a ledger that may not depend on the order in which the facts arrived."""
    columns = ("status", "pending", "paid", "refunded", "disputed", "dispute_status", "paid_at", "refunded_at")
    donations = [[row[name] for name in columns] for row in rows.all(donation_ledger.DONATIONS)]
    totals = [[row[name] for name in TOTAL_COLUMNS] for row in rows.all(donation_ledger.TOTALS)]
    return [sorted(map(entry_of, rows.all(donation_ledger.ENTRIES))), donations, totals]


def assert_the_ledger_agrees(rows: MemoryRows) -> None:
    entries = rows.all(donation_ledger.ENTRIES)
    for donation in rows.all(donation_ledger.DONATIONS):
        for kind in donation_ledger.SUM_COLUMNS:
            assert sum(entry["amount"] for entry in entries if entry["kind"] == kind) == donation[kind]
        paid = [entry["occurred_at"] for entry in entries if entry["kind"] == "paid"]
        assert donation["paid_at"] == min(paid, default=None)
    for total in rows.all(donation_ledger.TOTALS):
        for kind in donation_ledger.SUM_COLUMNS:
            assert sum(entry["amount"] for entry in entries if entry["kind"] == kind) == total[kind]


def test_the_first_capture_of_a_ticket_moves_to_a_later_time_with_its_donation(ledger):
    ticket = ledger.ticket()
    delayed, other, yen = ledger.payment(ticket), ledger.payment(ticket), ledger.payment(ticket, currency="jpy")

    def first_captures() -> dict[str, int]:
        with ledger.service.database.reading() as cursor:
            totals = donation_ledger.totals(cursor, ticket)
        return {total["currency"]: int(total["first_paid_at"].timestamp()) for total in totals}

    ledger.take(delayed.came_late(), delayed.charged(DAY + 60, created=DAY - 100))
    ledger.take(other.completed(DAY + 20), yen.completed(DAY - 200))
    assert first_captures() == {"JPY": DAY - 200, "USD": DAY - 100}
    ledger.take(delayed.chosen_delayed())
    assert first_captures() == {"JPY": DAY - 200, "USD": DAY + 20}
    ledger.take(other.charged(DAY + 20, created=DAY + 10))
    assert first_captures() == {"JPY": DAY - 200, "USD": DAY + 10}
    verified = rebuild.verify(ledger.service.url, projections.BY_NAME[donation_ledger.NAME], lambda *_: None)
    assert verified.differences == []


def test_the_first_capture_follows_a_donation_that_moves_in_one_batch_with_others(ledger):
    ticket = ledger.ticket()
    delayed, other = ledger.payment(ticket), ledger.payment(ticket)
    ledger.take(delayed.came_late(), delayed.charged(DAY + 60, created=DAY - 100))
    ledger.take(delayed.chosen_delayed(), other.completed(DAY + 20))
    with ledger.service.database.reading() as cursor:
        [total] = donation_ledger.totals(cursor, ticket)
    assert int(total["first_paid_at"].timestamp()) == DAY + 20


def test_a_refund_reported_before_its_payment_is_entered_at_once(ledger):
    payment = ledger.payment()
    ledger.take(payment.expired(), payment.refunded(3_000))
    assert ledger.totals(payment.ticket_id) == {"USD": (0, 3_000, -3_000)}
    ledger.take(payment.completed())
    assert ledger.totals(payment.ticket_id) == {"USD": (10_000, 3_000, 7_000)}
    assert ledger.row(payment)["status"] == "PAID"


def test_only_donations_with_a_pending_call_are_found_for_a_retry(ledger):
    payment = Payment(ledger.ticket())
    gift = Donation.request_checkout(SYSTEM, payment.ticket_id, payment.donation_id, Money(1, "USD"), None)
    ledger.service.aggregates.donations.add(gift)
    ledger.payment()
    ledger.follow()
    later = datetime.now(UTC) + timedelta(seconds=5)
    with ledger.service.database.transaction() as cursor:
        pending = donation_ledger.with_pending_calls(cursor, later, 10)
        assert donation_ledger.with_pending_calls(cursor, later - timedelta(hours=1), 10) == []
    assert [row["donation_id"] for row in pending] == [payment.donation_id]


@pytest.mark.parametrize("first", ["usd", "jpy", "eur"])
@pytest.mark.parametrize("earlier", [None, "gbp"], ids=["the earliest second", "a later second"])
def test_currencies_captured_in_the_same_second_are_ordered_by_the_creation_of_their_donations(ledger, first, earlier):
    ticket = ledger.ticket()
    currencies = [first, *sorted({"usd", "jpy", "eur"} - {first}, reverse=True)]
    payments = [ledger.payment(ticket, currency=currency) for currency in currencies]
    ledger.take(*(payment.completed() for payment in reversed(payments)))
    if earlier:
        ledger.take(ledger.payment(ticket, currency=earlier).completed(DAY - 1))
        currencies.insert(0, earlier)
    with ledger.service.database.reading() as cursor:
        totals, _ = donation_ledger.summary(cursor, ticket)
        assert totals == donation_ledger.totals(cursor, ticket)
    ordered = [currency.upper() for currency in currencies]
    assert [total["currency"] for total in totals] == ordered
    recorded, rows = ledger.service.queries.reads().ticket_history(ticket), MemoryRows()
    donation_ledger.fold(recorded, rows)
    row = ticket_row(recorded)
    assert row is not None
    past = past_totals(row, rows, PersonalData(ledger.service.history.cipher), explain=False)
    assert past.currency == ordered[0]
    assert [sums.currency for sums in past.by_currency] == ordered

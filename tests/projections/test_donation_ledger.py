"""The donors' ledger and the fee ledger: entries, lines and totals that cannot disagree, however they were folded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import projections
from adapters.read_models import rebuild
from adapters.read_models.in_memory import MemoryRows, ticket_row
from adapters.stripe_sandbox.simulation import world
from domain.donations import Donation
from domain.events import FeeCharged
from domain.values import SYSTEM, Money, StripeReport
from entrypoints.composition.simulation_runner import SimulationRunner
from entrypoints.presentation.past_ledger import past_totals
from entrypoints.presentation.personal_data import PersonalData
from projections import donation_ledger, fee_ledger
from projections.model import Recorded
from tests.money import Ledger
from tests.stripe_events import Payment

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def test_live_and_rebuilt_ledgers_are_the_same_to_the_byte(service):
    runner = SimulationRunner(service, world.build(5, 40))
    runner.open()
    for number, told in enumerate(runner.world.deliveries(Random(5))):
        runner.deliver(told)
        if number % 20 == 0:
            runner.settle()
    runner.settle()
    for projection in (donation_ledger, fee_ledger):
        verified = rebuild.verify(service.url, projections.BY_NAME[projection.NAME], lambda *_: None)
        assert (verified.differences, verified.rows > 0) == ([], True)


def recorded(*moved: tuple[str, int, int, int]) -> list[Recorded]:
    """One FeeCharged event for each (balance transaction, gross, fee, Stripe's time)."""
    return [
        Recorded(position, NOW + timedelta(seconds=position), fee_charged(position, *balance_transaction))
        for position, balance_transaction in enumerate(moved, 1)
    ]


def fee_charged(version: int, id: str, gross: int, fee: int, at: int) -> FeeCharged:
    fields: dict[str, Any] = {
        "originator_id": NOW_ID,
        "originator_version": version,
        "timestamp": NOW,
        "actor": SYSTEM,
        "ticket_id": NOW_ID,
        "donation_id": NOW_ID,
        "balance_transaction_id": id,
        "source_id": "ch_1",
        "category": "charge",
        "gross": Money(gross, "EUR"),
        "fee": Money(fee, "EUR"),
        "report": StripeReport("evt_1", at),
    }
    return FeeCharged(**fields)


NOW_ID = world.build(1, 1).donations[0].donation_id
MOVES = st.lists(
    st.tuples(st.sampled_from(["txn_1", "txn_2", "txn_3"]), st.just(1_000), st.just(59), st.integers(0, 99)),
    max_size=12,
)


@given(MOVES, st.integers(1, 5))
def test_a_balance_transaction_is_entered_once_and_its_postings_sum_to_zero(moves, page):
    rows, events = MemoryRows(), recorded(*moves)
    for start in range(0, len(events), page):
        fee_ledger.fold(events[start : start + page], rows)
    entries = rows.all(fee_ledger.FEES)
    assert {row["balance_transaction_id"] for row in entries} == {id for id, *_ in moves}
    for row in entries:
        assert sum(amount for _, amount in fee_ledger.postings(row)) == 0
        assert row["occurred_at"] == datetime.fromtimestamp(
            min(at for id, _, _, at in moves if id == row["balance_transaction_id"]), UTC
        )


def test_the_database_itself_refuses_postings_that_do_not_sum_to_zero(ledger):
    payment = ledger.payment()
    ledger.take(payment.completed(), payment.charged(balance_transaction=payment.transaction("1", 10_000, 320)))
    assert [row["net"] for row in ledger.fees(payment)] == [9_680]
    with ledger.service.database.connection() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE read.fee_ledger SET fee = fee + 1")


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_a_ledger_folded_in_one_page_is_the_ledger_folded_in_many(service, seed):
    runner = SimulationRunner(service, world.build(seed, 5, f"pages {seed} {Random().random()}"))
    runner.open()
    for told in runner.world.deliveries(Random(seed)):
        runner.deliver(told)
    service.payments.applier.apply_all()
    ticket = runner.world.donations[0].ticket_id
    history = service.queries.reads().recorded(ticket)
    whole, paged = MemoryRows(), MemoryRows()
    donation_ledger.fold(history, whole)
    for event in history:
        donation_ledger.fold([event], paged)
    for table in donation_ledger.TABLES:
        assert sorted(map(repr, whole.all(table))) == sorted(map(repr, paged.all(table)))


def test_money_that_goes_back_before_it_came_makes_entries_all_the_same(ledger):
    payment = ledger.payment()
    held = payment.refunded(3_000)
    ledger.take(payment.expired(), held)
    assert ledger.totals(payment.ticket_id) == {"USD": (0, 3_000, -3_000)}
    ledger.take(payment.completed())
    assert ledger.totals(payment.ticket_id) == {"USD": (10_000, 3_000, 7_000)}
    assert ledger.row(payment)["status"] == "PAID"


def test_only_donations_with_a_pending_call_are_awaiting(ledger):
    payment = Payment(ledger.ticket())
    gift = Donation.request_checkout(SYSTEM, payment.ticket_id, payment.donation_id, Money(1, "USD"), None)
    ledger.service.aggregates.donations.add(gift)
    ledger.payment()
    ledger.follow()
    later = datetime.now(UTC) + timedelta(seconds=5)
    with ledger.service.database.transaction() as cursor:
        waiting = donation_ledger.awaiting(cursor, later, 10)
        assert donation_ledger.awaiting(cursor, later - timedelta(hours=1), 10) == []
    assert [row["donation_id"] for row in waiting] == [payment.donation_id]


@pytest.mark.parametrize("first", ["usd", "jpy", "eur"])
def test_currencies_captured_in_the_same_second_are_ordered_by_the_creation_of_their_donations(ledger, first):
    ticket = ledger.ticket()
    currencies = [first, *sorted({"usd", "jpy", "eur"} - {first})]
    payments = [ledger.payment(ticket, currency=currency) for currency in currencies]
    ledger.take(*(payment.completed() for payment in reversed(payments)))
    with ledger.service.database.reading() as cursor:
        totals, _ = donation_ledger.summary(cursor, ticket)
        assert totals == donation_ledger.totals(cursor, ticket)
    assert len({total["first_paid_at"] for total in totals}) == 1
    assert totals[0]["currency"] == first.upper()
    recorded, folded = ledger.service.queries.reads().recorded(ticket), MemoryRows()
    donation_ledger.fold(recorded, folded)
    row = ticket_row(recorded)
    assert row is not None
    then = past_totals(row, folded, PersonalData(ledger.service.history.cipher), explain=False)
    assert then.currency == first.upper()

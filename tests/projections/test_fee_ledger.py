"""The fee ledger: one row for each balance transaction, whose postings sum to zero."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.read_models.in_memory import MemoryRows
from domain.events import FeeCharged, TicketEvent
from domain.values import SYSTEM, FeeDetail, Money, StripeReport
from projections import fee_ledger
from tests.domain.facts import TICKET
from tests.fakes.events import log_entries, make_event
from tests.money import Ledger
from tests.stripe_events import event

DONATION = UUID(int=9)
IDS = st.sampled_from(["txn_1", "txn_2", "txn_3"])
STRIPE_TIMES = st.integers(0, 99)


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def fee_charged(version: int, id: str, at: int, **more: Any) -> TicketEvent:
    fields: dict[str, Any] = {
        "actor": SYSTEM,
        "ticket_id": TICKET,
        "donation_id": DONATION,
        "balance_transaction_id": id,
        "source_id": "ch_1",
        "category": "charge",
        "gross": Money(1_000, "EUR"),
        "fee": Money(59, "EUR"),
        "report": StripeReport("evt_1", at),
    }
    return make_event(FeeCharged, DONATION, version, **fields | more)


@given(st.lists(st.tuples(IDS, STRIPE_TIMES), max_size=12), st.integers(1, 5))
def test_a_balance_transaction_is_one_row_with_its_earliest_time_and_postings_that_sum_to_zero(reports, batch_size):
    events = log_entries(*(fee_charged(version, id, at) for version, (id, at) in enumerate(reports, 1)))
    rows = MemoryRows()
    for start in range(0, len(events), batch_size):
        fee_ledger.fold(events[start : start + batch_size], rows)
    fee_rows = {row["balance_transaction_id"]: row for row in rows.all(fee_ledger.FEES)}
    assert fee_rows.keys() == {id for id, _ in reports}
    for id, row in fee_rows.items():
        assert sum(change.minor for _, change in fee_ledger.postings(row)) == 0
        assert row["occurred_at"] == datetime.fromtimestamp(min(at for own, at in reports if own == id), UTC)


def disputed(version: int, id: str, gross: int, converted: int, at: int) -> TicketEvent:
    gross_and_fee = {"gross": Money(gross, "EUR"), "fee": Money(0, "EUR")}
    return fee_charged(version, id, at, source_id="dp_1", converted=Money(converted, "USD"), **gross_and_fee)


@pytest.mark.parametrize(
    ("moved", "exchange"),
    [
        ([(-9_200, -10_000)], 0),
        ([(-9_200, -10_000), (9_000, 10_000)], -200),
        ([(-9_200, -10_000), (9_500, 10_000)], 300),
        ([(-9_200, -10_000), (4_500, 5_000)], -100),
        ([(-9_200, -10_000), (9_000, 10_000), (-9_100, -10_000)], -150),
    ],
)
def test_a_dispute_that_came_back_at_another_rate_has_exchange_entries_in_every_order(moved, exchange):
    for order in permutations(range(len(moved))):
        rows = MemoryRows()
        for version, number in enumerate(order, 1):
            gross, converted = moved[number]
            fee_ledger.fold(log_entries(disputed(version, f"txn_{number}", gross, converted, 10 + number)), rows)
        entries = exchange_entries(rows)
        assert sum(entries.values()) == exchange
        assert all(entries.values())
        assert {row["source_id"] for row in rows.all(fee_ledger.FEES)} == {"dp_1"}
        for row in rows.all(fee_ledger.FEES):
            assert sum(change.minor for _, change in fee_ledger.postings(row)) == 0


def exchange_entries(rows: MemoryRows) -> dict[int, int]:
    """Return the exchange entries by their time."""
    fee_rows = rows.all(fee_ledger.FEES)
    return {int(row["occurred_at"].timestamp()): row["exchange"] for row in fee_rows if row["exchange"]}


def test_a_later_movement_of_a_dispute_leaves_the_earlier_exchange_entries_as_they_are():
    rows = MemoryRows()
    entries = []
    moved = [(-9_200, -10_000), (4_500, 5_000), (4_400, 5_000), (-9_100, -10_000)]
    for number, (gross, converted) in enumerate(moved):
        fee_ledger.fold(log_entries(disputed(number + 1, f"txn_{number}", gross, converted, 10 + number)), rows)
        entries.append(exchange_entries(rows))
    assert entries == [{}, {11: -100}, {11: -100, 12: -200}, {11: -100, 12: -200, 13: 50}]


def test_an_exchange_entry_of_an_earlier_batch_moves_with_its_movement(ledger):
    payment = ledger.payment()
    dispute = payment.dispute("won", (-9_200, 9_000, -9_100))
    for transaction in dispute["balance_transactions"]:
        transaction["currency"] = "eur"
        transaction["exchange_rate"] = abs(transaction["amount"]) / 10_000
    last, back, left = reversed(dispute["balance_transactions"])
    ledger.take(payment.completed())
    for transactions in ([left], [back], [last], [back | {"created": left["created"] - 9}]):
        ledger.take(event("charge.dispute.funds_reinstated", dispute | {"balance_transactions": transactions}))
    fees = ledger.fees(payment)
    assert {row["balance_transaction_id"]: row["exchange"] for row in fees if row["exchange"]} == {
        f"exchange:{left['id']}": -200,
        f"exchange:{last['id']}": 50,
    }


def test_a_later_report_adds_the_exchange_rate_and_the_parts_of_the_fee():
    details = (FeeDetail("stripe_fee", Money(59, "EUR")),)
    reports = [fee_charged(1, "txn_1", 5), fee_charged(2, "txn_1", 9, exchange_rate="0.92", fee_details=details)]
    rows = MemoryRows()
    fee_ledger.fold(log_entries(*reports), rows)
    [row] = rows.all(fee_ledger.FEES)
    assert (row["exchange_rate"], row["fee_details"]) == ("0.92", [{"type": "stripe_fee", "minor": 59}])
    assert (row["occurred_at"], row["position"]) == (datetime.fromtimestamp(5, UTC), 2)


def test_the_database_refuses_postings_that_do_not_sum_to_zero(ledger):
    payment = ledger.payment()
    ledger.take(payment.completed(), payment.charged(balance_transaction=payment.transaction("1", 10_000, 320)))
    assert [row["net"] for row in ledger.fees(payment)] == [9_680]
    with ledger.service.database.connection() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE read.fee_ledger SET fee = fee + 1")

"""The fee ledger: one row for each balance transaction, whose postings sum to zero."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.read_models.in_memory import MemoryRows
from domain.events import FeeCharged, TicketEvent
from domain.values import SYSTEM, Money, StripeReport
from projections import fee_ledger
from tests.domain.facts import TICKET
from tests.fakes.events import log_entries, make_event
from tests.money import Ledger

DONATION = UUID(int=9)
IDS = st.sampled_from(["txn_1", "txn_2", "txn_3"])
STRIPE_TIMES = st.integers(0, 99)


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def fee_charged(version: int, id: str, at: int) -> TicketEvent:
    return make_event(
        FeeCharged,
        DONATION,
        version,
        actor=SYSTEM,
        ticket_id=TICKET,
        donation_id=DONATION,
        balance_transaction_id=id,
        source_id="ch_1",
        category="charge",
        gross=Money(1_000, "EUR"),
        fee=Money(59, "EUR"),
        report=StripeReport("evt_1", at),
    )


@given(st.lists(st.tuples(IDS, STRIPE_TIMES), max_size=12), st.integers(1, 5))
def test_a_balance_transaction_is_one_row_with_its_earliest_time_and_postings_that_sum_to_zero(reports, batch_size):
    events = log_entries(*(fee_charged(version, id, at) for version, (id, at) in enumerate(reports, 1)))
    rows = MemoryRows()
    for start in range(0, len(events), batch_size):
        fee_ledger.fold(events[start : start + batch_size], rows)
    fee_rows = {row["balance_transaction_id"]: row for row in rows.all(fee_ledger.FEES)}
    assert fee_rows.keys() == {id for id, _ in reports}
    for id, row in fee_rows.items():
        assert sum(amount for _, amount in fee_ledger.postings(row)) == 0
        assert row["occurred_at"] == datetime.fromtimestamp(min(at for own, at in reports if own == id), UTC)


def test_the_database_refuses_postings_that_do_not_sum_to_zero(ledger):
    payment = ledger.payment()
    ledger.take(payment.completed(), payment.charged(balance_transaction=payment.transaction("1", 10_000, 320)))
    assert [row["net"] for row in ledger.fees(payment)] == [9_680]
    with ledger.service.database.connection() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE read.fee_ledger SET fee = fee + 1")

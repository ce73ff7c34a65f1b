"""The periods of an export: what is in each adds up to the totals, and nothing that happens later changes one."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.read_models.in_memory import MemoryRows
from domain.events import PaymentDelayed, RefundTotalReported
from entrypoints.presentation.past_ledger import past_ledger
from projections import donation_ledger, exports, fee_ledger
from projections.exports import By, Selection
from projections.model import Row
from tests.domain.donation_facts import FACTS, Fact, captured, donation_with, moved_funds, refund, returned
from tests.fakes.events import log_entries

LEDGERS = (donation_ledger, fee_ledger)
STATE = ("status", "paid_at", "refunded_at", "dispute_status")


def recorded(facts: list[Fact]) -> list[Any]:
    events: Any = donation_with(*facts).collect_events()
    return log_entries(*events)


def line(facts: list[Fact], by: By, since: int | None, until: int | None) -> exports.Line:
    """Return the donation with these facts as an export of a period shows it."""
    rows = MemoryRows()
    for ledger in LEDGERS:
        ledger.fold(recorded(facts), rows)
    [donation] = rows.all(donation_ledger.DONATIONS)
    bounds = [None if at is None else datetime.fromtimestamp(at, UTC) for at in (since, until)]
    selection = Selection(by, None, None, *bounds)
    return exports.in_period(donation, rows.all(donation_ledger.ENTRIES), rows.all(fee_ledger.FEES), selection)


def sums(row: Row) -> list[int]:
    return [row[name] for name in donation_ledger.SUM_COLUMNS]


@given(facts=st.lists(FACTS, max_size=10), cuts=st.lists(st.integers(0, 12), max_size=4))
def test_consecutive_periods_add_up_to_the_totals(facts: list[Fact], cuts: list[int]):
    borders = [None, *sorted(set(cuts)), None]
    whole, whole_settlements = line(facts, "moved", None, None)
    months = [line(facts, "moved", *period) for period in pairwise(borders)]
    assert [sum(column) for column in zip(*(sums(row) for row, _ in months), strict=True)] == sums(whole)
    assert sorted(s["balance_transaction_id"] for _, month in months for s in month) == sorted(
        s["balance_transaction_id"] for s in whole_settlements
    )


@given(facts=st.lists(FACTS, max_size=10), at=st.integers(0, 12))
def test_the_periods_until_a_time_add_up_to_the_totals_as_of_that_time(facts: list[Fact], at: int):
    row, _ = line(facts, "moved", None, at + 1)
    past = past_ledger(recorded(facts), datetime.fromtimestamp(at, UTC), None)
    [total] = past.all(donation_ledger.TOTALS) or [dict.fromkeys(donation_ledger.SUM_COLUMNS, 0)]
    assert sums(row) == sums(total)


LATER = st.one_of(
    st.builds(captured, st.just(10_000), st.integers(20, 29), st.sampled_from(["pi", "pi_2"]), charge_id=st.just("ch")),
    st.builds(refund, st.integers(1, 9_000), st.just("succeeded"), st.just("re_3"), st.integers(20, 29)),
    st.builds(returned, st.sampled_from(["re_1", "re_2"]), st.integers(20, 29)),
    st.builds(moved_funds, st.integers(-9_000, 9_000).filter(bool), st.just("txn_3"), st.integers(20, 29)),
)


# These two have no date of their own: they date the capture, or stand in for refunds that were made before them.
UNDATED = (PaymentDelayed, RefundTotalReported)


@given(facts=st.lists(FACTS.filter(lambda fact: fact[0] not in UNDATED), max_size=8), later=st.lists(LATER, max_size=4))
def test_facts_with_a_later_date_change_no_closed_period(facts: list[Fact], later: list[Fact]):
    closed, _ = line(facts, "moved", None, 15)
    now, _ = line([*facts, *later], "moved", None, 15)
    assert [closed[name] for name in STATE] == [now[name] for name in STATE]
    assert sums(closed) == sums(now)

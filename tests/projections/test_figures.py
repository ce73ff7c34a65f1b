"""Figures of consecutive periods, and of campaigns, add up to the totals of the ledgers, to the cent."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.database import Database
from domain.donations import Donation
from domain.events import FeeCharged, PaymentReceived
from domain.values import STRIPE, SYSTEM, Money
from projections import donation_ledger, fee_ledger
from projections.figures import Period, Sums, borders, campaign_sums, period_sums, periods, total
from projections.model import Cursor, fetched_rows
from tests.domain.donation_facts import FACTS, Fact, report, usd
from tests.examples import examples
from tests.projections.conftest import RecordAndFold, opened

STEPS = ("day", "week", "month", "quarter")
BEFORE, AFTER = datetime(1970, 1, 1, tzinfo=UTC), datetime(1971, 1, 1, tzinfo=UTC)


def fee(number: int, category: str, gross: int, fee: int, currency: str, at: int) -> Fact:
    fields = {"balance_transaction_id": f"txn_{number}", "source_id": "ch", "category": category, "created_at": at}
    return FeeCharged, fields | {"gross": Money(gross, currency), "fee": Money(fee, currency), "report": report(99)}


FEES = st.builds(
    fee,
    st.integers(10, 14),
    st.sampled_from(["charge", "fee", "tax", "refund"]),
    st.integers(-900, 900),
    st.integers(0, 90),
    st.sampled_from(["USD", "EUR"]),
    st.integers(1, 9),
)
HISTORY = st.lists(st.lists(FACTS | FEES, max_size=8), min_size=1, max_size=3)


def record_donations(record_and_fold: RecordAndFold, workspace: str, donations: list[list[Fact]]) -> None:
    """Record each donation on a ticket of its own; the second one is in another currency."""
    for number, facts in enumerate(donations):
        ticket, donation_id, currency = uuid4(), uuid4(), ("USD", "EUR")[number % 2]
        record_and_fold(opened(ticket, "x", workspace))
        donation = Donation.request_checkout(SYSTEM, ticket, donation_id, Money(10_000, currency), None)
        for kind, fields in facts:
            own: dict[str, Any] = dict(fields)
            if "balance_transaction_id" in own:
                own["balance_transaction_id"] += donation_id.hex
            if "amount" in own:
                own["amount"] = Money(own["amount"].minor, currency)
            donation.record(STRIPE, kind, **own)
        record_and_fold(*donation.collect_events())


def ledger_totals(cursor: Cursor, workspace: str) -> dict[str, Counter[str]]:
    """Return the totals of the workspace's ledgers in each currency, from their tables."""
    totals: dict[str, Counter[str]] = {}
    joined = "JOIN read.donation_workspaces w USING (ticket_id) WHERE w.workspace = %(workspace)s"
    columns = ("currency", *donation_ledger.SUM_COLUMNS)
    cursor.execute(f"SELECT {', '.join(columns)} FROM read.donation_totals {joined}", {"workspace": workspace})
    for row in fetched_rows(cursor, columns):
        totals.setdefault(row.pop("currency"), Counter()).update(row)
    cursor.execute(
        f"SELECT {', '.join('f.' + name for name in fee_ledger.FEES.columns)} FROM read.fee_ledger f {joined}",
        {"workspace": workspace},
    )
    for row in fetched_rows(cursor, fee_ledger.FEES.columns):
        costs = sum(change.minor for account, change in fee_ledger.postings(row) if account == fee_ledger.COSTS)
        totals.setdefault(row["currency"], Counter()).update({"fees": costs})
    return totals


def as_counter(sums: Sums) -> Counter[str]:
    return Counter({name: getattr(sums, name) for name in (*donation_ledger.SUM_COLUMNS, "fees")})


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@given(donations=HISTORY, cuts=st.lists(st.integers(1, 50), max_size=4))
@examples(15)
def test_consecutive_periods_and_campaigns_add_up_to_the_totals_of_the_ledgers(
    database: Database, record_and_fold: RecordAndFold, donations: list[list[Fact]], cuts: list[int]
):
    workspace = uuid4().hex
    record_donations(record_and_fold, workspace, donations)
    moments = [BEFORE, *(datetime.fromtimestamp(cut, UTC) for cut in sorted(set(cuts))), AFTER]
    with database.reading() as cursor:
        expected = ledger_totals(cursor, workspace)
        divided = [sums for parts in period_sums(cursor, moments, workspace) for sums in parts]
        campaigns = [sums for _, sums in campaign_sums(cursor, [BEFORE, AFTER], workspace)]
        [whole] = period_sums(cursor, [BEFORE, AFTER], workspace)
        joined = [period_sums(cursor, pair, workspace) for pair in pairwise(moments)]
    currencies = {sums.currency for sums in whole}
    for currency in currencies | expected.keys():
        totals = expected.get(currency, Counter())
        for summands in (divided, campaigns, whole, [sums for [parts] in joined for sums in parts]):
            summed = total(summands, currency)
            assert {name: count for name, count in as_counter(summed).items() if count} == {
                name: count for name, count in totals.items() if count
            }
            assert summed.gifts == total(whole, currency).gifts
            assert summed.net == totals["paid"] - totals["refunded"] - totals["disputed"]


@given(
    step=st.sampled_from(STEPS),
    first=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    days=st.integers(0, 900),
    zone=st.sampled_from(["UTC", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "Europe/Berlin"]),
)
def test_the_periods_of_a_time_zone_follow_each_other_without_a_gap(step: Any, first: date, days: int, zone: str):
    whole = Period(first, first + timedelta(days=days))
    divided = periods(step, whole)
    assert (divided[0].first, divided[-1].last) == (whole.first, whole.last)
    assert all(a.last + timedelta(days=1) == b.first for a, b in pairwise(divided))
    moments = borders(divided, ZoneInfo(zone))
    assert len(moments) == len(divided) + 1
    assert [moment.astimezone(UTC) for moment in moments] == sorted({moment.astimezone(UTC) for moment in moments})


def test_weeks_begin_on_monday_and_quarters_in_january():
    whole = Period(date(2026, 1, 1), date(2026, 7, 2))
    assert periods("week", Period(date(2026, 1, 1), date(2026, 1, 12))) == [
        Period(date(2026, 1, 1), date(2026, 1, 4)),
        Period(date(2026, 1, 5), date(2026, 1, 11)),
        Period(date(2026, 1, 12), date(2026, 1, 12)),
    ]
    assert [period.first for period in periods("quarter", whole)] == [
        date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1),
    ]  # fmt: skip
    assert [period.last.day for period in periods("month", whole)] == [31, 28, 31, 30, 31, 30, 2]


def test_a_movement_belongs_to_the_day_of_the_time_zone(database: Database, record_and_fold: RecordAndFold):
    at = int(datetime(2026, 3, 29, 22, 30, tzinfo=UTC).timestamp())  # in Berlin half past midnight
    paid = {"payment_intent_id": "pi", "amount": usd(500), "report": report(at)}
    record_donations(record_and_fold, "ngo", [[(PaymentReceived, paid)]])
    days = periods("day", Period(date(2026, 3, 28), date(2026, 3, 31)))
    with database.reading() as cursor:
        for zone, day in (("UTC", 1), ("Europe/Berlin", 2)):
            sums = period_sums(cursor, borders(days, ZoneInfo(zone)), "ngo")
            assert [[each.paid for each in parts] for parts in sums] == [[500 * (number == day)] for number in range(4)]
        assert period_sums(cursor, borders(days, ZoneInfo("UTC")), "another") == [[], [], [], []]


@pytest.mark.parametrize(("gifts", "paid", "average"), [(0, 0, None), (2, 101, 51), (3, 100, 33), (1, 7, 7)])
def test_the_average_is_rounded_to_the_minor_unit(gifts: int, paid: int, average: int | None):
    assert Sums("USD", gifts, paid).average == average

"""The plan of a refund of all gifts of a ticket is what the gifts themselves decide later."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.database import Database
from domain.commands.refunds import RefundCommands
from domain.donations import Donation
from domain.events import TicketEvent
from domain.ports import Donations, Refunds
from domain.values import STRIPE, SYSTEM
from projections.donation_ledger.gift_sums import refund_plan
from tests.domain.donation_facts import FACTS, Fact, captured, usd
from tests.examples import examples
from tests.projections.conftest import RecordAndFold, opened

NEVER, ALWAYS = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def donated(ticket: UUID, facts: list[Fact]) -> Donation:
    donation = Donation.request_checkout(SYSTEM, ticket, uuid4(), usd(10_000), None)
    for kind, fields in facts:
        own = dict(fields)
        if "balance_transaction_id" in own:
            own["balance_transaction_id"] += donation.donation_id.hex
        donation.record(STRIPE, kind, **own)
    return donation


def outcome(donation: Donation, limit: int | None) -> str:
    """Return what the commands would do with the gift."""
    gift = donation.gift
    if gift.dispute_open:
        return "disputed"
    if gift.refundable <= 0:
        return "nothing_left"
    return "needs_second_person" if limit is not None and gift.paid - gift.disputed > limit else "gifts"


@examples(30)
@given(
    histories=st.lists(st.lists(FACTS, max_size=6).map(lambda facts: [captured(), *facts]), min_size=1, max_size=4),
    limit=st.none() | st.sampled_from([0, 5_000, 9_999, 10_000]),
)
def test_the_plan_of_a_refund_of_all_gifts_is_what_the_gifts_allow(
    database: Database, record_and_fold: RecordAndFold, histories: list[list[Fact]], limit: int | None
):
    ticket = uuid4()
    record_and_fold(opened(ticket, ticket.hex))
    donations = [donated(ticket, facts) for facts in histories]
    for donation in donations:
        record_and_fold(*cast("list[TicketEvent]", list(donation.collect_events())))
    with database.reading() as cursor:
        [plan] = refund_plan(cursor, ticket, {"USD": limit}, NEVER)
        [all_old] = refund_plan(cursor, ticket, {"USD": limit}, ALWAYS)
    outcomes = Counter(outcome(donation, limit) for donation in donations)
    planned = {name: plan[name] for name in ("gifts", "disputed", "needs_second_person", "nothing_left")}
    assert planned == {name: outcomes[name] for name in planned}
    refundable = [donation.gift.net for donation in donations if outcome(donation, limit) == "gifts"]
    assert (plan["minor"], plan["old"], all_old["old"]) == (sum(refundable), 0, len(refundable))


@pytest.mark.parametrize(
    ("limit", "currency", "most"),
    [(None, "USD", None), ("100", "USD", 10_000), ("0.5", "JPY", 0), ("99.999", "USD", 9_999), ("1.5", "KWD", 1_500)],
)
def test_the_most_that_one_person_refunds_is_in_the_minor_unit(limit: str | None, currency: str, most: int | None):
    over = None if limit is None else Decimal(limit)
    commands = RefundCommands(cast("Donations", None), cast("Refunds", None), over)
    assert commands.most_alone(currency) == most

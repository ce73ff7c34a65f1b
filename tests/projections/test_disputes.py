"""The list of disputes says the same whatever order Stripe's reports come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from adapters.read_models.in_memory import folded
from domain.donations import Donation
from domain.events import DisputeClosed, DisputeOpened, TicketEvent
from domain.movements import CLOSED_DISPUTE_STATES, DISPUTE_RANK
from domain.values import STRIPE, SYSTEM
from projections import disputes
from projections.model import Row
from tests.domain.donation_facts import DONATION, TICKET, Fact, captured, moved_funds, report, usd
from tests.fakes.events import log_entries

STATES = st.sampled_from([state for state in DISPUTE_RANK if state])


def dispute(state: str, **fields: Any) -> Fact:
    kind = DisputeClosed if state in CLOSED_DISPUTE_STATES else DisputeOpened
    return kind, {"dispute_id": "dp", "amount": usd(10_000), "state": state, "report": report(30)} | fields


REPORTS = st.builds(
    lambda state, at, due_by, disputed_at, reason, amount: dispute(
        state,
        report=report(at),
        evidence_due_by=due_by,
        disputed_at=disputed_at,
        reason=reason,
        amount=usd(amount),
    ),
    STATES,
    st.integers(20, 40),
    st.none() | st.sampled_from([0, 100, 200]),
    st.none() | st.sampled_from([15, 16]),
    st.none() | st.sampled_from(["fraudulent", "general"]),
    st.sampled_from([5_000, 10_000]),
)
MOVEMENTS = st.builds(moved_funds, st.sampled_from([9_000, -9_000, 4_000]), st.sampled_from(["txn", "txn_2"]))


def recorded(facts: list[Fact], *, reminded: bool = False) -> list[TicketEvent]:
    donation = Donation.request_checkout(SYSTEM, TICKET, DONATION, usd(10_000), None)
    for kind, fields in [captured(), *facts]:
        donation.record(STRIPE, kind, **fields)
    if reminded:
        donation.remind_of_dispute(SYSTEM, "dp", 100)
    return cast("list[TicketEvent]", list(donation.collect_events()))


def rows_after(facts: list[Fact], **more: Any) -> list[Row]:
    rows = folded(disputes, log_entries(*recorded(facts, **more))).all(disputes.DISPUTES)
    return [{name: value for name, value in row.items() if name != "position"} for row in rows]


FACTS = st.lists(REPORTS | MOVEMENTS, max_size=6)


@given(FACTS.flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts))))
def test_every_order_and_every_repetition_gives_the_same_row(histories: tuple[list[Fact], list[Fact]]):
    facts, shuffled = histories
    assert rows_after(facts) == rows_after(shuffled) == rows_after(facts + shuffled)


@given(FACTS)
def test_the_state_is_that_of_the_gift(facts: list[Fact]):
    donation = Donation.request_checkout(SYSTEM, TICKET, DONATION, usd(10_000), None)
    for kind, fields in facts:
        donation.record(STRIPE, kind, **fields)
    state = donation.gift.dispute_state("dp")
    assert [row["state"] for row in rows_after(facts)] == ([] if state is None else [state])


def test_a_report_without_a_deadline_keeps_the_known_one():
    [row] = rows_after([dispute("needs_response", evidence_due_by=100), dispute("under_review", report=report(31))])
    assert (row["state"], row["due_by"]) == ("under_review", datetime.fromtimestamp(100, UTC))


def test_the_deadline_of_a_dispute_comes_before_that_of_the_inquiry():
    facts = [dispute("needs_response", evidence_due_by=100), dispute("warning_needs_response", evidence_due_by=200)]
    [row] = rows_after(facts)
    assert row["due_by"] == datetime.fromtimestamp(100, UTC)


def test_a_bank_that_takes_no_evidence_gives_no_deadline():
    [row] = rows_after([dispute("needs_response", evidence_due_by=0)])
    assert (row["due_seconds"], row["due_by"]) == (0, None)


def test_the_date_is_that_of_the_dispute_and_not_of_a_report_or_a_movement():
    facts = [moved_funds(10_000, moved_at=5), dispute("needs_response", report=report(4), disputed_at=9)]
    [row] = rows_after(facts)
    assert row["opened_at"] == datetime.fromtimestamp(0, UTC) + timedelta(seconds=9)


def test_a_reminder_is_noted_once_and_only_while_an_answer_is_awaited():
    [row] = rows_after([dispute("needs_response", evidence_due_by=100)], reminded=True)
    assert row["reminded"] is True
    [answered] = rows_after([dispute("under_review", evidence_due_by=100)], reminded=True)
    assert answered["reminded"] is False
    donation = Donation.request_checkout(SYSTEM, TICKET, DONATION, usd(10_000), None)
    for event in recorded([dispute("needs_response")], reminded=True)[1:]:
        event.mutate(donation)
    donation.remind_of_dispute(SYSTEM, "dp", 100)
    donation.collect_events()
    before = donation.version
    donation.remind_of_dispute(SYSTEM, "dp", 100)
    assert donation.version == before

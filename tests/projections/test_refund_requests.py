"""The read model of the refunds that were asked for says what each donation says of them."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from adapters.read_models.in_memory import folded
from domain.donations import Donation
from domain.errors import DomainError
from domain.events import TicketEvent
from domain.values import STRIPE, Actor, Money, Role
from projections import refund_requests
from projections.model import Row
from tests.domain.donation_facts import DONATION, TICKET, captured, usd
from tests.fakes.events import log_entries

ASKER, OTHER = (Actor(Role.MEMBER, str(UUID(int=number))) for number in (7, 8))
ACTORS = st.sampled_from((ASKER, OTHER))
IDS = st.sampled_from([UUID(int=number) for number in range(1, 4)])
AMOUNTS = st.none() | st.integers(1, 12_000).map(usd)
ACTS = st.lists(
    st.tuples(st.just("propose_refund"), ACTORS, IDS, AMOUNTS)
    | st.tuples(st.sampled_from(("approve_proposal", "decline_proposal")), ACTORS, IDS, st.none()),
    max_size=12,
)


def paid_donation() -> Donation:
    donation = Donation.request_checkout(STRIPE, TICKET, DONATION, usd(10_000), None)
    kind, fields = captured()
    donation.record(STRIPE, kind, **fields)
    return donation


def recorded(donation: Donation) -> list[TicketEvent]:
    return cast("list[TicketEvent]", list(donation.collect_events()))


def rows_of(events: list[TicketEvent]) -> dict[UUID, Row]:
    tables = folded(refund_requests, log_entries(*events))
    return {row["request_id"]: row for row in tables.all(refund_requests.REFUND_REQUESTS)}


@given(ACTS)
def test_the_list_has_what_each_donation_decided(acts: list[tuple[str, Actor, UUID, Money | None]]):
    donation = paid_donation()
    for act, actor, id, amount in acts:
        fields: tuple[Any, ...] = (id, amount, "Asked for.") if act == "propose_refund" else (id,)
        try:
            getattr(donation, act)(actor, *fields)
        except DomainError:
            continue
    rows = rows_of(recorded(donation))
    assert rows.keys() == donation.proposals.keys()
    for id, proposal in donation.proposals.items():
        row = rows[id]
        assert (row["state"], row["asked_by"], row["reason"]) == (proposal.state, str(proposal.asked_by), "Asked for.")
        assert row["amount"] == (proposal.amount.minor if proposal.amount else None)
        assert (row["decided_by"] is None) == (row["decided_at"] is None) == (row["state"] == "open")


def test_a_decision_on_an_unknown_request_is_ignored():
    donation = paid_donation()
    donation.propose_refund(ASKER, UUID(int=1), None, None)
    donation.decline_proposal(OTHER, UUID(int=1))
    assert rows_of(recorded(donation)[-1:]) == {}

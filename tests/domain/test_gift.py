"""`Gift` depends only on its facts."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.events import DonationEvent, Refunded, RefundFailed
from domain.gift import Gift
from domain.movements import DISPUTE_RANK, REFUND_RANK
from tests.fakes.events import EVENTS, any_event_of

donation_events = st.one_of([any_event_of(kind) for kind in EVENTS if issubclass(kind, DonationEvent)])


@st.composite
def donation_facts(draw: Any) -> DonationEvent:
    """Return any fact about a donation, in a state that Stripe has."""
    fact: Any = draw(donation_events)
    if not hasattr(fact, "state"):
        return cast("DonationEvent", fact)
    ranks = REFUND_RANK if isinstance(fact, Refunded | RefundFailed) else DISPUTE_RANK
    return cast("DonationEvent", replace(fact, state=draw(st.sampled_from(sorted(ranks)))))


@given(st.lists(donation_facts(), max_size=8))
def test_a_fact_that_is_said_to_change_no_entry_changes_none(facts: list[DonationEvent]):
    gift = Gift()
    for fact in facts:
        before = list(gift.entries())
        if not gift.apply(fact):
            assert list(gift.entries()) == before

"""A donor who is forgotten changes no figure, whenever that happens among the facts that Stripe reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.donations import Donation
from domain.events import DonorForgetRequested, DonorForgotten, PaymentConfirmed, PaymentReceived
from domain.gift import Gift
from domain.values import STRIPE, SYSTEM, Donor
from tests.domain.donation_facts import FACTS, Fact, captured, donation_with

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
NAMED = captured(donor=Donor("Hopper", "US", "hash"), charge_id="ch")

many_facts = st.lists(FACTS, max_size=10)
kept_until = st.sampled_from([None, NOW, LATER])


def figures(gift: Gift) -> tuple[Any, ...]:
    money = gift.paid, gift.refunded, gift.disputed, gift.net, gift.refundable
    state = gift.status, gift.pending, gift.paid_at, gift.refunded_at, gift.dispute_status
    return *money, *state, gift.donor.country, gift.session_id, gift.charge_id, *sorted(gift.entries())


def record(donation: Donation, facts: list[Fact]) -> Donation:
    for kind, fields in facts:
        donation.record(STRIPE, kind, **fields)
    return donation


@given(many_facts, many_facts, kept_until)
def test_forgetting_a_donor_changes_no_figure(before: list[Fact], after: list[Fact], until: datetime | None):
    donation = donation_with(*before)
    donation.forget_donor(SYSTEM, until, NOW)
    record(donation, after)
    donation.forget_donor(SYSTEM, None, LATER)
    assert figures(donation.gift) == figures(donation_with(*before, *after).gift)


@given(many_facts, many_facts, kept_until)
def test_nothing_that_is_reported_later_brings_a_donor_back(
    before: list[Fact], after: list[Fact], until: datetime | None
):
    donation = donation_with(*before)
    name = donation.gift.donor.last_name
    donation.forget_donor(SYSTEM, until, NOW)
    record(donation, after)
    kept = name if until == LATER else None
    assert donation.gift.donor == Donor(kept, donation.gift.donor.country, None)
    later_events = donation.collect_events()[len(donation_with(*before).collect_events()) :]
    donors = [event.donor for event in later_events if isinstance(event, PaymentReceived | PaymentConfirmed)]
    assert donors == [Donor(country=donor.country) for donor in donors]


@given(many_facts, kept_until)
def test_a_donation_with_a_forgotten_donor_is_replayed_from_its_events(facts: list[Fact], until: datetime | None):
    donation = donation_with(*facts)
    donation.forget_donor(SYSTEM, until, NOW)
    replayed: Any = None
    for event in donation.collect_events():
        replayed = event.mutate(replayed)
    assert (replayed.gift, replayed.forgotten) == (donation.gift, donation.forgotten)


def test_a_name_is_kept_only_while_the_law_asks_for_it():
    donation = donation_with(NAMED)
    donation.forget_donor(SYSTEM, LATER, NOW)
    donation.forget_donor(SYSTEM, LATER, NOW)
    assert donation.gift.donor == Donor("Hopper", "US", None)
    donation.forget_donor(SYSTEM, LATER, LATER)
    donation.forget_donor(SYSTEM, None, LATER)
    assert donation.gift.donor == Donor(None, "US", None)
    assert [type(event) for event in donation.collect_events()][-2:] == [DonorForgetRequested, DonorForgotten]


def test_a_donor_without_a_name_is_forgotten_at_once():
    donation = donation_with(captured(donor=Donor(None, "US", "hash")))
    donation.forget_donor(SYSTEM, LATER, NOW)
    assert donation.forgotten

"""The same facts make the same gift of a donation, in every order and however often they are reported."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from typing import Any, get_type_hints
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.donations import IDENTIFYING_FIELDS, Donation
from domain.errors import RefusedError
from domain.events import DonationEvent, PaymentConfirmed, PaymentReceived, RefundFailed
from domain.gift import Gift
from domain.values import STRIPE, SYSTEM, Actor, Donor, Role
from tests.domain.donation_facts import (
    DELAYED,
    EXPIRED,
    FACTS,
    LOST_DISPUTE,
    PAID_100,
    REINSTATED,
    WITHDRAWN,
    WON_DISPUTE,
    Fact,
    captured,
    delayed,
    dispute,
    donation_with,
    failed,
    moved_funds,
    refund,
    report,
    returned,
    settled,
    total,
    usd,
)

REQUEST = UUID(int=3)
ADMIN = Actor(Role.ADMIN, "key")


def summary(donation: Donation) -> tuple[Any, ...]:
    return summary_of(donation.gift)


def summary_of(gift: Gift) -> tuple[Any, ...]:
    money = gift.paid, gift.refunded, gift.disputed, gift.net, gift.refundable
    state = gift.status, gift.pending, gift.paid_at, gift.refunded_at, gift.dispute_status
    return *money, *state, gift.donor, gift.session_id, gift.charge_id, *sorted(gift.entries())


@given(st.lists(FACTS, max_size=12), st.randoms(use_true_random=False))
def test_every_order_and_every_repetition_of_the_same_facts_makes_the_same_gift(facts, random):
    shuffled = [*facts, *random.choices(facts, k=len(facts))] if facts else []
    random.shuffle(shuffled)
    assert summary(donation_with(*shuffled)) == summary(donation_with(*facts))


@given(st.lists(FACTS, max_size=12))
def test_a_donation_replayed_from_its_events_is_the_same_donation(facts):
    donation = donation_with(*facts)
    replayed = None
    for event in donation.collect_events():
        replayed = event.mutate(replayed)
    assert replayed is not None
    assert summary(replayed) == summary(donation)


@given(st.lists(FACTS, max_size=12))
def test_facts_that_are_reported_again_are_not_recorded_again(facts):
    donation = donation_with(*facts)
    donation.collect_events()
    for kind, fields in facts:
        donation.record(STRIPE, kind, **fields | {"report": report(fields["report"].at + 1, "another")})
    assert donation.collect_events() == []


@given(st.lists(FACTS, max_size=12))
def test_net_refunded_and_disputed_always_add_up_to_paid(facts):
    gift = donation_with(*facts).gift
    assert gift.net + gift.refunded + gift.disputed == gift.paid


@given(st.lists(FACTS, max_size=12))
def test_the_entries_add_up_to_the_sums_of_the_gift_as_of_every_time(facts):
    gift = donation_with(*facts).gift
    entries = list(gift.entries())
    for at in (*range(12), 100):
        past = gift.as_of(at)
        for kind, amount in (("paid", past.paid), ("refunded", past.refunded), ("disputed", past.disputed)):
            assert sum(entry.amount for entry in entries if entry.kind == kind and entry.at <= at) == amount
        assert past.paid_at == min((e.at for e in entries if e.kind == "paid" and e.at <= at), default=None)
    assert summary_of(gift.as_of(100)) == summary_of(gift)


# Dates.


def dates(*facts: Fact) -> list[tuple[str, int, int]]:
    """Return kind, amount and time of each entry, which are the same in every order of the facts."""
    [listed] = {
        tuple(sorted((entry.kind, entry.amount, entry.at) for entry in donation_with(*order).gift.entries()))
        for order in permutations(facts)
    }
    return list(listed)


def test_a_payment_is_dated_by_its_charge():
    facts = [captured(at=60, session_id="cs"), captured(at=70, charge_id="ch", captured_at=50)]
    assert dates(*facts) == [("paid", 10_000, 50)]


def test_a_delayed_payment_is_dated_by_its_success_and_not_by_the_creation_of_its_charge():
    facts = [DELAYED, captured(at=60, charge_id="py", captured_at=4), captured(at=61, session_id="cs")]
    assert dates(*facts) == [("paid", 10_000, 60)]


def test_a_delayed_payment_is_dated_by_the_balance_transaction_of_its_charge_whatever_reports_say():
    debit = captured(at=4, charge_id="py", captured_at=4)
    for delay in (delayed(3), delayed(9)):
        assert dates(delay, debit, captured(at=61, session_id="cs"), settled("py", 60)) == [("paid", 10_000, 60)]


def test_an_immediate_payment_is_dated_by_its_charge_and_not_by_its_balance_transaction():
    assert dates(captured(at=60, charge_id="ch", captured_at=50), settled("ch", 52)) == [("paid", 10_000, 50)]


def test_money_of_a_dispute_is_dated_by_its_balance_transactions():
    withdrawn = moved_funds(10_000, "txn_out", 80, moved_at=22)
    reinstated = moved_funds(-10_000, "txn_in", 80, moved_at=40)
    # The event about the reinstatement reports the withdrawal again.
    assert dates(withdrawn, reinstated, moved_funds(10_000, "txn_out", 90, moved_at=22)) == [
        ("disputed", -10_000, 40),
        ("disputed", 10_000, 22),
    ]


def test_the_time_of_a_balance_transaction_replaces_the_time_of_an_earlier_report_without_one():
    assert dates(moved_funds(10_000, reported_at=5), moved_funds(10_000, reported_at=90, moved_at=22)) == [
        ("disputed", 10_000, 22)
    ]


def test_disputed_money_converted_at_its_own_rate_replaces_what_was_converted_at_the_rate_of_the_withdrawal():
    # Until 0.1.0 what came back was converted at the rate at which the money had left.
    reports = [moved_funds(-9_500, "txn_in"), moved_funds(-10_000, "txn_in", exchange_rate="0.9")]
    for order in permutations([WITHDRAWN, *reports]):
        assert donation_with(PAID_100, *order).gift.disputed == 0


def test_a_failed_refund_is_two_entries_of_which_the_second_is_dated_by_the_returned_money():
    failure = refund(4_000, "failed", at=20, reported_at=35)
    assert dates(failure) == [("refunded", -4_000, 35), ("refunded", 4_000, 20)]
    assert dates(refund(4_000, reported_at=25), failure, returned("re_1", 30)) == [
        ("refunded", -4_000, 30),
        ("refunded", 4_000, 20),
    ]


def test_a_refund_total_is_dated_by_its_reports_until_its_refunds_are_known():
    totals = [total(3_000, at=21), total(10_000, at=40)]
    assert dates(*totals) == [("refunded", 3_000, 21), ("refunded", 7_000, 40)]
    assert dates(*totals, refund(3_000, at=20)) == [("refunded", 3_000, 20), ("refunded", 7_000, 40)]
    assert dates(*totals, refund(3_000, at=20), refund(7_000, id="re_2", at=39)) == [
        ("refunded", 3_000, 20),
        ("refunded", 7_000, 39),
    ]


@pytest.mark.parametrize(
    ("facts", "refunded_at"),
    [
        ([total(10_000, at=40)], 40),
        ([total(10_000, at=40), refund(10_000, at=20)], 20),
        ([total(10_000, at=40), refund(3_000, at=20)], 40),
        ([refund(10_000, "failed", at=20)], None),
    ],
)
def test_refunded_at_follows_the_refunds_and_else_the_refund_total(facts, refunded_at):
    for order in permutations([PAID_100, *facts]):
        assert donation_with(*order).gift.refunded_at == refunded_at


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([PAID_100, refund(10_000)], ("REFUNDED", 10_000, 0)),
        ([PAID_100, refund(3_000)], ("PAID", 3_000, 7_000)),
        ([PAID_100, refund(3_000), refund(7_000, id="re_2"), refund(7_000, "failed", "re_2")], ("PAID", 3_000, 7_000)),
        ([PAID_100, refund(10_000, "pending"), refund(10_000), refund(10_000, "failed")], ("PAID", 0, 10_000)),
        ([PAID_100, refund(10_000, "canceled"), refund(10_000, "requires_action")], ("PAID", 0, 10_000)),
        ([PAID_100, dispute("needs_response"), WITHDRAWN, WON_DISPUTE, REINSTATED], ("PAID", 0, 10_000)),
        ([PAID_100, dispute("needs_response"), WITHDRAWN, LOST_DISPUTE], ("DISPUTED", 0, 0)),
        ([PAID_100, refund(3_000), WITHDRAWN, LOST_DISPUTE], ("DISPUTED", 3_000, -3_000)),
        ([PAID_100, WITHDRAWN, WON_DISPUTE, moved_funds(-4_000, "txn_in")], ("PAID", 0, 4_000)),
        ([PAID_100, dispute("warning_needs_response"), dispute("warning_closed")], ("PAID", 0, 10_000)),
        ([PAID_100, refund(10_000), dispute("needs_response")], ("DISPUTED", 10_000, 0)),
        ([PAID_100, EXPIRED, failed(), DELAYED], ("PAID", 0, 10_000)),
        ([EXPIRED, failed(), DELAYED], ("EXPIRED", 0, 0)),
        ([failed(), DELAYED], ("FAILED", 0, 0)),
        ([PAID_100, total(4_000)], ("PAID", 4_000, 6_000)),
        ([PAID_100, total(4_000), total(10_000), refund(4_000)], ("REFUNDED", 10_000, 0)),
        ([PAID_100, total(10_000)], ("REFUNDED", 10_000, 0)),
        ([PAID_100, captured(intent="pi_2"), total(10_000)], ("PAID", 10_000, 10_000)),
        ([PAID_100, total(10_000), refund(3_000), refund(7_000, id="re_2")], ("REFUNDED", 10_000, 0)),
        ([PAID_100, total(10_000), refund(3_000), refund(7_000, "failed", "re_2")], ("PAID", 3_000, 7_000)),
    ],
)
def test_status_refunded_and_net_are_the_same_in_every_order_of_the_facts(facts, expected):
    for order in permutations(facts):
        gift = donation_with(*order).gift
        assert (gift.status, gift.refunded, gift.net) == expected


def test_totals_of_two_charges_stand_in_for_the_refunds_of_each():
    facts = [captured(intent="pi"), captured(intent="pi_2"), total(3_000, "ch_2"), refund(5_000)]
    for order in permutations(facts):
        assert donation_with(*order).gift.refunded == 8_000


def test_a_delayed_payment_is_pending_until_it_ends():
    assert donation_with(DELAYED).gift.pending
    assert not donation_with(DELAYED, failed()).gift.pending
    assert not donation_with(DELAYED, captured()).gift.pending


def test_a_payment_was_made_at_the_earliest_time_that_stripe_reports():
    late, early = captured(at=50, session_id="cs"), captured(at=40, charge_id="ch")
    for order in permutations([late, early]):
        assert donation_with(*order).gift.paid_at == 40


def test_only_the_first_capture_of_a_payment_is_money_received():
    donation = donation_with(captured(session_id="cs"), captured(charge_id="ch"))
    new: list[object] = [type(event) for event in donation.collect_events()]
    assert new[1:] == [PaymentReceived, PaymentConfirmed]
    assert donation.gift.paid == 10_000


def test_the_donor_is_taken_from_the_charge_or_else_from_the_checkout():
    session = captured(session_id="cs", donor=Donor("Session", "DE", "hash"))
    charge = captured(charge_id="ch", donor=Donor("Charge", None, None))
    for order in permutations([session, charge]):
        assert donation_with(*order).gift.donor == Donor("Charge", "DE", "hash")


def test_the_donor_is_taken_from_the_earliest_report_of_a_charge_whatever_the_texts_are():
    for earlier, later in permutations(["Adams", "Zuse"]):
        facts = [
            captured(at=60, charge_id="ch", captured_at=50, donor=Donor(earlier)),
            captured(at=70, charge_id="ch", captured_at=50, donor=Donor(later)),
        ]
        for order in permutations(facts):
            gift = donation_with(*order).gift
            assert gift.donor == gift.as_of(50).donor == Donor(earlier)


# Refunds.

request_refund = partial(Donation.request_refund, actor=ADMIN, request_id=REQUEST, reason="asked for")


def test_a_refund_without_an_amount_refunds_everything_that_is_left():
    donation = donation_with(PAID_100, refund(3_000))
    request_refund(donation, amount=None)
    assert donation.gift.requests[REQUEST].amount == 7_000
    assert donation.gift.refundable == 0


TWICE = (captured(charge_id="ch"), captured(intent="pi_2", charge_id="ch_2"))


def requested_parts(donation: Donation) -> dict[str, int]:
    """Return the requested sum of each payment intent."""
    requests = list(donation.gift.requests.values())
    parts = {request.payment_intent_id: request.amount for request in requests}
    assert len(parts) == len(requests)
    return parts


@pytest.mark.parametrize(
    ("facts", "amount", "parts"),
    [
        ((), None, {"pi": 10_000, "pi_2": 10_000}),
        ((), 4_000, {"pi_2": 4_000}),
        ((), 15_000, {"pi_2": 10_000, "pi": 5_000}),
        ((refund(3_000, charge_id="ch_2"),), None, {"pi": 10_000, "pi_2": 7_000}),
        ((refund(3_000, charge_id=None, payment_intent_id="pi"),), None, {"pi": 7_000, "pi_2": 10_000}),
        ((refund(3_000, charge_id="ch_2"),), 8_000, {"pi": 8_000}),
        ((refund(10_000, charge_id="ch_2"), refund(10_000, "failed", charge_id="ch_2")), 12_000, None),
        ((total(2_000, "ch_2"),), None, {"pi": 10_000, "pi_2": 8_000}),
        ((moved_funds(10_000, payment_intent_id="pi_2"), LOST_DISPUTE), None, {"pi": 10_000}),
        ((moved_funds(10_000, payment_intent_id="ch"), LOST_DISPUTE), None, {"pi_2": 10_000}),
    ],
)
def test_a_donation_that_was_paid_twice_is_refunded_payment_by_payment(facts, amount, parts):
    donation = donation_with(*TWICE, *facts)
    ids = request_refund(donation, amount=None if amount is None else usd(amount))
    assert ids[0] == REQUEST
    assert list(donation.gift.requests) == ids
    assert requested_parts(donation) == (parts or {"pi_2": 10_000, "pi": 2_000})
    assert request_refund(donation, amount=None) == ids
    if amount is None:
        assert donation.gift.refundable == 0


@given(
    st.lists(st.tuples(st.sampled_from(["pi", "pi_2", "pi_3"]), st.integers(1, 9_000)), min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from([None, "pi", "pi_2"]), st.integers(1, 3_000)), max_size=4),
    st.data(),
)
def test_no_request_for_a_refund_is_larger_than_what_is_left_of_its_payment(captures, refunds, data):
    facts = [captured(amount, intent=intent) for intent, amount in captures]
    facts += [
        refund(amount, id=f"re_{n}", charge_id=None, payment_intent_id=intent)
        for n, (intent, amount) in enumerate(refunds)
    ]
    donation = donation_with(*facts)
    gift = donation.gift
    if gift.refundable <= 0:
        return
    amount = data.draw(st.integers(1, gift.refundable))
    request_refund(donation, amount=usd(amount))
    parts = requested_parts(donation)
    assert sum(parts.values()) == amount
    for intent, part in parts.items():
        refunded = sum(r.amount for r in gift.refunds.values() if r.payment_intent_id == intent)
        assert 0 < part <= gift.captured[intent].amount - refunded


def test_a_requested_amount_cannot_be_requested_again():
    donation = donation_with(PAID_100)
    request_refund(donation, amount=usd(6_000))
    with pytest.raises(RefusedError):
        request_refund(donation, request_id=UUID(int=9), amount=usd(4_001))
    request_refund(donation, request_id=UUID(int=9), amount=usd(4_000))
    assert donation.gift.refundable == 0


def test_a_repeated_refund_request_records_nothing():
    donation = donation_with(PAID_100)
    request_refund(donation, amount=usd(6_000))
    donation.collect_events()
    request_refund(donation, amount=usd(6_000))
    assert donation.collect_events() == []


def test_a_refund_that_stripe_made_counts_once_and_a_refused_one_does_not_count():
    donation = donation_with(PAID_100)
    request_refund(donation, amount=usd(6_000))
    donation.accept_refund(SYSTEM, REQUEST, "re_1")
    assert donation.gift.refundable == 4_000
    donation.record(STRIPE, refund(6_000)[0], **refund(6_000)[1])
    assert donation.gift.refundable == 4_000
    donation.record(STRIPE, RefundFailed, **refund(6_000, "failed")[1])
    assert donation.gift.refundable == 10_000

    other = donation_with(PAID_100)
    request_refund(other, amount=None)
    other.refuse_refund(SYSTEM, REQUEST, "no")
    assert other.gift.refundable == 10_000


@pytest.mark.parametrize("state", ["needs_response", "under_review"])
def test_no_refund_is_possible_while_a_dispute_is_open(state):
    with pytest.raises(RefusedError):
        request_refund(donation_with(PAID_100, dispute(state)), amount=usd(1))


def test_a_refund_is_possible_during_an_inquiry_and_after_a_won_dispute():
    for donation in (
        donation_with(PAID_100, dispute("warning_needs_response")),
        donation_with(PAID_100, WITHDRAWN, WON_DISPUTE, REINSTATED),
    ):
        request_refund(donation, amount=None)
        assert donation.gift.requests[REQUEST].amount == 10_000


@pytest.mark.parametrize("facts", [(), (failed(),), (PAID_100, refund(10_000)), (PAID_100, WITHDRAWN, LOST_DISPUTE)])
def test_no_refund_is_possible_if_no_money_is_left(facts):
    with pytest.raises(RefusedError):
        request_refund(donation_with(*facts), amount=None)
    with pytest.raises(RefusedError):
        request_refund(donation_with(*facts), amount=usd(1))


def test_every_fact_from_stripe_names_the_fields_that_identify_it():
    reported = {kind for kind in DonationEvent.__subclasses__() if "report" in get_type_hints(kind)}
    assert set(IDENTIFYING_FIELDS) == reported
    for kind, names in IDENTIFYING_FIELDS.items():
        assert set(names) | {"report"} == set(kind.__annotations__) - {"TOPIC"}

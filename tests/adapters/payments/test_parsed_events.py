"""Stripe's events are parsed strictly: an undocumented shape has no effect."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.payments.parsed_events import (
    PARSED_TYPES,
    RETRIEVED_FIELD,
    RETRIEVED_TYPE,
    ParsedEvent,
    object_to_retrieve,
    parse_event,
)
from adapters.payments.stripe_objects import MalformedObject
from domain.events import (
    CheckoutExpired,
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
    FeeCharged,
    PaymentDelayed,
    PaymentFailed,
    PaymentReceived,
    Refunded,
    RefundFailed,
    RefundTotalReported,
)
from domain.values import Donor, FeeDetail, Money
from tests.stripe_events import DAY, Payment, event, thin

PAY = Payment(uuid4())


def parsed_event(stripe_event: dict[str, Any]) -> ParsedEvent:
    parsed = parse_event(stripe_event, lambda email: f"hash of {email}")
    assert parsed is not None
    return parsed


def kinds(stripe_event: dict[str, Any]) -> list[type]:
    return [fact.event_type for fact in parsed_event(stripe_event).facts]


@pytest.mark.parametrize(
    ("stripe_event", "expected"),
    [
        (PAY.completed(), [PaymentReceived]),
        (PAY.chosen_delayed(), [PaymentDelayed]),
        (PAY.came_late(), [PaymentReceived]),
        (event("checkout.session.async_payment_failed", PAY.session(payment_status="unpaid")), [PaymentFailed]),
        (PAY.expired(), [CheckoutExpired]),
        (PAY.succeeded(), [PaymentReceived]),
        (PAY.failed(), [PaymentFailed]),
        (event("payment_intent.processing", PAY.intent(status="processing")), [PaymentDelayed]),
        (event("payment_intent.canceled", PAY.intent(status="canceled")), [PaymentFailed]),
        (PAY.charged(), [PaymentReceived]),
        (event("charge.updated", PAY.charge()), [PaymentReceived]),
        (event("charge.succeeded", PAY.charge(captured=False)), []),
        (PAY.refunded(1), [Refunded]),
        (PAY.refunded(1, "pending"), [Refunded]),
        (PAY.refunded(1, "requires_action", type="refund.updated"), [Refunded]),
        (PAY.refunded(1, "failed", type="refund.failed"), [RefundFailed]),
        (PAY.refunded(1, "canceled", type="charge.refund.updated"), [RefundFailed]),
        (PAY.refund_total(1), [RefundTotalReported]),
        (PAY.disputed(), [DisputeOpened]),
        (PAY.disputed("warning_needs_response"), [DisputeOpened]),
        (PAY.closed("won"), [DisputeClosed]),
        (PAY.closed("warning_closed"), [DisputeClosed]),
    ],
)
def test_each_event_yields_its_facts(stripe_event, expected):
    assert kinds(stripe_event) == expected


@pytest.mark.parametrize("type", ["completed", "expired", "async_payment_failed", "async_payment_succeeded"])
def test_the_checkout_of_a_subscription_states_nothing_about_a_donation(type):
    assert kinds(event(f"checkout.session.{type}", PAY.session(mode="subscription", payment_intent=None))) == []


@pytest.mark.parametrize(
    ("charge", "expected"),
    [
        ({"amount_captured": 6_000, "amount_refunded": 4_000}, []),
        ({"amount_captured": 6_000, "amount_refunded": 6_000}, [2_000]),
        ({"amount_captured": 6_000, "amount_refunded": 1_500}, [1_500]),
        ({"amount_captured": 6_000, "amount_refunded": 10_000, "refunded": True}, [6_000]),
        ({"amount_captured": 6_000, "amount_refunded": 6_000, "refunded": True}, [6_000]),
        ({"amount_captured": 0, "captured": False, "amount_refunded": 10_000, "refunded": True}, []),
        ({"amount_refunded": 10_000, "refunded": True}, [10_000]),
        ({"amount_refunded": 4_000}, [4_000]),
    ],
)
def test_an_authorised_amount_that_was_never_captured_is_no_refund(charge, expected):
    parsed = parsed_event(event("charge.refunded", PAY.charge(**charge)))
    assert [fact.fields["amount"].minor for fact in parsed.facts] == expected


def test_withdrawn_and_reinstated_funds_follow_from_the_balance_transactions():
    facts = [fact for fact in parsed_event(PAY.reinstated(4_000)).facts if fact.event_type is not FeeCharged]
    assert [fact.event_type for fact in facts] == [DisputeClosed, DisputeFundsWithdrawn, DisputeFundsReinstated]
    assert [fact.fields["amount"].minor for fact in facts] == [10_000, 10_000, 4_000]


def moved_by_dispute(*transactions: dict[str, Any], amount: int = 10_000, currency: str = "usd") -> list[int]:
    """Return what each movement of the donor's money withdrew, or reinstated if it is negative."""
    dispute = PAY.dispute("won", amount=amount) | {"balance_transactions": list(transactions), "currency": currency}
    facts = parsed_event(event("charge.dispute.funds_reinstated", dispute)).facts
    moved = [f for f in facts if f.event_type in (DisputeFundsWithdrawn, DisputeFundsReinstated)]
    assert {f.fields["amount"].currency for f in moved} <= {currency.upper()}
    return [f.fields["amount"].minor * (1 if f.event_type is DisputeFundsWithdrawn else -1) for f in moved]


@pytest.mark.parametrize(
    ("withdrawn", "reinstated", "expected"),
    [
        ((-9_000, 0.9), (8_400, 0.84), [10_000, -10_000]),
        ((-9_000, 0.9), (9_700, 0.97), [10_000, -10_000]),
        ((-9_000, 0.9), (4_200, 0.84), [10_000, -5_000]),
        ((-9_000, None), (4_500, None), [10_000, -5_000]),
        ((-15_237, 1.5237), (15_104, 1.51041), [10_000, -10_000]),
    ],
)
def test_a_dispute_of_another_currency_is_converted_at_the_rate_of_each_balance_transaction(
    withdrawn, reinstated, expected
):
    transactions = [
        PAY.moved(str(number), amount, currency="eur", exchange_rate=rate)
        for number, (amount, rate) in enumerate((withdrawn, reinstated))
    ]
    assert moved_by_dispute(*transactions) == expected


@given(
    st.integers(50_000, 10_000_000),
    st.sampled_from(
        [
            ("usd", "eur", 0.9),
            ("jpy", "usd", 0.65),
            ("kwd", "gbp", 0.25),
            ("usd", "jpy", 1.5),
            ("idr", "usd", 0.000_063),
        ]
    ),
    st.floats(0.5, 2),
    st.floats(0.5, 2),
)
def test_a_dispute_that_is_won_in_full_nets_to_zero_whatever_the_rate_did(amount, exchange, out, back):
    currency, settled_currency, rate = exchange
    transactions = []
    for sign, factor in ((-1, out), (1, back)):
        shown_rate = round(rate * factor, 6)
        settled = sign * round(amount * rate * factor)
        transactions.append(PAY.moved(str(sign), settled, currency=settled_currency, exchange_rate=shown_rate))
    assert moved_by_dispute(*transactions, amount=amount, currency=currency) == [amount, -amount]


def test_only_balance_transactions_of_the_dispute_itself_move_donors_money():
    others = [
        PAY.moved(category, -300, reporting_category=category) for category in ("fee", "network_cost", "risk_reserved")
    ]
    assert moved_by_dispute(PAY.moved("1", -10_000), *others) == [10_000]
    assert moved_by_dispute(PAY.moved("1", -10_000, reporting_category=None), PAY.moved("2", 4_000)) == [10_000, -4_000]


def test_the_exchange_rate_and_the_parts_of_the_fee_are_kept():
    parts = [
        {"amount": 300, "currency": "eur", "type": "stripe_fee", "application": None, "description": "Stripe fees"},
        {"amount": 20, "currency": "eur", "type": "tax", "description": "VAT"},
    ]
    transaction = PAY.transaction("1", 9_213, 320, currency="eur", exchange_rate=0.92131, fee_details=parts)
    _, fee = parsed_event(PAY.charged(balance_transaction=transaction)).facts
    assert fee.fields["exchange_rate"] == "0.92131"
    assert fee.fields["fee_details"] == (
        FeeDetail("stripe_fee", Money(300, "EUR")),
        FeeDetail("tax", Money(20, "EUR")),
    )


def test_only_last_name_country_and_a_keyed_hash_of_the_donor_are_read():
    [fact] = parsed_event(PAY.completed()).facts
    assert fact.fields["donor"] == Donor("Hopper", "US", "hash of grace@example.com")
    for details in (None, {}, {"name": "  ", "email": " ", "address": None}, {"address": {"country": "U\u0000"}}):
        [fact] = parsed_event(event("charge.succeeded", PAY.charge(billing_details=details))).facts
        assert fact.fields["donor"] == Donor()


def test_a_name_is_stored_without_unprintable_characters():
    [fact] = parsed_event(
        event("charge.succeeded", PAY.charge(billing_details={"name": "Ada\u0000 Love\u0007lace"}))
    ).facts
    assert fact.fields["donor"].last_name == "lace"


def test_only_our_own_metadata_names_a_donation():
    assert parsed_event(PAY.completed()).named_donation == (PAY.ticket_id, PAY.donation_id)
    for metadata in ({}, {"ticketId": str(PAY.ticket_id)}, {"ticketId": "x", "donationId": "y"}, {"donationId": 5}):
        assert parsed_event(event("payment_intent.succeeded", PAY.intent(metadata=metadata))).named_donation is None
    refund = PAY.refund(1) | {"metadata": PAY.metadata}
    assert parsed_event(event("refund.created", refund)).named_donation is None


def test_an_object_links_objects_of_its_donation_and_never_a_card():
    charge = PAY.charge(
        source={"id": "card_1", "object": "card"}, payment_intent={"id": "pi_x", "object": "payment_intent"}
    )
    assert parsed_event(event("charge.succeeded", charge)).object_ids == (PAY.charge_id, "pi_x")
    assert parsed_event(PAY.refunded(1)).object_ids == (f"re_1{PAY.mark}", PAY.intent_id, PAY.charge_id)


def test_a_balance_transaction_that_is_only_named_is_missing_and_an_expanded_one_is_parsed():
    assert parsed_event(PAY.charged(balance_transaction="txn_1")).missing_ids == ("txn_1",)
    parsed = parsed_event(PAY.charged(balance_transaction=PAY.transaction("1", 10_000, 320)))
    assert parsed.missing_ids == ()
    assert [(f.event_type, f.fields["fee"]) for f in parsed.facts if f.event_type is FeeCharged] == [
        (FeeCharged, Money(320, "USD"))
    ]


@pytest.mark.parametrize(
    "stripe_object", [PAY.session(), PAY.intent(), PAY.charge(), PAY.refund(1), PAY.transaction("1", 5, 1)]
)
def test_a_retrieved_object_yields_the_facts_of_its_state(stripe_object):
    retrieved = {
        "id": "x",
        "object": RETRIEVED_TYPE,
        "type": RETRIEVED_TYPE,
        "created": DAY,
        "data": {"object": stripe_object},
    }
    assert len(parsed_event(retrieved).facts) == 1


def test_a_thin_event_is_parsed_once_its_object_is_retrieved():
    stripe_event = thin("v1.payment_intent.succeeded", PAY.intent_id, "payment_intent")
    assert object_to_retrieve(stripe_event) == PAY.intent_id
    retrieved_event = stripe_event | {RETRIEVED_FIELD: PAY.intent()}
    assert object_to_retrieve(retrieved_event) is None
    [fact] = parsed_event(retrieved_event).facts
    assert (fact.event_type, fact.fields["report"].at) == (PaymentReceived, 1_780_012_800)


def test_a_thin_event_of_an_unknown_type_yields_the_facts_of_its_object():
    assert kinds(thin("v2.core.thing.changed", "re_1", "refund") | {RETRIEVED_FIELD: PAY.refund(5)}) == [Refunded]


def test_an_event_of_another_type_yields_no_facts():
    assert parse_event(event("customer.created", {"id": "cus_1", "object": "customer"}), str) is None
    assert object_to_retrieve(thin("v2.core.account.updated", "acct_1", "v2.core.account")) is None
    assert parse_event(thin("v2.core.account.updated", "acct_1", "v2.core.account"), str) is None


@pytest.mark.parametrize(
    "stripe_event",
    [
        event("refund.created", PAY.charge()),
        event("checkout.session.completed", PAY.intent()),
        event("refund.created", PAY.refund(1) | {"amount": "1"}),
        event("refund.created", PAY.refund(1) | {"amount": 1.0}),
        event("refund.created", PAY.refund(1) | {"amount": True}),
        event("refund.created", PAY.refund(1) | {"amount": -1}),
        event("refund.created", PAY.refund(1) | {"amount": None}),
        event("refund.created", PAY.refund(1) | {"amount": 10**18}),
        event("refund.created", PAY.refund(1) | {"currency": "zzz"}),
        event("refund.created", PAY.refund(1) | {"currency": 5}),
        event("refund.created", PAY.refund(1) | {"status": "perhaps"}),
        event("refund.created", PAY.refund(1) | {"status": []}),
        event("refund.created", PAY.refund(1) | {"id": ""}),
        event("refund.created", PAY.refund(1) | {"id": "re_\u0000"}),
        event("refund.created", PAY.refund(1) | {"charge": 7}),
        event("refund.created", PAY.refund(1) | {"created": "now"}),
        event("checkout.session.completed", PAY.session(payment_intent=None)),
        event("checkout.session.completed", PAY.session(amount_total=None)),
        event("checkout.session.completed", PAY.session(payment_status="maybe")),
        event("checkout.session.completed", PAY.session(customer_details="Ada")),
        event("checkout.session.completed", PAY.session(customer_details={"name": 5})),
        event("checkout.session.completed", PAY.session(customer_details={"address": "here"})),
        event("checkout.session.completed", PAY.session(metadata="x")),
        event("charge.succeeded", PAY.charge(captured="yes")),
        event("charge.refunded", PAY.charge(amount_refunded=None)),
        event("payment_intent.payment_failed", PAY.intent(last_payment_error={"code": {"a": 1}})),
        event("payment_intent.payment_failed", PAY.intent(last_payment_error={"code": "bad\u0000code"})),
        event("charge.dispute.created", PAY.dispute("new_state")),
        event("charge.dispute.funds_withdrawn", PAY.dispute("lost") | {"balance_transactions": None}),
        event("charge.dispute.funds_withdrawn", PAY.dispute("lost") | {"balance_transactions": ["txn_1"]}),
        event("charge.dispute.funds_withdrawn", PAY.dispute("lost", (1,)) | {"amount": None}),
        event("charge.succeeded", PAY.charge(balance_transaction=PAY.transaction("1", 10, 3) | {"net": 8})),
        event("charge.succeeded", PAY.charge(balance_transaction=PAY.transaction("1", 10, 3) | {"fee": "3"})),
        *[
            event("charge.succeeded", PAY.charge(balance_transaction=PAY.transaction("1", 10, 3, **spoilt)))
            for spoilt in (
                {"exchange_rate": "0.9"},
                {"exchange_rate": True},
                {"exchange_rate": 0},
                {"exchange_rate": -0.9},
                {"exchange_rate": 1e300},
                {"fee_details": "none"},
                {"fee_details": [{"amount": "3", "type": "stripe_fee"}]},
                {"fee_details": [{"amount": 3}]},
            )
        ],
        event("refund.created", PAY.refund(1)) | {"data": None},
        event("refund.created", PAY.refund(1)) | {"created": "today"},
    ],
)
def test_a_malformed_event_has_no_effect(stripe_event):
    with pytest.raises(MalformedObject):
        parse_event(stripe_event, str)


@pytest.mark.parametrize(
    ("spoilt", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "not as described"}, "reason"),
        ({"reason": 7}, "reason"),
        ({"evidence_details": {"due_by": "soon"}}, "evidence_due_by"),
        ({"evidence_details": "none"}, "evidence_due_by"),
        ({"created": -1}, "disputed_at"),
    ],
)
def test_an_unusual_field_that_only_describes_a_dispute_does_not_stop_its_money(spoilt: dict[str, Any], field: str):
    dispute = PAY.dispute("lost", (-5_000,)) | {"reason": "general", "created": DAY} | spoilt
    opened, *moved = parsed_event(event("charge.dispute.funds_withdrawn", dispute)).facts
    assert opened.fields[field] is None
    assert DisputeFundsWithdrawn in [fact.event_type for fact in moved]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
STRIPE_OBJECTS = (PAY.session(), PAY.intent(), PAY.charge(), PAY.refund(1), PAY.dispute("lost", (-5, 3)))


@given(st.sampled_from(sorted(PARSED_TYPES)), st.sampled_from(STRIPE_OBJECTS), st.data())
def test_any_event_is_parsed_or_malformed(type, stripe_object, data):
    spoilt = stripe_object | {data.draw(st.sampled_from(sorted(stripe_object))): data.draw(JSON)}
    with suppress(MalformedObject):
        assert parse_event(event(type, spoilt), str) is not None

"""The facts that Stripe reports about one donation, as the applier records them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from domain.donations import Donation
from domain.events import (
    CheckoutExpired,
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
    DonationEvent,
    FeeCharged,
    PaymentDelayed,
    PaymentFailed,
    PaymentReceived,
    Refunded,
    RefundFailed,
    RefundTotalReported,
)
from domain.movements import LIVE_REFUND_STATES
from domain.values import STRIPE, SYSTEM, Donor, Money, StripeReport

TICKET, DONATION = UUID(int=1), UUID(int=2)
Fact = tuple[type[DonationEvent], dict[str, Any]]


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def report(at: int, by: str = "evt") -> StripeReport:
    return StripeReport(by, at)


def captured(amount: int = 10_000, at: int = 10, intent: str = "pi", **more: Any) -> Fact:
    return PaymentReceived, {"payment_intent_id": intent, "amount": usd(amount), "report": report(at), **more}


def refund(
    amount: int, state: str = "succeeded", id: str = "re_1", at: int = 20, reported_at: int | None = None, **more: Any
) -> Fact:
    kind = Refunded if state in LIVE_REFUND_STATES else RefundFailed
    fields = {"refund_id": id, "amount": usd(amount), "state": state, "refunded_at": at, "charge_id": "ch"}
    return kind, fields | {"report": report(at if reported_at is None else reported_at)} | more


def total(amount: int, charge: str = "ch", at: int = 21) -> Fact:
    return RefundTotalReported, {"charge_id": charge, "amount": usd(amount), "report": report(at)}


def returned(refund_id: str, at: int) -> Fact:
    """Return the balance transaction of a failed refund, whose money came back."""
    fields = {"balance_transaction_id": f"txn_{refund_id}", "source_id": refund_id, "category": "refund_failure"}
    return FeeCharged, fields | {"gross": usd(1), "fee": usd(0), "report": report(99), "created_at": at}


def settled(charge_id: str, at: int) -> Fact:
    """Return the balance transaction of a charge, whose money came."""
    fields = {"balance_transaction_id": f"txn_{charge_id}", "source_id": charge_id, "category": "charge"}
    return FeeCharged, fields | {"gross": usd(1), "fee": usd(0), "report": report(99), "created_at": at}


def dispute(state: str) -> Fact:
    kind = DisputeClosed if state in ("won", "lost", "warning_closed") else DisputeOpened
    return kind, {"dispute_id": "dp", "amount": usd(10_000), "state": state, "report": report(30)}


def moved_funds(amount: int, id: str = "txn", reported_at: int = 31, **more: Any) -> Fact:
    kind = DisputeFundsWithdrawn if amount > 0 else DisputeFundsReinstated
    fields = {"dispute_id": "dp", "balance_transaction_id": id, "amount": usd(abs(amount))}
    return kind, fields | {"report": report(reported_at)} | more


def failed(at: int = 5) -> Fact:
    return PaymentFailed, {"object_id": "pi", "reason": "card_declined", "report": report(at)}


def delayed(at: int = 5, id: str = "cs") -> Fact:
    return PaymentDelayed, {"object_id": id, "report": report(at)}


DELAYED = delayed()
PAID_100 = captured()
WITHDRAWN, REINSTATED = moved_funds(10_000, "txn_out"), moved_funds(-10_000, "txn_in")
WON_DISPUTE, LOST_DISPUTE = dispute("won"), dispute("lost")
EXPIRED: Fact = CheckoutExpired, {"session_id": "cs", "report": report(40)}


def donation_with(*facts: Fact) -> Donation:
    donation = Donation.request_checkout(SYSTEM, TICKET, DONATION, usd(10_000), None)
    for kind, fields in facts:
        donation.record(STRIPE, kind, **fields)
    return donation


# Any fact, with times between 1 and 9 for what has a time of its own.
FACTS = st.one_of(
    st.builds(
        captured,
        st.just(10_000),
        st.integers(1, 9),
        st.sampled_from(["pi", "pi_2"]),
        captured_at=st.none() | st.integers(1, 9),
        charge_id=st.sampled_from([None, "ch", "ch_2"]),
        session_id=st.sampled_from([None, "cs"]),
        donor=st.sampled_from([Donor(), Donor("Hopper", "US"), Donor(None, "DE", "hash")]),
    ),
    st.builds(
        refund,
        st.integers(0, 9_000),
        st.sampled_from(["pending", "requires_action", "succeeded", "failed", "canceled"]),
        st.sampled_from(["re_1", "re_2"]),
        st.integers(1, 9),
        st.integers(1, 9),
        charge_id=st.sampled_from([None, "ch", "ch_2"]),
        payment_intent_id=st.sampled_from([None, "pi", "pi_2"]),
    ),
    st.builds(returned, st.sampled_from(["re_1", "re_2"]), st.integers(1, 9)),
    st.builds(settled, st.sampled_from(["ch", "ch_2"]), st.integers(1, 9)),
    st.builds(total, st.integers(0, 10_000), st.sampled_from(["ch", "ch_2"]), st.integers(1, 9)),
    st.sampled_from(["warning_needs_response", "needs_response", "under_review", "won", "lost", "warning_closed"]).map(
        dispute
    ),
    st.builds(
        moved_funds,
        st.integers(-9_000, 9_000).filter(bool),
        st.sampled_from(["txn_1", "txn_2"]),
        st.integers(1, 9),
        moved_at=st.none() | st.integers(1, 9),
        exchange_rate=st.sampled_from([None, "0.9"]),
    ),
    st.builds(failed, st.integers(1, 9)),
    st.builds(delayed, st.integers(1, 9), st.sampled_from(["cs", "pi"])),
    st.just(EXPIRED),
)

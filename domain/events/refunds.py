"""Refunds: those requested here, and those that Stripe reports."""

from __future__ import annotations

from uuid import UUID

from domain.events.donations import DonationEvent
from domain.values import Money, Personal, StripeReport


class RefundRequested(DonationEvent):
    """A refund was requested here; recorded before Stripe is asked, with an idempotency key made of `request_id`.

    `reason` is None for an erased ticket.
    """

    TOPIC = "refund_requested"
    request_id: UUID
    payment_intent_id: str
    amount: Money
    reason: Personal | None = None


class RefundAccepted(DonationEvent):
    """Stripe accepted the request; the state of the refund follows in `Refunded` and `RefundFailed`."""

    TOPIC = "refund_accepted"
    request_id: UUID
    refund_id: str


class RefundRefused(DonationEvent):
    """Stripe refused the request for good."""

    TOPIC = "refund_refused"
    request_id: UUID
    reason: str


class Refunded(DonationEvent):
    """A refund in the state `pending`, `requires_action` or `succeeded`; `refunded_at` is when Stripe created it."""

    TOPIC = "refunded"
    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    report: StripeReport
    charge_id: str | None = None


class RefundFailed(DonationEvent):
    """A refund whose money came back to us (`failed`) or never left (`canceled`); both states are final."""

    TOPIC = "refund_failed"
    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    report: StripeReport
    charge_id: str | None = None


class RefundTotalReported(DonationEvent):
    """The sum that Stripe has refunded of a charge so far; it covers refunds that were not reported one by one."""

    TOPIC = "refund_total_reported"
    charge_id: str
    amount: Money
    report: StripeReport

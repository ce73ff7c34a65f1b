"""Checkouts and refunds at Stripe; each call uses an id of ours as its idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.values import Money


@dataclass(frozen=True)
class CheckoutRequest:
    """A donation about to be paid; its donation id is also the idempotency key at Stripe."""

    ticket_id: UUID
    donation_id: UUID
    amount: Money
    description: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True)
class OpenCheckout:
    """The page at Stripe where one donation can be paid until `expires_at`."""

    session_id: str
    url: str
    expires_at: datetime
    livemode: bool


class Checkouts(Protocol):
    def open(self, request: CheckoutRequest) -> OpenCheckout:
        """Return the checkout of the donation: the same for every repetition. UnavailableError if Stripe is away."""


@dataclass(frozen=True)
class RefundOrder:
    """A refund about to be made; its request id is also the idempotency key at Stripe."""

    request_id: UUID
    ticket_id: UUID
    donation_id: UUID
    payment_intent_id: str
    amount: Money


@dataclass(frozen=True)
class RefundTold:
    """A refund in its present state at Stripe; `refunded_at` is Stripe's creation time in Unix seconds."""

    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    charge_id: str | None


class Refunds(Protocol):
    def give_back(self, order: RefundOrder) -> RefundTold:
        """Return the refund of this order: the same for every repetition.

        RefusedError or InvalidError if Stripe refuses it for good, UnavailableError while Stripe is away.
        """

    def find(self, order: RefundOrder, since: datetime) -> RefundTold | None:
        """Return the refund that was made of this order since then, or None if there is none."""

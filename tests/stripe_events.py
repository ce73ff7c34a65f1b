"""Builds Stripe's events with the fields that the tests need, in Stripe's shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

_numbers = count(1)
DAY = 1_780_000_000


def event(type: str, stripe_object: dict[str, Any], at: int = DAY, id: str | None = None) -> dict[str, Any]:
    return {
        "id": id or f"evt_{next(_numbers)}x{uuid4().hex[:8]}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": at,
        "livemode": False,
        "type": type,
        "data": {"object": stripe_object},
    }


def thin(type: str, id: str, kind: str, at: str = "2026-05-29T00:00:00Z") -> dict[str, Any]:
    return {
        "id": f"evt_{next(_numbers)}t{uuid4().hex[:8]}",
        "object": "v2.core.event",
        "type": type,
        "created": at,
        "livemode": False,
        "related_object": {"id": id, "type": kind, "url": f"/v1/x/{id}"},
    }


@dataclass
class Payment:
    """One donation at Stripe: builds its objects and events, with ids of its own."""

    ticket_id: UUID
    amount: int = 10_000
    currency: str = "usd"
    donation_id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self.mark = self.donation_id.hex[:16]
        self.session_id, self.intent_id, self.charge_id = f"cs_{self.mark}", f"pi_{self.mark}", f"ch_{self.mark}"
        self.metadata = {"ticketId": str(self.ticket_id), "donationId": str(self.donation_id)}
        self.details = {"name": "Grace Brewster Hopper", "email": "Grace@Example.com", "address": {"country": "us"}}

    # The checkout.

    def session(self, **more: Any) -> dict[str, Any]:
        return {
            "id": self.session_id,
            "object": "checkout.session",
            "created": DAY,
            "mode": "payment",
            "status": "complete",
            "payment_status": "paid",
            "payment_intent": self.intent_id,
            "amount_total": self.amount,
            "currency": self.currency,
            "livemode": False,
            "customer_details": self.details,
            "metadata": self.metadata,
        } | more

    def intent(self, **more: Any) -> dict[str, Any]:
        return {
            "id": self.intent_id,
            "object": "payment_intent",
            "created": DAY,
            "status": "succeeded",
            "amount": self.amount,
            "amount_received": self.amount,
            "currency": self.currency,
            "latest_charge": self.charge_id,
            "livemode": False,
            "metadata": self.metadata,
        } | more

    def charge(self, **more: Any) -> dict[str, Any]:
        return {
            "id": self.charge_id,
            "object": "charge",
            "created": DAY,
            "status": "succeeded",
            "captured": True,
            "amount": self.amount,
            "amount_captured": self.amount,
            "amount_refunded": 0,
            "balance_transaction": None,
            "currency": self.currency,
            "payment_intent": self.intent_id,
            "livemode": False,
            "billing_details": self.details,
            "metadata": {},
        } | more

    def completed(self, at: int = DAY) -> dict[str, Any]:
        return event("checkout.session.completed", self.session(), at)

    def chosen_delayed(self) -> dict[str, Any]:
        return event("checkout.session.completed", self.session(payment_status="unpaid"))

    def came_late(self) -> dict[str, Any]:
        return event("checkout.session.async_payment_succeeded", self.session(), DAY + 86_400)

    def expired(self) -> dict[str, Any]:
        return event("checkout.session.expired", self.session(status="expired", payment_status="unpaid"))

    def succeeded(self, at: int = DAY) -> dict[str, Any]:
        return event("payment_intent.succeeded", self.intent(), at)

    def failed(self, code: str = "card_declined") -> dict[str, Any]:
        intent = self.intent(status="requires_payment_method", last_payment_error={"code": code}, amount_received=0)
        return event("payment_intent.payment_failed", intent)

    def charged(self, at: int = DAY, **more: Any) -> dict[str, Any]:
        return event("charge.succeeded", self.charge(**more), at)

    # Refunds and disputes.

    def refund(self, amount: int, status: str = "succeeded", number: int = 1, **more: Any) -> dict[str, Any]:
        return {
            "id": f"re_{number}{self.mark}",
            "object": "refund",
            "created": DAY + 60,
            "amount": amount,
            "status": status,
            "currency": self.currency,
            "charge": self.charge_id,
            "payment_intent": self.intent_id,
        } | more

    def refunded(
        self, amount: int, status: str = "succeeded", number: int = 1, type: str = "refund.created"
    ) -> dict[str, Any]:
        return event(type, self.refund(amount, status, number), DAY + 60)

    def refund_total(self, amount: int) -> dict[str, Any]:
        return event("charge.refunded", self.charge(amount_refunded=amount), DAY + 60)

    def dispute(self, status: str, moved: tuple[int, ...] = (), amount: int | None = None) -> dict[str, Any]:
        return {
            "id": f"dp_{self.mark}",
            "object": "dispute",
            "created": DAY + 90,
            "amount": self.amount if amount is None else amount,
            "currency": self.currency,
            "status": status,
            "charge": self.charge_id,
            "payment_intent": self.intent_id,
            "livemode": False,
            "balance_transactions": [
                self.moved(f"{n}d", minor, created=DAY + 91 + 2 * n) for n, minor in enumerate(moved)
            ],
        }

    def moved(self, number: str, amount: int, **more: Any) -> dict[str, Any]:
        """Return the balance transaction of a dispute, which withdraws or reinstates the amount."""
        category = "dispute" if amount < 0 else "dispute_reversal"
        source = {"source": f"dp_{self.mark}", "type": "adjustment", "reporting_category": category}
        return self.transaction(number, amount, **source | more)

    def transaction(self, number: str, amount: int, fee: int = 0, **more: Any) -> dict[str, Any]:
        return {
            "id": f"txn_{number}{self.mark}",
            "object": "balance_transaction",
            "amount": amount,
            "fee": fee,
            "net": amount - fee,
            "currency": self.currency,
            "created": DAY + 5,
            "source": self.charge_id,
            "type": "charge",
            "reporting_category": "charge",
        } | more

    def disputed(self, status: str = "needs_response") -> dict[str, Any]:
        return event("charge.dispute.created", self.dispute(status), DAY + 90)

    def withdrawn(self, amount: int | None = None) -> dict[str, Any]:
        withdrawn = self.amount if amount is None else amount
        return event("charge.dispute.funds_withdrawn", self.dispute("needs_response", (-withdrawn,)), DAY + 91)

    def closed(self, status: str) -> dict[str, Any]:
        return event("charge.dispute.closed", self.dispute(status), DAY + 92)

    def reinstated(self, amount: int | None = None) -> dict[str, Any]:
        reinstated = self.amount if amount is None else amount
        return event("charge.dispute.funds_reinstated", self.dispute("won", (-self.amount, reinstated)), DAY + 93)

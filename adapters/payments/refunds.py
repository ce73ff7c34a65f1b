"""Stripe's refunds behind the port `Refunds`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from adapters.payments.gateway import StripeGateway
from adapters.payments.stripe_objects import REFUND, StripeObject
from domain.ports import RefundOrder, RefundTold

# Where a refund of ours says which request it is the answer to.
REQUEST = "refundRequestId"
CLOCKS_DIFFER = timedelta(hours=1)


class StripeRefunds:
    """Gives back through the gateway; every refund carries the name of its request."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._gateway = gateway

    def give_back(self, order: RefundOrder) -> RefundTold:
        metadata = {
            "ticketId": str(order.ticket_id),
            "donationId": str(order.donation_id),
            REQUEST: str(order.request_id),
        }
        key = f"refund-{order.request_id}"
        return _told(self._gateway.refund(order.payment_intent_id, order.amount, key, metadata))

    def find(self, order: RefundOrder, since: datetime) -> RefundTold | None:
        for refund in self._gateway.objects("re", since - CLOCKS_DIFFER):
            if (refund.get("metadata") or {}).get(REQUEST) == str(order.request_id):
                return _told(refund)
        return None


def _told(data: dict[str, Any]) -> RefundTold:
    refund = StripeObject(data, REFUND)
    return RefundTold(
        refund_id=refund.text("id"),
        amount=refund.money("amount"),
        state=refund.optional("status") or "pending",
        refunded_at=refund.integer("created"),
        charge_id=refund.reference("charge"),
    )

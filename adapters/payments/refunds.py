"""Implements the port `Refunds` with Stripe."""

from datetime import datetime

from adapters.payments.gateway import MAX_CLOCK_DIFFERENCE, StripeGateway
from adapters.payments.stripe_objects import REFUND, StripeDict, StripeObject
from domain.ports import RefundOrder, ReportedRefund

# The metadata field of a refund that names our request for it.
REQUEST_FIELD = "refundRequestId"


class StripeRefunds:
    """Makes refunds through the gateway; the metadata of every refund names its request."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._gateway = gateway

    def create(self, order: RefundOrder) -> ReportedRefund:
        metadata = {
            "ticketId": str(order.ticket_id),
            "donationId": str(order.donation_id),
            REQUEST_FIELD: str(order.request_id),
        }
        key = f"refund-{order.request_id}"
        return _reported_refund(self._gateway.refund(order.payment_intent_id, order.amount, key, metadata))

    def find(self, order: RefundOrder, since: datetime) -> ReportedRefund | None:
        for refund in self._gateway.objects("re", since - MAX_CLOCK_DIFFERENCE):
            if (refund.get("metadata") or {}).get(REQUEST_FIELD) == str(order.request_id):
                return _reported_refund(refund)
        return None


def _reported_refund(data: StripeDict) -> ReportedRefund:
    refund = StripeObject(data, REFUND)
    return ReportedRefund(
        refund_id=refund.text("id"),
        amount=refund.money("amount"),
        state=refund.optional_text("status") or "pending",
        refunded_at=refund.integer("created"),
        charge_id=refund.reference("charge"),
    )

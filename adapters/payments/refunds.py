"""Stripe's refunds, as the port `Refunds`."""

from datetime import datetime, timedelta

from adapters.payments.gateway import StripeGateway
from adapters.payments.stripe_objects import REFUND, StripeObject
from domain.ports import RefundOrder, ReportedRefund

# The metadata field of a refund that names our request for it.
REQUEST = "refundRequestId"
CLOCKS_DIFFER = timedelta(hours=1)


class StripeRefunds:
    """Refunds through the gateway; the metadata of every refund names its request."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._gateway = gateway

    def create(self, order: RefundOrder) -> ReportedRefund:
        metadata = {
            "ticketId": str(order.ticket_id),
            "donationId": str(order.donation_id),
            REQUEST: str(order.request_id),
        }
        key = f"refund-{order.request_id}"
        return _reported_refund(self._gateway.refund(order.payment_intent_id, order.amount, key, metadata))

    def find(self, order: RefundOrder, since: datetime) -> ReportedRefund | None:
        for refund in self._gateway.objects("re", since - CLOCKS_DIFFER):
            if (refund.get("metadata") or {}).get(REQUEST) == str(order.request_id):
                return _reported_refund(refund)
        return None


def _reported_refund(data: dict[str, object]) -> ReportedRefund:
    refund = StripeObject(data, REFUND)
    return ReportedRefund(
        refund_id=refund.text("id"),
        amount=refund.money("amount"),
        state=refund.optional("status") or "pending",
        refunded_at=refund.integer("created"),
        charge_id=refund.reference("charge"),
    )

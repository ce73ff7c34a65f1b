"""Events of refunds of all gifts of a ticket in one act."""

from uuid import UUID

from domain.events.base import TicketEvent
from domain.values import Personal


class RefundAllRequested(TicketEvent):
    """All gifts of the suspended page are to be refunded; each refund is requested by the same actor."""

    TOPIC = "refund_all_requested"
    run_id: UUID
    reason: Personal

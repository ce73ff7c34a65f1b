"""Events of refunds that one person asks for and another one approves."""

from uuid import UUID

from domain.events.base import DonationEvent
from domain.values import Money, Personal


class RefundProposed(DonationEvent):
    """Somebody asks for a refund of `amount`, or of all that is left; `reason` is None for an erased ticket."""

    TOPIC = "refund_proposed"
    proposal_id: UUID
    amount: Money | None = None
    reason: Personal | None = None


class RefundProposalApproved(DonationEvent):
    """Another person approved the refund, which is then requested."""

    TOPIC = "refund_proposal_approved"
    proposal_id: UUID


class RefundProposalDeclined(DonationEvent):
    TOPIC = "refund_proposal_declined"
    proposal_id: UUID

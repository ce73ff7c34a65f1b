"""Refunds of one donation that somebody asked for and another person approves or declines."""

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from domain import events
from domain.values import Actor, Money

MOST_PROPOSALS = 50


class ProposalState(StrEnum):
    """Whether another person decided, and how."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(frozen=True)
class RefundProposal:
    """A refund that was asked for; without an amount, of all that is left then."""

    id: UUID
    asked_by: Actor
    amount: Money | None
    reason: str | None
    state: ProposalState = ProposalState.OPEN


Proposals = dict[UUID, RefundProposal]


def proposals_after(proposals: Proposals, event: events.DonationEvent) -> Proposals:
    match event:
        case events.RefundProposed(proposal_id=id):
            return proposals | {id: RefundProposal(id, event.actor, event.amount, event.reason)}
        case events.RefundProposalApproved(proposal_id=id):
            return proposals | {id: replace(proposals[id], state=ProposalState.APPROVED)}
        case events.RefundProposalDeclined(proposal_id=id):
            return proposals | {id: replace(proposals[id], state=ProposalState.DECLINED)}
        case _:
            return proposals

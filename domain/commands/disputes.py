"""Commands about disputes, which only the organisation can answer, at the payment service."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.members import MemberRole
from domain.ports import Donations, Mail, Tickets, Workspaces
from domain.values import SYSTEM, Money

_MANAGERS = frozenset({MemberRole.OWNER, MemberRole.ADMIN})


@dataclass(frozen=True)
class DueDispute:
    """A dispute that has to be answered by a time."""

    ticket_id: UUID
    donation_id: UUID
    dispute_id: str
    amount: Money
    due_by: datetime


@dataclass(frozen=True)
class DisputeCommands:
    """`desk_url` is where members work, which the mails name."""

    tickets: Tickets
    donations: Donations
    workspaces: Workspaces
    desk_url: str

    def remind(self, dispute: DueDispute) -> None:
        """Send a mail to each owner and admin of the workspace, once for each dispute, unless it is answered."""
        workspace = self.workspaces.get(self.tickets.get(dispute.ticket_id).workspace)
        # Nothing of the story and of the donor, because mails are not sealed on their way.
        values = {
            "amount": f"{dispute.amount.major} {dispute.amount.currency}",
            "due": dispute.due_by.isoformat(),
            "page": f"{self.desk_url}/disputes",
        }
        key = f"dispute_due:{dispute.dispute_id}"
        mails = [
            Mail("dispute_due", member.email, {**values, "name": member.name or ""}, f"{key}:{member.id}", None)
            for member in workspace.members()
            if member.role in _MANAGERS
        ]
        if mails:
            due_by = int(dispute.due_by.timestamp())
            self.donations.change(
                dispute.ticket_id,
                dispute.donation_id,
                lambda donation: donation.remind_of_dispute(SYSTEM, dispute.dispute_id, due_by),
                mails,
            )

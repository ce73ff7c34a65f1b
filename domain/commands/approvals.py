"""Commands for the approval of pages, and the rule that no page is public without it where it is needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from domain.consent import Consent
from domain.errors import RefusedError
from domain.ports import Clock, Message, SafetyReviewer, Tickets
from domain.public_material import require_consent
from domain.safety import SafetyReview
from domain.tickets import RecordingTicket
from domain.values import Actor, ConsentScope

T = TypeVar("T")

# Whether a workspace publishes only pages that it has approved.
NeedsApproval = Callable[[str], bool]


@dataclass(frozen=True)
class ApprovedTickets:
    """The port `Tickets`, in which no change makes public what the ticket's workspace has not approved."""

    store: Tickets
    needs_approval: NeedsApproval

    def add(self, ticket: RecordingTicket) -> None:
        self.store.add(ticket)

    def get(self, ticket_id: UUID) -> RecordingTicket:
        return self.store.get(ticket_id)

    def at(self, ticket_id: UUID, version: int) -> RecordingTicket:
        return self.store.at(ticket_id, version)

    def change(
        self,
        ticket_id: UUID,
        decide: Callable[[RecordingTicket], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        """Load, decide and record; ApprovalNeededError if strangers would see what was not approved."""

        def decide_within_approval(ticket: RecordingTicket) -> T:
            decision = decide(ticket)
            if ticket.lifecycle.published and ticket.pending_events and self.needs_approval(ticket.workspace):
                ticket.require_approval()
            return decision

        return self.store.change(ticket_id, decide_within_approval, if_match, mails)


@dataclass(frozen=True)
class ApprovalCommands:
    tickets: Tickets
    safety: SafetyReviewer
    needs_approval: NeedsApproval
    now: Clock

    def request(
        self, actor: Actor, ticket_id: UUID, *, consent: bool | None = None, if_match: int | None = None
    ) -> None:
        """Ask that the page may be published; RefusedError where nobody has to, `consent` is as for `publish`."""
        if consent is not None:
            require_consent(consent)

        def decide(ticket: RecordingTicket) -> None:
            self._require_needed(ticket)
            ticket.request_publication(actor, consent, self._review(ticket), self.now())

        self.tickets.change(ticket_id, decide, if_match)

    def request_with(self, actor: Actor, ticket_id: UUID, consent: Consent, if_match: int | None = None) -> None:
        """Record the consents and ask that the page may be published with exactly these, in one step."""
        require_consent(ConsentScope.STORY in consent.scopes)

        def decide(ticket: RecordingTicket) -> None:
            self._require_needed(ticket)
            ticket.request_publication_with(actor, consent, self._review(ticket), self.now())

        self.tickets.change(ticket_id, decide, if_match)

    def approve(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        """Allow to publish the page as it was when that was asked for; RefusedError if it has changed since."""
        self.tickets.change(ticket_id, lambda ticket: ticket.approve(actor), if_match)

    def request_changes(self, actor: Actor, ticket_id: UUID, note: str, if_match: int | None = None) -> None:
        """Say what is to be changed before the page is approved."""
        self.tickets.change(ticket_id, lambda ticket: ticket.request_changes(actor, note), if_match)

    def _require_needed(self, ticket: RecordingTicket) -> None:
        if not self.needs_approval(ticket.workspace):
            raise RefusedError("Pages of this workspace need no approval. Publish it.")

    def _review(self, ticket: RecordingTicket) -> SafetyReview:
        return self.safety.review(ticket.draft, ticket.display_name)

"""Commands for the words that donors leave with their gifts."""

from dataclasses import dataclass
from uuid import UUID

from domain.ports import Donations
from domain.values import Actor


@dataclass(frozen=True)
class DonorWordsCommands:
    donations: Donations

    def hide(self, actor: Actor, ticket_id: UUID, donation_id: UUID, *, hidden: bool) -> None:
        """Keep a donor's name and words off the page of the story, or show them again; the gift itself stays."""
        self.donations.change(ticket_id, donation_id, lambda donation: donation.hide_words(actor, hidden=hidden))

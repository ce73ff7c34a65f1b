"""The letterhead of all mails: who sends them, who reads the answers, and who runs the service."""

from dataclasses import dataclass, replace
from typing import Self

from domain.organisations import Organisation


@dataclass(frozen=True)
class Letterhead:
    """Without `answers_to`, answers go to the sender.

    A mail about a ticket also names the organisation that runs its workspace.
    """

    sender: str
    answers_to: str | None = None
    operator: str | None = None
    organisation: str | None = None

    def of(self, organisation: Organisation) -> Self:
        """Return the letterhead of mails about the tickets of this organisation."""
        return replace(
            self,
            organisation=organisation.legal_name,
            answers_to=organisation.reply_to or self.answers_to,
        )

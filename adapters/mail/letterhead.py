"""The letterhead of all mails: who sends them, who reads the answers, and who runs the service."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from domain.organisations import WorkspaceSettings


@dataclass(frozen=True)
class Letterhead:
    """Without `answers_to`, answers go to the sender.

    A mail about a ticket also names the organisation that runs its workspace, and is in the workspace's `language` if
    that of its reader is not known.
    """

    sender: str
    answers_to: str | None = None
    operator: str | None = None
    organisation: str | None = None
    language: str | None = None

    def of(self, settings: WorkspaceSettings) -> Self:
        """Return the letterhead of mails about the tickets of a workspace with these settings."""
        organisation = settings.organisation
        return replace(
            self,
            organisation=organisation.legal_name,
            answers_to=organisation.reply_to or self.answers_to,
            language=settings.language,
        )

    def known_language(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the values of a message with the language of its reader, or else that of the workspace."""
        return {**values, "language": values.get("language") or self.language or ""}

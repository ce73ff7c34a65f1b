"""The command that numbers receipts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.donations import Donation
from domain.organisations import WorkspaceSettings
from domain.ports import Donations, ReceiptNumbers, SettingsReader
from domain.values import Actor


@dataclass(frozen=True)
class ReceiptCommands:
    donations: Donations
    settings: SettingsReader
    numbers: ReceiptNumbers

    def issue(
        self, actor: Actor, workspace: str, ticket_id: UUID, donation_id: UUID, *, dated: datetime
    ) -> tuple[Donation, WorkspaceSettings]:
        """Return the donation whose receipt is made, and the settings of who makes it.

        The first receipt of a donation gets a number of its year if the workspace names its organisation. RefusedError
        if the donation was not paid.
        """
        donation = self.donations.get(ticket_id, donation_id)
        donation.require_paid()
        settings = self.settings.settings(workspace)
        if donation.receipt_number is not None or settings.organisation.legal_name is None:
            return donation, settings
        year = dated.astimezone(UTC).year

        def decide(loaded: Donation) -> Donation:
            if loaded.receipt_number is None:
                loaded.number_receipt(actor, workspace, self.numbers.next(workspace, year))
            return loaded

        with self.numbers.turn():
            return self.donations.change(ticket_id, donation_id, decide), settings

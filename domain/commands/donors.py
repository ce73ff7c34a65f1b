"""Commands that forget donors."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from domain.donations import Donation
from domain.ports import Donations
from domain.values import SYSTEM, Actor


class DonorErasure(Protocol):
    """Removes what is stored of a donor outside of the donation's events; each step may be repeated."""

    def days_kept(self, ticket_id: UUID) -> int | None:
        """Return for how many days after a gift the ticket's workspace must keep the donor's name; None for none."""

    def prepare(self, ticket_id: UUID, donation_id: UUID) -> None:
        """Remove the donor from the webhooks that are still to be applied."""

    def complete(self, donation: Donation) -> None:
        """Remove the rest, after the events were recorded and with them the keys destroyed."""


@dataclass(frozen=True)
class DonorCommands:
    donations: Donations
    erasure: DonorErasure

    def forget(self, actor: Actor, ticket_id: UUID, donation_id: UUID, now: datetime) -> Donation:
        """Forget the donor of a gift; return the donation.

        If the workspace must keep the name of a gift's donor for some days after the payment, the name is kept until
        then, and all else goes at once.
        """
        days = self.erasure.days_kept(ticket_id)
        return self._forget(actor, ticket_id, donation_id, days, now)

    def finish(self, ticket_id: UUID, donation_id: UUID, now: datetime) -> None:
        """Forget the name of a donor, too, when it was kept long enough."""
        self._forget(SYSTEM, ticket_id, donation_id, None, now)

    def _forget(
        self, actor: Actor, ticket_id: UUID, donation_id: UUID, days_kept: int | None, now: datetime
    ) -> Donation:
        self.erasure.prepare(ticket_id, donation_id)

        def decide(donation: Donation) -> Donation:
            donation.forget_donor(actor, _kept_until(donation, days_kept), now)
            return donation

        donation = self.donations.change(ticket_id, donation_id, decide)
        self.erasure.complete(donation)
        return donation


def _kept_until(donation: Donation, days: int | None) -> datetime | None:
    paid_at = donation.gift.paid_at
    if days is None or paid_at is None:
        return None
    return datetime.fromtimestamp(paid_at, UTC) + timedelta(days=days)

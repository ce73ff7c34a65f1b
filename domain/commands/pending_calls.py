"""The command that completes calls to Stripe whose results were never recorded, after a crash or an outage."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.commands.checkouts import CheckoutCommands
from domain.commands.refunds import IDEMPOTENCY_KEY_LIFETIME, RefundCommands
from domain.donations import Donation
from domain.errors import InvalidError, RefusedError
from domain.ports import Donations, Tickets
from domain.values import SYSTEM


@dataclass(frozen=True)
class PendingCallCommands:
    tickets: Tickets
    donations: Donations
    checkouts: CheckoutCommands
    refunds: RefundCommands
    page_url: Callable[[str], str]

    def complete(self, ticket_id: UUID, donation_id: UUID, *, pending_since: datetime, now: datetime) -> None:
        """Complete the pending calls of one donation; UnavailableError while Stripe is unavailable."""
        donation = self.donations.get(ticket_id, donation_id)
        with suppress(RefusedError, InvalidError):
            if donation.gift.awaits_checkout:
                self._complete_checkout(donation, pending_since, now)
        for request_id in donation.gift.open_requests:
            with suppress(RefusedError, InvalidError):
                self.refunds.retry(ticket_id, donation_id, request_id, requested_at=pending_since, now=now)

    def _complete_checkout(self, donation: Donation, pending_since: datetime, now: datetime) -> None:
        ticket_id, donation_id = donation.ticket_id, donation.donation_id
        ticket = self.tickets.get(ticket_id)
        if ticket.closes_checkout(donation.ticket_version):
            self.checkouts.close(ticket_id, donation_id, requested_at=pending_since)
        elif now - pending_since > IDEMPOTENCY_KEY_LIFETIME:
            self.donations.change(
                ticket_id, donation_id, lambda donation: donation.refuse_checkout(SYSTEM, "never opened")
            )
        else:
            self.checkouts.complete(SYSTEM, ticket_id, donation_id, self.page_url(ticket.slug))

"""Commands that open a checkout for a donation."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.donations import Donation
from domain.errors import InvalidError, NotFoundError, RefusedError
from domain.ports import CheckoutRequest, Checkouts, Donations, Tickets
from domain.values import CURRENCIES, Actor, Money, decimals


@dataclass(frozen=True)
class Checkout:
    """A page at Stripe where one donation can be paid."""

    donation_id: UUID
    session_id: str
    url: str
    expires_at: datetime


def smallest_amount(currency: str) -> Money:
    return Money.of(100 if decimals(currency) == 0 else 1, currency)


def largest_amount(currency: str) -> Money:
    return Money.of(500_000 if decimals(currency) == 0 else 5_000, currency)


def checked_amount(amount: Money) -> Money:
    """Return the amount if it may be given; InvalidError otherwise."""
    if amount.currency not in CURRENCIES:
        raise InvalidError("is not a currency that donations can be made in", "/currency")
    smallest, largest = smallest_amount(amount.currency), largest_amount(amount.currency)
    if not smallest.minor <= amount.minor <= largest.minor:
        raise InvalidError(f"must be from {smallest.major} to {largest.major} {amount.currency}", "/amount")
    return amount


@dataclass(frozen=True)
class CheckoutCommands:
    tickets: Tickets
    donations: Donations
    checkouts: Checkouts

    def open(
        self,
        actor: Actor,
        ticket_id: UUID,
        donation_id: UUID,
        amount: Money,
        description: str | None,
        return_url: str,
    ) -> Checkout:
        """Record the donation, then open its checkout at Stripe with the donation id as idempotency key.

        `return_url` is the page that the donor comes back to, paid or not.
        """
        ticket = self.tickets.get(ticket_id)
        if ticket.erased:
            raise NotFoundError("This ticket was erased.")
        # The text is recorded, so that a repeated call to Stripe sends the same one even if the campaign was renamed.
        text = description or (f"Gift: {ticket.draft.title}" if ticket.draft.title else "Gift")
        self.donations.add(Donation.request_checkout(actor, ticket_id, donation_id, checked_amount(amount), text))
        return self.complete(actor, ticket_id, donation_id, return_url)

    def complete(self, actor: Actor, ticket_id: UUID, donation_id: UUID, return_url: str) -> Checkout:
        """Open the checkout of a recorded donation at Stripe.

        A repeated call returns the same checkout as long as Stripe keeps the idempotency key.
        """
        donation = self.donations.get(ticket_id, donation_id)
        request = CheckoutRequest(
            ticket_id,
            donation_id,
            donation.amount,
            donation.description or "Gift",
            return_url=f"{return_url}?thanks&session_id={{CHECKOUT_SESSION_ID}}",
            cancel_url=return_url,
        )
        try:
            checkout = self.checkouts.open(request)
        except (InvalidError, RefusedError) as error:
            reason = str(error)
            self.donations.change(ticket_id, donation_id, lambda donation: donation.refuse_checkout(actor, reason))
            raise
        expires_at = int(checkout.expires_at.timestamp())
        self.donations.change(
            ticket_id,
            donation_id,
            lambda donation: donation.open_checkout(actor, checkout.session_id, expires_at, checkout.livemode),
        )
        return Checkout(donation_id, checkout.session_id, checkout.url, checkout.expires_at)

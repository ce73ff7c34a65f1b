"""Commands that open a checkout for a donation."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec import structs

from domain.commands.tickets import public_draft
from domain.donations import Donation
from domain.errors import FaultCode, InvalidError, NotFoundError, RefusedError
from domain.events import CheckoutExpired
from domain.ports import CheckoutRequest, Checkouts, Clock, Donations, OpenCheckout, SafetyReviewer, Tickets
from domain.values import (
    CURRENCIES,
    STRIPE,
    SYSTEM,
    Actor,
    ConsentScope,
    Draft,
    GiftWords,
    Money,
    StripeReport,
    payable_decimals,
)


@dataclass(frozen=True)
class Checkout:
    """A page at Stripe where one donation can be paid."""

    donation_id: UUID
    session_id: str
    url: str
    expires_at: datetime


def smallest_amount(currency: str) -> Money:
    return Money.of(100 if payable_decimals(currency) == 0 else 1, currency)


def largest_amount(currency: str) -> Money:
    return Money.of(500_000 if payable_decimals(currency) == 0 else 5_000, currency)


def checked_amount(amount: Money) -> Money:
    """Return the amount if it may be given; InvalidError otherwise."""
    if amount.currency not in CURRENCIES:
        raise InvalidError("is not a currency that donations can be made in", "/currency", FaultCode.UNKNOWN_CURRENCY)
    smallest, largest = smallest_amount(amount.currency), largest_amount(amount.currency)
    if not smallest.minor <= amount.minor <= largest.minor:
        detail = f"must be from {smallest.major} to {largest.major} {amount.currency}"
        raise InvalidError(detail, "/amount", FaultCode.OUT_OF_RANGE)
    amount.require_payable()
    return amount


@dataclass(frozen=True)
class CheckoutCommands:
    tickets: Tickets
    donations: Donations
    checkouts: Checkouts
    safety: SafetyReviewer
    now: Clock

    def open(
        self,
        actor: Actor,
        ticket_id: UUID,
        donation_id: UUID,
        amount: Money,
        description: str | None,
        return_url: str,
        *,
        published: bool = False,
        words: GiftWords = GiftWords(),  # noqa: B008
    ) -> Checkout:
        """Record the donation, then open its checkout at Stripe with the donation id as idempotency key.

        `return_url` is the page that the donor comes back to, paid or not. With `published` only a published ticket
        gets a checkout. `words` are what the donor leaves with the gift.
        """
        ticket = self.tickets.get(ticket_id)
        ticket.require_open(published=published)
        now = self.now()
        if published and ConsentScope.STORY not in ticket.shown_scopes(now):
            raise NotFoundError("This page is not published.")
        # Donors agree to show their own name; other names in their words are found.
        if words.shown and self.safety.review(Draft(title=words.name, story=words.message), words.name).findings:
            # Nobody decides on the findings in a stranger's words, so they are for the holder alone.
            words = structs.replace(words, shown=False)
        # The text is recorded, so that a repeated call to Stripe sends the same one even if the campaign was renamed.
        title = None if description else public_draft(ticket, self.safety, now).title
        text = description or (f"Gift: {title}" if title else "Gift")
        self.donations.add(
            Donation.request_checkout(
                actor, ticket_id, donation_id, checked_amount(amount), text, ticket.version, words
            )
        )
        return self.complete(actor, ticket_id, donation_id, return_url)

    def complete(self, actor: Actor, ticket_id: UUID, donation_id: UUID, return_url: str) -> Checkout:
        """Open the checkout of a recorded donation at Stripe.

        A repeated call returns the same checkout as long as Stripe keeps the idempotency key. RefusedError or
        NotFoundError if the ticket no longer allows the checkout, which is then expired.
        """
        donation = self.donations.get(ticket_id, donation_id)
        request = CheckoutRequest(
            ticket_id,
            donation_id,
            donation.amount,
            donation.description or "Gift",
            return_url=f"{return_url}?thanks&session_id={{CHECKOUT_SESSION_ID}}",
            cancel_url=f"{return_url}?cancelled",
        )
        try:
            checkout = self.checkouts.open(request)
        except (InvalidError, RefusedError) as error:
            reason = str(error)
            self.donations.change(ticket_id, donation_id, lambda donation: donation.refuse_checkout(actor, reason))
            raise
        self._record_opened(actor, donation, checkout)
        self.tickets.get(ticket_id).require_checkout_open(donation.ticket_version)
        return Checkout(donation_id, checkout.session_id, checkout.url, checkout.expires_at)

    def close(self, ticket_id: UUID, donation_id: UUID, *, requested_at: datetime) -> None:
        """End the request for a checkout whose ticket no longer allows it, and whose answer from Stripe was lost.

        If Stripe opened the checkout, it is recorded, and thereby expired.
        """
        checkout = self.checkouts.find(donation_id, requested_at)
        if checkout is not None:
            self._record_opened(SYSTEM, self.donations.get(ticket_id, donation_id), checkout)
        else:
            self.donations.change(
                ticket_id, donation_id, lambda donation: donation.refuse_checkout(SYSTEM, "never opened")
            )

    def expire(self, ticket_id: UUID, donation_id: UUID, session_id: str, now: datetime) -> None:
        """End an open checkout at Stripe, unless it is paid or has expired; UnavailableError while Stripe is away."""
        if not self.donations.get(ticket_id, donation_id).is_payable:
            return
        with suppress(NotFoundError):
            if self.checkouts.expire(session_id):
                report = StripeReport(session_id, int(now.timestamp()))
                self.donations.change(
                    ticket_id,
                    donation_id,
                    lambda donation: donation.record(STRIPE, CheckoutExpired, session_id=session_id, report=report),
                )

    def _record_opened(self, actor: Actor, donation: Donation, checkout: OpenCheckout) -> None:
        """Record the checkout; if its ticket no longer allows it, this also requests its end at Stripe."""
        expires_at = int(checkout.expires_at.timestamp())
        self.donations.change(
            donation.ticket_id,
            donation.donation_id,
            lambda donation: donation.open_checkout(actor, checkout.session_id, expires_at, checkout.livemode),
        )

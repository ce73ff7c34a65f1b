"""A donation from the checkout to its payment. Each donation has a stream of its own."""

from __future__ import annotations

from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.events.base import TicketEvent
from domain.values import Donor, Money, Personal, StripeReport


class DonationEvent(TicketEvent):
    """One fact about one donation under a ticket."""

    ticket_id: UUID
    donation_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id


class CheckoutRequested(DonationEvent, AggregateCreated):
    """A donor wants to give; recorded before Stripe is asked for a checkout."""

    TOPIC = "checkout_requested"
    amount: Money
    description: Personal | None = None


class CheckoutOpened(DonationEvent):
    TOPIC = "checkout_opened"
    session_id: str
    expires_at: int
    livemode: bool


class CheckoutRefused(DonationEvent):
    """Stripe refused for good to open a checkout for this donation."""

    TOPIC = "checkout_refused"
    reason: str


class CheckoutExpired(DonationEvent):
    TOPIC = "checkout_expired"
    session_id: str
    report: StripeReport


class PaymentDelayed(DonationEvent):
    """The donor chose a payment method that takes days; the payment is still open."""

    TOPIC = "payment_delayed"
    object_id: str
    report: StripeReport


class PaymentReceived(DonationEvent):
    """Money was captured; `amount` is the gross amount of this payment intent."""

    TOPIC = "payment_received"
    payment_intent_id: str
    amount: Money
    report: StripeReport
    session_id: str | None = None
    charge_id: str | None = None
    donor: Donor = Donor()


class PaymentConfirmed(DonationEvent):
    """Stripe reported a payment again with more about it: an earlier time, a charge, or a donor."""

    TOPIC = "payment_confirmed"
    payment_intent_id: str
    amount: Money
    report: StripeReport
    session_id: str | None = None
    charge_id: str | None = None
    donor: Donor = Donor()


class PaymentFailed(DonationEvent):
    """An attempt to pay failed; another may follow."""

    TOPIC = "payment_failed"
    object_id: str
    reason: str
    report: StripeReport

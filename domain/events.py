"""Everything that can ever happen to a ticket and to the donations under it.

`TOPIC` is the event's name in the database and never changes; classes may move. A new need is a new event or a field
with a default. Texts marked `Personal` are sealed with the ticket's key before they are stored. Ids and times that
come from Stripe stand beside ours: `report` names the Stripe event and its time.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent
from eventsourcing.utils import register_topic

from domain.values import (
    Actor,
    AudioFacts,
    Contact,
    Content,
    DocumentFormat,
    DocumentType,
    Donor,
    Kind,
    Money,
    Personal,
    Sentiment,
    Step,
    StripeReport,
    SupportCategory,
    Urgency,
)


class TicketEvent(AggregateEvent):
    """One fact about one ticket: `actor` did it, the store adds when it was recorded."""

    TOPIC: ClassVar[str]
    actor: Actor

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "TOPIC" in cls.__dict__:
            register_topic(cls.TOPIC, cls)

    @property
    def ticket(self) -> UUID:
        """The ticket this fact belongs to, in whichever of its streams it is kept."""
        return self.originator_id

    def apply(self, aggregate: Any) -> None:
        aggregate.evolve(self)


# The person and their page.


class TicketOpened(TicketEvent, AggregateCreated):
    TOPIC = "ticket_opened"
    workspace: str
    kind: Kind
    slug: str
    contact: Contact
    contact_index: str
    display_name: Personal | None
    token_digest: str


class ContactChanged(TicketEvent):
    TOPIC = "contact_changed"
    contact: Contact
    contact_index: str
    token_digest: str


class DisplayNameChanged(TicketEvent):
    TOPIC = "display_name_changed"
    display_name: Personal | None


class Published(TicketEvent):
    """The person agreed that strangers see the page."""

    TOPIC = "published"


class Unpublished(TicketEvent):
    TOPIC = "unpublished"


class Erased(TicketEvent):
    """The key to everything personal is destroyed; money, structure and proof stay."""

    TOPIC = "erased"


# From a recording to a draft.


class AudioUploaded(TicketEvent):
    TOPIC = "audio_uploaded"
    recording_id: UUID
    content: Content
    facts: AudioFacts
    file_name: Personal | None


class ProcessingRequested(TicketEvent):
    TOPIC = "processing_requested"
    recording_id: UUID


class Transcribed(TicketEvent):
    """`content` is the transcript as JSON, kept in storage."""

    TOPIC = "transcribed"
    recording_id: UUID
    transcription_id: UUID
    content: Content
    language: str | None
    engine: str


class TranscriptionFailed(TicketEvent):
    TOPIC = "transcription_failed"
    recording_id: UUID
    code: str
    message: str
    retryable: bool


class Analysed(TicketEvent):
    TOPIC = "analysed"
    recording_id: UUID
    language: str | None
    sentiment: Sentiment
    urgency: Urgency
    key_points: tuple[Personal, ...]


class DraftProposed(TicketEvent):
    """What was drafted from the recording; fields the person wrote are left out."""

    TOPIC = "draft_proposed"
    recording_id: UUID
    title: Personal | None = None
    story: Personal | None = None
    goal: Money | None = None
    currency: str | None = None
    beneficiary: Personal | None = None
    location: Personal | None = None
    category: Personal | None = None
    breakdown: tuple[Personal, ...] = ()


class DraftingFailed(TicketEvent):
    """Analysing or drafting failed; the transcript stands."""

    TOPIC = "drafting_failed"
    recording_id: UUID
    step: Step
    code: str
    message: str
    retryable: bool


class InfoRequested(TicketEvent):
    """The recording did not say all that a campaign needs; `missing` are the draft's fields."""

    TOPIC = "info_requested"
    missing: tuple[str, ...]


class DraftEdited(TicketEvent):
    """A person wrote: the fields named in `changed` now hold these values, None meaning cleared."""

    TOPIC = "draft_edited"
    changed: tuple[str, ...]
    title: Personal | None = None
    story: Personal | None = None
    goal: Money | None = None
    currency: str | None = None
    beneficiary: Personal | None = None
    location: Personal | None = None
    category: Personal | None = None
    breakdown: tuple[Personal, ...] = ()


class DocumentGenerated(TicketEvent):
    TOPIC = "document_generated"
    document_id: UUID
    type: DocumentType
    format: DocumentFormat
    content: Content
    donation_id: UUID | None = None


# Gifts: each donation has a stream of its own.


class DonationEvent(TicketEvent):
    """One fact about one donation under a ticket."""

    ticket_id: UUID
    donation_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id


class CheckoutRequested(DonationEvent, AggregateCreated):
    """Somebody wants to give; on record before Stripe is asked for a checkout."""

    TOPIC = "checkout_requested"
    amount: Money
    description: Personal | None = None


class CheckoutOpened(DonationEvent):
    TOPIC = "checkout_opened"
    session_id: str
    expires_at: int
    livemode: bool


class CheckoutRefused(DonationEvent):
    """Stripe will not open a checkout for this gift, however often it is asked."""

    TOPIC = "checkout_refused"
    reason: str


class CheckoutExpired(DonationEvent):
    TOPIC = "checkout_expired"
    session_id: str
    report: StripeReport


class PaymentDelayed(DonationEvent):
    """The donor chose a method that takes days; the money may come yet."""

    TOPIC = "payment_delayed"
    object_id: str
    report: StripeReport


class PaymentReceived(DonationEvent):
    """Money was captured: `amount` is the gross of this payment intent."""

    TOPIC = "payment_received"
    payment_intent_id: str
    amount: Money
    report: StripeReport
    session_id: str | None = None
    charge_id: str | None = None
    donor: Donor = Donor()


class PaymentConfirmed(DonationEvent):
    """Stripe spoke of a payment again and told more of it: an earlier time, a charge, a donor."""

    TOPIC = "payment_confirmed"
    payment_intent_id: str
    amount: Money
    report: StripeReport
    session_id: str | None = None
    charge_id: str | None = None
    donor: Donor = Donor()


class PaymentFailed(DonationEvent):
    """An attempt failed; another may follow."""

    TOPIC = "payment_failed"
    object_id: str
    reason: str
    report: StripeReport


class RefundRequested(DonationEvent):
    """We want to give money back; on record before Stripe is asked, under a key made of `request_id`.

    An erased ticket keeps no words, so `reason` is None there.
    """

    TOPIC = "refund_requested"
    request_id: UUID
    payment_intent_id: str
    amount: Money
    reason: Personal | None = None


class RefundAccepted(DonationEvent):
    """Stripe took our request; what becomes of the refund is told by facts of its own."""

    TOPIC = "refund_accepted"
    request_id: UUID
    refund_id: str


class RefundRefused(DonationEvent):
    """Stripe will not give this money back, however often it is asked."""

    TOPIC = "refund_refused"
    request_id: UUID
    reason: str


class Refunded(DonationEvent):
    """A refund that counts while it is `pending`, `requires_action` or `succeeded`; `refunded_at` is Stripe's time."""

    TOPIC = "refunded"
    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    report: StripeReport
    charge_id: str | None = None


class RefundFailed(DonationEvent):
    """The money of this refund came back to us (`failed`) or never left (`canceled`): final."""

    TOPIC = "refund_failed"
    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    report: StripeReport
    charge_id: str | None = None


class RefundTotalReported(DonationEvent):
    """What Stripe says was refunded of a charge so far: stands in for refunds we have not been told of."""

    TOPIC = "refund_total_reported"
    charge_id: str
    amount: Money
    report: StripeReport


class DisputeOpened(DonationEvent):
    """A dispute, or with a `warning_` state only an inquiry, first heard of or moved to a new open state."""

    TOPIC = "dispute_opened"
    dispute_id: str
    amount: Money
    state: str
    report: StripeReport


class DisputeFundsWithdrawn(DonationEvent):
    TOPIC = "dispute_funds_withdrawn"
    dispute_id: str
    balance_transaction_id: str
    amount: Money
    report: StripeReport


class DisputeFundsReinstated(DonationEvent):
    TOPIC = "dispute_funds_reinstated"
    dispute_id: str
    balance_transaction_id: str
    amount: Money
    report: StripeReport


class DisputeClosed(DonationEvent):
    TOPIC = "dispute_closed"
    dispute_id: str
    amount: Money
    state: str
    report: StripeReport


class FeeCharged(DonationEvent):
    """What one balance transaction settled, and the fee Stripe kept of it: never part of what donors see.

    `gross` is signed as Stripe signs it, in the currency of our account there; the balance moved by `gross` less `fee`.
    """

    TOPIC = "fee_charged"
    balance_transaction_id: str
    source_id: str | None
    category: str
    gross: Money
    fee: Money
    report: StripeReport


# Asking for help: each support ticket has a stream of its own.


class SupportEvent(TicketEvent):
    """One fact about one support ticket.

    It belongs to the ticket `ticket_id`, whose key seals its words: the one that it is about, if whoever wrote it was
    known to belong to that; else the support ticket is a ticket of its own, and `ticket_id` its own id.
    """

    ticket_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id


class SupportTicketOpened(SupportEvent, AggregateCreated):
    """Somebody asks for help, `about` a ticket they name, which there may not be or which may not be theirs."""

    TOPIC = "support_ticket_opened"
    category: SupportCategory
    message: Personal
    about: UUID | None = None
    contact: Contact | None = None
    contact_index: str | None = None


class SupportTicketResolved(SupportEvent):
    TOPIC = "support_ticket_resolved"


class SupportTicketErased(SupportEvent):
    """Whoever wrote it was erased: the key to its words is destroyed."""

    TOPIC = "support_ticket_erased"

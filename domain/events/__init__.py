"""The glossary of events: everything that can happen to a ticket, its donations, its support tickets and its workspace.

`TOPIC` is an event's name in the database and never changes; a class may move. A new need is a new event, or a new
field with a default. Texts marked `Personal` are sealed with the ticket's key before they are stored, and those about
a donor with a key of the donation's own (`domain.personal.SealedFor`). An event that
comes from Stripe has Stripe's ids, and in `report` the id and the time of the Stripe event. A movement of money also
has the time of its own Stripe object (`captured_at`, `refunded_at`, `moved_at`, `created_at`) if that was reported.
"""

from uuid import UUID

from domain.events.approval import Approved as Approved
from domain.events.approval import ChangesRequested as ChangesRequested
from domain.events.approval import PublicationRequested as PublicationRequested
from domain.events.base import AggregateCreated as AggregateCreated
from domain.events.base import DonationEvent as DonationEvent
from domain.events.base import TicketEvent as TicketEvent
from domain.events.desk import DeskEvent as DeskEvent
from domain.events.desk import DeskOpened as DeskOpened
from domain.events.desk import DueDateCleared as DueDateCleared
from domain.events.desk import DueDateSet as DueDateSet
from domain.events.desk import DueReminderSent as DueReminderSent
from domain.events.desk import LabelsChanged as LabelsChanged
from domain.events.desk import NoteAdded as NoteAdded
from domain.events.desk import TicketAssigned as TicketAssigned
from domain.events.desk import TicketUnassigned as TicketUnassigned
from domain.events.disputes import DisputeReminderSent as DisputeReminderSent
from domain.events.donors import DonorForgetRequested as DonorForgetRequested
from domain.events.donors import DonorForgotten as DonorForgotten
from domain.events.receipts import ReceiptNumbered as ReceiptNumbered
from domain.events.refund_requests import RefundProposalApproved as RefundProposalApproved
from domain.events.refund_requests import RefundProposalDeclined as RefundProposalDeclined
from domain.events.refund_requests import RefundProposed as RefundProposed
from domain.events.refund_runs import RefundAllRequested as RefundAllRequested
from domain.events.support import SupportAssigned as SupportAssigned
from domain.events.support import SupportAuthorReplied as SupportAuthorReplied
from domain.events.support import SupportEvent as SupportEvent
from domain.events.support import SupportReplied as SupportReplied
from domain.events.support import SupportTicketErased as SupportTicketErased
from domain.events.support import SupportTicketOpened as SupportTicketOpened
from domain.events.support import SupportTicketResolved as SupportTicketResolved
from domain.events.support import SupportUnassigned as SupportUnassigned
from domain.events.workspaces import IntakeChanged as IntakeChanged
from domain.events.workspaces import InvitationRevoked as InvitationRevoked
from domain.events.workspaces import LogoChosen as LogoChosen
from domain.events.workspaces import LogoRemoved as LogoRemoved
from domain.events.workspaces import MemberErased as MemberErased
from domain.events.workspaces import MemberEvent as MemberEvent
from domain.events.workspaces import MemberInvited as MemberInvited
from domain.events.workspaces import MemberJoined as MemberJoined
from domain.events.workspaces import MemberNamed as MemberNamed
from domain.events.workspaces import MemberReindexed as MemberReindexed
from domain.events.workspaces import MemberRemoved as MemberRemoved
from domain.events.workspaces import MemberRoleChanged as MemberRoleChanged
from domain.events.workspaces import OrganisationDescribed as OrganisationDescribed
from domain.events.workspaces import PublishingChanged as PublishingChanged
from domain.events.workspaces import RetentionChanged as RetentionChanged
from domain.events.workspaces import WorkspaceClosed as WorkspaceClosed
from domain.events.workspaces import WorkspaceDefaultsChanged as WorkspaceDefaultsChanged
from domain.events.workspaces import WorkspaceEvent as WorkspaceEvent
from domain.events.workspaces import WorkspaceOpened as WorkspaceOpened
from domain.events.workspaces import WorkspaceRenamed as WorkspaceRenamed
from domain.personal import SharedText
from domain.values import (
    AudioFacts,
    ConsentHow,
    ConsentScope,
    Contact,
    Content,
    DocumentFormat,
    DocumentType,
    Donor,
    FeeDetail,
    FindingDecision,
    FindingKind,
    GiftWords,
    Kind,
    Money,
    OthersDecision,
    Personal,
    Sentiment,
    Source,
    Step,
    StripeReport,
    Urgency,
)

# A ticket and its holder: opening, contact, and name.


class TicketOpened(AggregateCreated):
    """`currency` is that of the workspace at that time; it is None if the workspace had none, and in old events."""

    TOPIC = "ticket_opened"
    originator_topic = "recording_ticket"
    workspace: str
    kind: Kind
    slug: str
    contact: Contact
    contact_index: Personal
    display_name: Personal | None
    token_digest: str
    currency: str | None = None


class ContactChanged(TicketEvent):
    TOPIC = "contact_changed"
    contact: Contact
    contact_index: Personal
    token_digest: str


class ContactReindexed(TicketEvent):
    """The contact is the same; its keyed hash was made anew with another secret."""

    TOPIC = "contact_reindexed"
    contact_index: Personal


class DisplayNameChanged(TicketEvent):
    TOPIC = "display_name_changed"
    display_name: Personal | None


# From a recording to its transcript and analysis.


class AudioUploaded(TicketEvent):
    """A recording was uploaded. It `joins` the earlier ones; in events recorded before that was stored, it replaces
    them.
    """

    TOPIC = "audio_uploaded"
    recording_id: UUID
    content: Content
    facts: AudioFacts
    file_name: Personal | None
    joins: bool = False


class RecordingDeleted(TicketEvent):
    """A recording was deleted with its transcripts; a draft is made of the `remaining` ones."""

    TOPIC = "recording_deleted"
    recording_id: UUID
    remaining: int


class ProcessingRequested(TicketEvent):
    """A draft was asked for, and the work begins with this recording; the system asks for those that follow it."""

    TOPIC = "processing_requested"
    recording_id: UUID


class Transcribed(TicketEvent):
    """`content` names the transcript, which is kept in storage as JSON."""

    TOPIC = "transcribed"
    recording_id: UUID
    transcription_id: UUID
    content: Content
    language: str | None
    engine: str


class TranscriptCorrected(TicketEvent):
    """A person corrected one segment of a recording's transcript, counted from 1, or confirmed it as it is.

    The transcript in storage stays as the recogniser made it. An empty `to_text` leaves the segment out.
    """

    TOPIC = "transcript_corrected"
    recording_id: UUID
    segment: int
    from_text: Personal
    to_text: Personal


class DraftingRequested(TicketEvent):
    """The draft is made of the transcripts that there are, without another transcription.

    A transcript was corrected, a recording was deleted, or the last one that was transcribed has no speech.
    """

    TOPIC = "drafting_requested"
    recording_id: UUID


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


# The draft: proposed from a recording, completed and edited by a person.


class DraftProposed(TicketEvent):
    """A draft was made from the recording; fields that a person wrote are left out.

    `sources` has the places in the transcript, and `engine` names what drafted: "local" for the rules, or a model.
    Events recorded before they were stored have None.
    """

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
    sources: tuple[Source, ...] | None = None
    engine: str | None = None


class DraftingFailed(TicketEvent):
    """Analysing or drafting failed; the transcript remains valid."""

    TOPIC = "drafting_failed"
    recording_id: UUID
    step: Step
    code: str
    message: str
    retryable: bool


class InfoRequested(TicketEvent):
    """The draft lacks fields that its kind of ticket requires; `missing` names them."""

    TOPIC = "info_requested"
    missing: tuple[str, ...]


class DraftEdited(TicketEvent):
    """A person edited the draft: the fields named in `changed` have these values now; None clears a field.

    `sources` has the sources of the sentences that stayed as they were; all others are by the actor.
    """

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
    sources: tuple[Source, ...] = ()


class FindingDecided(TicketEvent):
    """A person decided that a text which may endanger somebody is published, or taken out of the draft.

    `finding_id` and `text` are sealed: a digest of a phone number leads back to the number.
    """

    TOPIC = "finding_decided"
    finding_id: Personal
    kind: FindingKind
    decision: FindingDecision
    text: Personal


# Photos and letters that belong to a story, and the person's voice on the page.


class AttachmentAdded(TicketEvent):
    """A photo or a PDF. A photo was encoded anew without its metadata; `small` is the same photo for small screens."""

    TOPIC = "attachment_added"
    attachment_id: UUID
    content: Content
    media_type: str
    file_name: Personal | None = None
    small: Content | None = None
    width: int | None = None
    height: int | None = None


class AttachmentDeleted(TicketEvent):
    TOPIC = "attachment_deleted"
    attachment_id: UUID


class PictureChosen(TicketEvent):
    """The photo that the public page shows with consent; `content` is its small form.

    `description` is for those who do not see it.
    """

    TOPIC = "picture_chosen"
    attachment_id: UUID
    content: Content
    width: int
    height: int
    description: Personal


class PictureRemoved(TicketEvent):
    TOPIC = "picture_removed"


class VoiceChosen(TicketEvent):
    """The passage of a recording that strangers hear on the public page, with consent; `content` is its sound alone.

    The segments of the transcript are counted from 1. `text` is for those who do not hear. A correction of the
    transcript records the same sound again with its new text.
    """

    TOPIC = "voice_chosen"
    recording_id: UUID
    first_segment: int
    last_segment: int
    start_ms: int
    end_ms: int
    text: Personal
    content: Content
    facts: AudioFacts


class VoiceRemoved(TicketEvent):
    """Nobody hears the passage any more, and its sound was deleted from the storage."""

    TOPIC = "voice_removed"


# What strangers may see of a person, and the page that they see.


class ConsentGiven(TicketEvent):
    """The person agreed that these parts are shown to strangers.

    `text_version` and `language` name the text of ours that was agreed to; None if a client showed its own words. `by`
    names who agreed for the person, or who witnessed it. `looked_by` looked at what the story says of children and
    other people, `others` is what they decided, and `note` says whom they asked. The consent ends by itself at
    `valid_until`, in Unix seconds.
    """

    TOPIC = "consent_given"
    scopes: tuple[ConsentScope, ...]
    how: ConsentHow
    text_version: str | None = None
    language: str | None = None
    by: Personal | None = None
    note: Personal | None = None
    valid_until: int | None = None
    others: OthersDecision | None = None
    looked_by: Personal | None = None


class ConsentWithdrawn(TicketEvent):
    TOPIC = "consent_withdrawn"
    scopes: tuple[ConsentScope, ...]


class Published(TicketEvent):
    """The page became visible to strangers.

    `consent` is True where the holder agreed to that; events recorded before consent was stored have None. `scopes` has
    what earlier consents allow to show; without it, publishing is itself the consent to story, name and place.
    """

    TOPIC = "published"
    consent: bool | None = None
    scopes: tuple[ConsentScope, ...] | None = None


class Unpublished(TicketEvent):
    """The page is no longer visible to strangers; `consent_ended` if only because the time of the consent is over."""

    TOPIC = "unpublished"
    consent_ended: bool = False


class UpdatePosted(TicketEvent):
    """The holder tells those who gave what has happened since."""

    TOPIC = "update_posted"
    update_id: UUID
    text: Personal


class UpdateRemoved(TicketEvent):
    TOPIC = "update_removed"
    update_id: UUID


class DonorsThanked(TicketEvent):
    """The holder thanks those who gave until now and left an address; each gets the same text once."""

    TOPIC = "donors_thanked"
    thanks_id: UUID
    text: Personal


class TicketSuspended(TicketEvent):
    """The operator took the page down; until the ticket is reinstated, nobody sees the page or donates on it."""

    TOPIC = "ticket_suspended"
    reason: Personal


class TicketReinstated(TicketEvent):
    TOPIC = "ticket_reinstated"


# Documents generated from a ticket.


class DocumentGenerated(TicketEvent):
    TOPIC = "document_generated"
    document_id: UUID
    type: DocumentType
    format: DocumentFormat
    content: Content
    donation_id: UUID | None = None


# A donation from the checkout to its payment. Each donation has a stream of its own.


class CheckoutRequested(DonationEvent, AggregateCreated):
    """A donor wants to give; recorded before Stripe is asked for a checkout.

    `ticket_version` is the version of the ticket that allowed it; events recorded before it was stored have None.
    """

    TOPIC = "checkout_requested"
    originator_topic = "donation"
    amount: Money
    description: Personal | None = None
    ticket_version: int | None = None
    words: GiftWords = GiftWords()


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
    captured_at: int | None = None


class PaymentConfirmed(DonationEvent):
    """Stripe reported a payment again with more about it: an earlier time, a charge, or a donor."""

    TOPIC = "payment_confirmed"
    payment_intent_id: str
    amount: Money
    report: StripeReport
    session_id: str | None = None
    charge_id: str | None = None
    donor: Donor = Donor()
    captured_at: int | None = None


class PaymentFailed(DonationEvent):
    """An attempt to pay failed; another may follow."""

    TOPIC = "payment_failed"
    object_id: str
    reason: str
    report: StripeReport


# The words that a donor left, which the person of the story may keep off the page.


class DonorWordsHidden(DonationEvent):
    """The page no longer shows the donor's name and words, though the donor agreed to that."""

    TOPIC = "donor_words_hidden"


class DonorWordsShown(DonationEvent):
    """Words that were hidden are on the page again."""

    TOPIC = "donor_words_shown"


# Refunds: those requested here, and those that Stripe reports.


class RefundRequested(DonationEvent):
    """A refund was requested here; recorded before Stripe is asked, with an idempotency key made of `request_id`.

    `reason` is None for an erased ticket, and for a donor who asked to be forgotten.
    """

    TOPIC = "refund_requested"
    request_id: UUID
    payment_intent_id: str
    amount: Money
    reason: SharedText | None = None


class RefundAccepted(DonationEvent):
    """Stripe accepted the request; the state of the refund follows in `Refunded` and `RefundFailed`."""

    TOPIC = "refund_accepted"
    request_id: UUID
    refund_id: str


class RefundRefused(DonationEvent):
    """Stripe refused the request for good."""

    TOPIC = "refund_refused"
    request_id: UUID
    reason: str


class Refunded(DonationEvent):
    """A refund in the state `pending`, `requires_action` or `succeeded`; `refunded_at` is when Stripe created it."""

    TOPIC = "refunded"
    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    report: StripeReport
    charge_id: str | None = None
    payment_intent_id: str | None = None


class RefundFailed(DonationEvent):
    """A refund whose money came back to us (`failed`) or never left (`canceled`); both states are final."""

    TOPIC = "refund_failed"
    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    report: StripeReport
    charge_id: str | None = None
    payment_intent_id: str | None = None


class RefundTotalReported(DonationEvent):
    """The sum that Stripe has refunded of a charge so far; it covers refunds that were not reported one by one."""

    TOPIC = "refund_total_reported"
    charge_id: str
    amount: Money
    report: StripeReport


# Disputes of a payment, and the money they move.


class DisputeOpened(DonationEvent):
    """A dispute was opened or moved to another open state; with a `warning_` state it is only an inquiry.

    `reason` is Stripe's code. `evidence_due_by` is the last second for evidence, 0 if the bank takes none, and None if
    it is not known. `disputed_at` is when Stripe created the dispute.
    """

    TOPIC = "dispute_opened"
    dispute_id: str
    amount: Money
    state: str
    report: StripeReport
    reason: str | None = None
    evidence_due_by: int | None = None
    disputed_at: int | None = None


class DisputeFundsWithdrawn(DonationEvent):
    """`amount` is in the donation's currency, converted at `exchange_rate` if our account has another one."""

    TOPIC = "dispute_funds_withdrawn"
    dispute_id: str
    balance_transaction_id: str
    amount: Money
    report: StripeReport
    moved_at: int | None = None
    payment_intent_id: str | None = None
    exchange_rate: str | None = None


class DisputeFundsReinstated(DonationEvent):
    """`amount` is in the donation's currency, converted at `exchange_rate` if our account has another one."""

    TOPIC = "dispute_funds_reinstated"
    dispute_id: str
    balance_transaction_id: str
    amount: Money
    report: StripeReport
    moved_at: int | None = None
    payment_intent_id: str | None = None
    exchange_rate: str | None = None


class DisputeClosed(DonationEvent):
    TOPIC = "dispute_closed"
    dispute_id: str
    amount: Money
    state: str
    report: StripeReport
    reason: str | None = None
    evidence_due_by: int | None = None
    disputed_at: int | None = None


# Fees that Stripe charges for a donation.


class FeeCharged(DonationEvent):
    """The gross amount and the fee of one balance transaction; donors never see it.

    Both are in the currency of our account at Stripe and signed as there; the balance changed by `gross` minus `fee`.
    `exchange_rate` is the decimal that turns minor units of the donation's currency into those of our account's.
    `converted` is `gross` in the donation's currency, where a dispute moved money that Stripe exchanged.
    """

    TOPIC = "fee_charged"
    balance_transaction_id: str
    source_id: str | None
    category: str
    gross: Money
    fee: Money
    report: StripeReport
    created_at: int | None = None
    exchange_rate: str | None = None
    fee_details: tuple[FeeDetail, ...] = ()
    converted: Money | None = None


# Erasure: announced after inactivity, and done.


class ErasureAnnounced(TicketEvent):
    """The ticket has been inactive and will be erased unless a person uses it again; times are Unix seconds."""

    TOPIC = "erasure_announced"
    inactive_since: int
    erase_after: int


class Erased(TicketEvent):
    """The key to everything personal is destroyed; money, structure and proof stay."""

    TOPIC = "erased"

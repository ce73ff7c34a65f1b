"""The interfaces that the domain needs from the outside: each has one or two methods, and is named for its purpose."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol, TypeVar
from uuid import UUID

from domain.donations import Donation
from domain.organisations import Logo, ReceiptNumber, RetentionPeriods, WorkspaceSettings
from domain.safety import SafetyReview
from domain.sheets import Sheet
from domain.support import SupportTicket
from domain.tickets import RecordingTicket
from domain.values import Analysis, AudioFacts, Content, DocumentFormat, Draft, Money, Transcript
from domain.workspaces import Workspace

T = TypeVar("T")

# Returns the present time.
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Mail:
    """A mail to one address: `kind` names its text, and `values` fill the text in.

    Only one mail is ever sent for a `key`; keys contain ids, never personal data. A mail about a ticket is sealed with
    that ticket's key while it waits, and is deleted when the ticket is erased.
    """

    kind: str
    to: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    key: str
    ticket_id: UUID | None


@dataclass(frozen=True)
class TextMessage:
    """A text message to one phone number, in E.164; all else is as for a `Mail`."""

    kind: str
    to: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    key: str
    ticket_id: UUID | None


Message = Mail | TextMessage


class TextMessages(Protocol):
    """Sends text messages. One may be sent twice, if the process ends before it is on record that it was sent."""

    def send(self, message_id: str, number: str, text: str) -> None:
        """Hand the message over; UnavailableError if a later attempt may succeed, RefusedError if none can.

        OptedOutError if the person wants no text messages. No error's message has the number or the text.
        """

    def recall(self, message_id: str) -> None:
        """Delete the message if it is still in our own folder; no error if it is not."""


# Returns a context in which so much of a quota is used, bytes or seconds; an error in the block gives it back.
Reserve = Callable[[int], AbstractContextManager[None]]


def unreserved(_: int) -> AbstractContextManager[None]:
    """Use no quota."""
    return nullcontext()


# The stores of aggregates, and of content that is too big for an event.


class Tickets(Protocol):
    def add(self, ticket: RecordingTicket) -> None:
        """Record a new ticket's events; adding the same ticket again changes nothing."""

    def get(self, ticket_id: UUID) -> RecordingTicket:
        """Return the ticket in its present state; NotFoundError if there is none."""

    def at(self, ticket_id: UUID, version: int) -> RecordingTicket:
        """Return the ticket as it was at a version; InvalidError if it has not had this version."""

    def change(
        self,
        ticket_id: UUID,
        decide: Callable[[RecordingTicket], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        """Load the ticket, decide, record the events, and return the result of `decide`.

        `decide` is called again with the newer ticket if another writer was faster; StaleVersionError if `if_match` is
        given and is not the ticket's version. `mails` gets the result of `decide`; its messages are queued with the
        events, and not at all if no event was recorded.
        """


class Donations(Protocol):
    def add(self, donation: Donation) -> None:
        """Record a new donation's events; adding the same donation again changes nothing."""

    def get(self, ticket_id: UUID, donation_id: UUID) -> Donation:
        """Return the donation in its present state; NotFoundError if there is none."""

    def change(
        self, ticket_id: UUID, donation_id: UUID, decide: Callable[[Donation], T], mails: Sequence[Message] = ()
    ) -> T:
        """Load, decide and record, as for tickets; the mails are queued with the events, and not without any."""


class SupportTickets(Protocol):
    def add(self, support: SupportTicket) -> None:
        """Record a new support ticket; adding the same one again changes nothing."""

    def change(
        self,
        support_id: UUID,
        decide: Callable[[SupportTicket], T],
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        """Load, decide and record, as for tickets; NotFoundError if there is no such support ticket."""

    def get(self, support_id: UUID) -> SupportTicket:
        """Return the support ticket in its present state; NotFoundError if there is none."""

    def concerning(self, ticket_id: UUID, contact_indexes: Iterable[str]) -> Sequence[UUID]:
        """Return the support tickets about the ticket, and those from one of these contacts with no other ticket.

        Erased ones are left out. Every support ticket recorded before the call is considered.
        """


class Workspaces(Protocol):
    def get(self, workspace: str) -> Workspace:
        """Return the workspace in its present state; one that nothing was recorded of has no members."""

    def change(
        self,
        workspace: str,
        decide: Callable[[Workspace], T],
        mails: Callable[[T], Sequence[Mail]] | None = None,
    ) -> T:
        """Load, decide and record, as for tickets. The first change also records that the workspace was opened."""


class SettingsReader(Protocol):
    def settings(self, workspace: str) -> WorkspaceSettings:
        """Return the settings of the workspace."""


class RetentionReader(Protocol):
    def retention(self, workspace: str) -> RetentionPeriods:
        """Return how long the workspace keeps tickets and donors' names at present."""


class Logos(Protocol):
    """The pictures of logos."""

    def keep(self, workspace: str, image: bytes, width: int, height: int) -> Logo:
        """Store the picture, which is safe when this returns."""

    def get(self, workspace: str, logo: Logo) -> bytes:
        """Return the picture; NotFoundError if it was replaced meanwhile."""

    def delete(self, workspace: str, logo: Logo) -> None:
        """Delete the picture if it is stored."""


class ReceiptNumbers(Protocol):
    def turn(self) -> AbstractContextManager[object]:
        """Return a context in which no other thread of the process numbers a receipt, so that few are in its way."""

    def next(self, workspace: str, year: int) -> ReceiptNumber:
        """Return the number after the last recorded one.

        If it is recorded for another donation first, `Donations.change` decides again.
        """


class Contents(Protocol):
    """Content that is too big for an event, sealed with its ticket's key."""

    def keep(self, ticket_id: UUID, source: BinaryIO) -> Content:
        """Store all bytes of `source`, which are safe on disk when this returns."""

    def open(self, ticket_id: UUID, content: Content) -> AbstractContextManager[BinaryIO]:
        """Return the plain bytes as a seekable file that lives as long as the context; NotFoundError once erased."""

    def read(self, ticket_id: UUID, content: Content, start: int, stop: int) -> Iterator[bytes]:
        """Return the plain bytes from `start` up to `stop` in pieces; NotFoundError at once if there is no content.

        However long it is, only one piece is held in memory.
        """

    def has(self, ticket_id: UUID, content: Content) -> bool:
        """Return True if the content is stored."""

    def discard(self, ticket_id: UUID, content: Content) -> None:
        """Delete content that no event names; no error if it is gone already."""

    def shred(self, ticket_id: UUID, content: Content) -> None:
        """Overwrite content where the storage allows that, and delete it; no error if it is gone already."""

    def erase(self, ticket_id: UUID) -> None:
        """Delete everything stored for the ticket, and destroy the key to all that was ever sealed for it."""


class Erasure(Protocol):
    """The part of an erasure that no event does. Each method may be called any number of times."""

    def prepare(self, ticket_id: UUID) -> None:
        """Make the unapplied webhooks of the ticket readable without its key."""

    def complete(self, ticket_id: UUID) -> None:
        """Destroy the ticket's key and delete all other personal data, wherever it is kept."""

    def forget(self, ticket_id: UUID) -> None:
        """Delete what `complete` still needed: the hashes that lead to the support tickets of the same contact."""


class Transcripts(Protocol):
    def dump(self, transcript: Transcript) -> bytes:
        """Return the transcript as plain readable JSON."""

    def load(self, data: bytes) -> Transcript:
        """Return the transcript that any version of `dump` wrote."""


# Checkouts and refunds at Stripe; each call uses an id of ours as its idempotency key.


@dataclass(frozen=True)
class CheckoutRequest:
    """A donation about to be paid; its donation id is also the idempotency key at Stripe."""

    ticket_id: UUID
    donation_id: UUID
    amount: Money
    description: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True)
class OpenCheckout:
    """The page at Stripe where one donation can be paid until `expires_at`."""

    session_id: str
    url: str
    expires_at: datetime
    livemode: bool


class Checkouts(Protocol):
    def open(self, request: CheckoutRequest) -> OpenCheckout:
        """Open the donation's checkout: the same one for every repetition.

        UnavailableError while Stripe is unavailable.
        """

    def find(self, donation_id: UUID, since: datetime) -> OpenCheckout | None:
        """Return the checkout that was opened for the donation since then, or None if none is open at Stripe."""

    def expire(self, session_id: str) -> bool:
        """End an open checkout, so that nobody can pay it; return False if a payment was begun there before.

        Every repetition has the same result. NotFoundError if Stripe has no such checkout, UnavailableError while
        Stripe is unavailable.
        """


@dataclass(frozen=True)
class RefundOrder:
    """A refund about to be made; its request id is also the idempotency key at Stripe."""

    request_id: UUID
    ticket_id: UUID
    donation_id: UUID
    payment_intent_id: str
    amount: Money


@dataclass(frozen=True)
class ReportedRefund:
    """A refund in its present state at Stripe; `refunded_at` is Stripe's creation time in Unix seconds."""

    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    charge_id: str | None


class Refunds(Protocol):
    def create(self, order: RefundOrder) -> ReportedRefund:
        """Make the refund of this order and return it: the same one for every repetition.

        RefusedError or InvalidError if Stripe refuses it for good, UnavailableError while Stripe is unavailable.
        """

    def find(self, order: RefundOrder, since: datetime) -> ReportedRefund | None:
        """Return the refund that was made for this order since then, or None if Stripe has none."""


# The tools that turn a recording into a draft.


# Takes the finished part of a step, 0..1, and raises Superseded to stop the work.
Report = Callable[[float], None]


class AudioInspector(Protocol):
    def inspect(self, recording: BinaryIO) -> AudioFacts:
        """Return the facts found by decoding; NotAudioError or AudioTooLongError if the recording is not accepted.

        `recording` is a seekable file with a file descriptor; its position is not preserved.
        """


@dataclass(frozen=True)
class CutSound:
    """A passage of a recording as a sound of its own, without anything else that the recording's file has."""

    sound: BinaryIO
    facts: AudioFacts


class SoundCutter(Protocol):
    def cut(self, recording: BinaryIO, start_ms: int, end_ms: int) -> CutSound:
        """Return the passage in a format that every browser plays; NotAudioError if nothing is there.

        `recording` is a seekable file with a file descriptor; its position is not preserved.
        """


@dataclass(frozen=True)
class InspectedAttachment:
    """The stored form of an attached file: a PDF as it was, or a photo encoded anew in two sizes."""

    media_type: str
    file: BinaryIO
    small: BinaryIO | None = None
    width: int | None = None
    height: int | None = None


class AttachmentInspector(Protocol):
    def inspect(self, file: BinaryIO) -> InspectedAttachment:
        """Return what is to be kept of the file; NotAnAttachmentError if it is neither a photo nor a PDF."""


class Transcriber(Protocol):
    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        """Return the transcript of an inspected recording; StepFailed (`no_speech`, `unsupported_language`, …) if none.

        `hints` are names and words that may be said in it.
        Calls `report` as it advances, and leaves no process behind when `report` raises.
        """


class Analyser(Protocol):
    def analyse(self, transcript: Transcript) -> Analysis:
        """Return the analysis of the transcript."""


class Drafter(Protocol):
    def draft(self, transcript: Transcript, analysis: Analysis, currency: str = ...) -> Draft:
        """Return a draft made from the transcript alone: fields that it does not mention stay None. Or StepFailed.

        An amount of which the speaker does not say the currency is in `currency`.
        `sources` has the places in the transcript of every sentence and field; what has none cannot be published.
        """


class SafetyReviewer(Protocol):
    def review(self, draft: Draft, display_name: str | None) -> SafetyReview:
        """Return what may endanger somebody if the draft is published; the display name is the person's own."""


# Documents and QR codes.


class Printer(Protocol):
    def render(self, sheet: Sheet, format: DocumentFormat) -> bytes:
        """Return the sheet as a document; the same sheet gives the same bytes."""


class QrCodes(Protocol):
    def png(self, text: str) -> bytes:
        """Return the text as a QR code that a phone reads off paper."""

    def svg(self, text: str) -> bytes:
        """Return the same QR code as a drawing that can be printed in any size."""

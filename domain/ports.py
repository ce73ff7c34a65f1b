"""What the domain needs of the outside: one or two methods each, named for the need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol
from uuid import UUID

from domain.values import Analysis, AudioFacts, DocumentFormat, Draft, Money, Transcript

# Told how much of a step is done, 0..1; raises Superseded to stop the work.
Report = Callable[[float], None]


class AudioInspector(Protocol):
    def inspect(self, recording: BinaryIO) -> AudioFacts:
        """What the bytes really are; NotAudioError or AudioTooLongError if we do not accept them.

        `recording` is a seekable file with a file descriptor; its position is not preserved.
        """


class Transcriber(Protocol):
    def transcribe(self, recording: BinaryIO, report: Report) -> Transcript:
        """The words of an inspected recording; StepFailed (`no_speech`, `unsupported_language`, …) if there are none.

        Calls `report` as it advances, and leaves no process behind when `report` raises.
        """


class Analyser(Protocol):
    def analyse(self, transcript: Transcript) -> Analysis:
        """What the transcript says about itself."""


class Drafter(Protocol):
    def draft(self, transcript: Transcript, analysis: Analysis) -> Draft:
        """A campaign from what was said and nothing else; what was not said stays None. StepFailed if it cannot."""


@dataclass(frozen=True)
class CampaignSheet:
    """A campaign as it is handed to somebody; `target_url` is where its QR code leads, None leaves the code out."""

    draft: Draft
    display_name: str | None
    language: str | None
    target_url: str | None
    dated: datetime
    checkpoint: str | None = None


@dataclass(frozen=True)
class ReceiptSheet:
    """The proof of one gift for the one who gave it."""

    donation_id: UUID
    donor: str
    amount: Money
    refunded_minor: int
    paid_at: datetime
    campaign_title: str | None
    beneficiary: str | None
    language: str | None
    test: bool
    dated: datetime
    checkpoint: str | None = None


@dataclass(frozen=True)
class TranscriptSheet:
    """What was said, to be read and corrected."""

    transcript: Transcript
    display_name: str | None
    dated: datetime
    checkpoint: str | None = None


# Each may carry the signed checkpoint of the whole history, so that paper contradicts a rewritten one.
Sheet = CampaignSheet | ReceiptSheet | TranscriptSheet


class Printer(Protocol):
    def render(self, sheet: Sheet, format: DocumentFormat) -> bytes:
        """The sheet as a document; the same sheet gives the same bytes."""


class QrCodes(Protocol):
    def png(self, text: str) -> bytes:
        """The text as a QR code that a phone reads off paper."""

    def svg(self, text: str) -> bytes:
        """The same as a drawing that can be printed in any size."""


@dataclass(frozen=True)
class CheckoutRequest:
    """A gift somebody is about to make; its donation id is also the idempotency key at Stripe."""

    ticket_id: UUID
    donation_id: UUID
    amount: Money
    description: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True)
class OpenCheckout:
    """The page at Stripe where this one gift can be paid until it expires."""

    session_id: str
    url: str
    expires_at: datetime
    livemode: bool


class Checkouts(Protocol):
    def open(self, request: CheckoutRequest) -> OpenCheckout:
        """A checkout for this gift: the same one however often it is asked for. UnavailableError if Stripe is away."""


@dataclass(frozen=True)
class RefundOrder:
    """Money to be given back; its request id is also the idempotency key at Stripe."""

    request_id: UUID
    ticket_id: UUID
    donation_id: UUID
    payment_intent_id: str
    amount: Money


@dataclass(frozen=True)
class RefundTold:
    """A refund as Stripe has it; `refunded_at` is Stripe's time of it in Unix seconds."""

    refund_id: str
    amount: Money
    state: str
    refunded_at: int
    charge_id: str | None


class Refunds(Protocol):
    def give_back(self, order: RefundOrder) -> RefundTold:
        """The refund of this order: the same one however often it is asked for.

        RefusedError or InvalidError if Stripe will not give it, UnavailableError while it is away.
        """

    def find(self, order: RefundOrder, since: datetime) -> RefundTold | None:
        """The refund that was made of this order since then, if there is one."""


@dataclass(frozen=True)
class Mail:
    """A mail to one address: `kind` names its words, `values` fill them in.

    There is one mail for each `key`, ever; keys name ids, never people. A mail about a ticket waits sealed with that
    ticket's key, and goes when the ticket is erased.
    """

    kind: str
    to: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    key: str
    ticket_id: UUID | None

"""Documents and QR codes: the content of each kind of document, and what renders it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.values import DocumentFormat, Draft, Money, Transcript


@dataclass(frozen=True)
class CampaignSheet:
    """A campaign to hand out; its QR code leads to `target_url`, and None leaves the code out."""

    draft: Draft
    display_name: str | None
    language: str | None
    target_url: str | None
    dated: datetime
    checkpoint: str | None = None


@dataclass(frozen=True)
class ReceiptSheet:
    """The receipt of one donation for its donor."""

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
    """A transcript to read and correct."""

    transcript: Transcript
    display_name: str | None
    dated: datetime
    checkpoint: str | None = None


# Each may carry the signed checkpoint of the event log, so that the paper contradicts a rewritten log.
Sheet = CampaignSheet | ReceiptSheet | TranscriptSheet


class Printer(Protocol):
    def render(self, sheet: Sheet, format: DocumentFormat) -> bytes:
        """Return the sheet as a document; the same sheet gives the same bytes."""


class QrCodes(Protocol):
    def png(self, text: str) -> bytes:
        """Return the text as a QR code that a phone reads off paper."""

    def svg(self, text: str) -> bytes:
        """Return the same QR code as a drawing that can be printed in any size."""

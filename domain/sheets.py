"""The content of each kind of document."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.organisations import NOT_DESCRIBED, Organisation, ReceiptNumber
from domain.values import Draft, Money, Transcript


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
class LogoPicture:
    """A JPEG, with the ratio of its sides."""

    image: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True)
class ReceiptSheet:
    """The receipt of one donation for its donor.

    It has a number if the workspace names an organisation; a receipt of one that names none says nothing of who got it.
    """

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
    organisation: Organisation = NOT_DESCRIBED
    number: ReceiptNumber | None = None
    logo: LogoPicture | None = None


@dataclass(frozen=True)
class TranscriptSheet:
    """A transcript to read and correct."""

    transcript: Transcript
    display_name: str | None
    dated: datetime
    checkpoint: str | None = None


# Each may carry the signed checkpoint of the event log, so that the paper contradicts a rewritten log.
Sheet = CampaignSheet | ReceiptSheet | TranscriptSheet

"""The shared values: frozen, with units in field names, checked for their shape and never for a policy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Self
from uuid import UUID

from domain.errors import AmountError, FaultCode
from domain.personal import PERSONAL as PERSONAL
from domain.personal import DonorFact, SharedText
from domain.personal import Personal as Personal
from domain.value import Value

# Stripe's currencies whose minor unit is not a hundredth (https://docs.stripe.com/currencies).
ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])

# The currencies that Stripe charges in (https://docs.stripe.com/currencies#presentment-currencies), without the above.
_TWO_DECIMAL = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE
CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES KGS KHR KYD
KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX USD UYU
UZS WST XCD XCG YER ZAR ZMW
"""
CURRENCIES = ZERO_DECIMAL | THREE_DECIMAL | frozenset(_TWO_DECIMAL.split())
# Stripe writes these with two decimals, which must be 00 (https://docs.stripe.com/currencies#special-cases).
_DECIMALS_ALWAYS_ZERO = frozenset(["ISK", "UGX"])


def decimals(currency: str) -> int:
    """Return how many decimals the currency's major unit has: 2 unless Stripe lists it otherwise."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def payable_decimals(currency: str) -> int:
    """Return how many decimals an amount may have that Stripe charges or refunds.

    By Stripe's special cases (https://docs.stripe.com/currencies#special-cases) ISK and UGX are written with two
    decimals that are always 00; the last of three decimals is 0 (https://docs.stripe.com/currencies#three-decimal).
    """
    return 0 if currency in _DECIMALS_ALWAYS_ZERO else min(2, decimals(currency))


class Money(Value):
    """An amount in the currency's smallest unit."""

    minor: int
    currency: str

    @property
    def major(self) -> Decimal:
        """The amount in the currency's major unit, with exactly that currency's decimals."""
        return Decimal(self.minor).scaleb(-decimals(self.currency))

    @classmethod
    def of(cls, major: Decimal | str | int, currency: str) -> Money:
        """Return the money for an amount in major units; AmountError if it has more decimals than the currency."""
        try:
            scaled = Decimal(major).scaleb(decimals(currency))
        except InvalidOperation:
            raise AmountError("is not a number", code=FaultCode.WRONG_TYPE) from None
        if not scaled.is_finite() or abs(scaled) >= 10**15:
            raise AmountError("is out of range", code=FaultCode.OUT_OF_RANGE)
        if scaled != scaled.to_integral_value():
            detail = f"has more decimals than {currency} allows ({decimals(currency)})"
            raise AmountError(detail, code=FaultCode.TOO_MANY_DECIMALS)
        return cls(int(scaled), currency)

    def require_payable(self) -> None:
        """AmountError if the amount has more decimals than Stripe charges or refunds in its currency."""
        places = payable_decimals(self.currency)
        if self.minor % 10 ** (decimals(self.currency) - places):
            limit = f"have at most {places} decimals" if places else "be a whole number"
            raise AmountError(f"must {limit} in {self.currency}", "/amount", FaultCode.TOO_MANY_DECIMALS)


class FeeDetail(Value):
    """One part of the fee for a balance transaction; `type` is Stripe's, such as `stripe_fee` or `tax`."""

    type: str
    amount: Money


class ContactType(StrEnum):
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    SOCIAL = "SOCIAL"


class Contact(Value):
    """The address of a person; `value` is normalised, so that equal contacts compare equal."""

    type: ContactType
    value: Personal


class Role(StrEnum):
    """The kinds of actors, in the events and in the access rules."""

    VISITOR = "visitor"
    HOLDER = "holder"
    CLIENT = "client"
    ADMIN = "admin"
    AUDITOR = "auditor"
    MEMBER = "member"
    STRIPE = "stripe"
    SYSTEM = "system"


class Actor(Value):
    """The cause of an event: a role, and the key's id where the role has several keys."""

    role: Role
    id: str | None = None

    def __str__(self) -> str:
        return self.role.value if self.id is None else f"{self.role.value}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the actor of this text, which `str` made."""
        role, _, id = text.partition(":")
        return cls(Role(role), id or None)


STRIPE = Actor(Role.STRIPE)
SYSTEM = Actor(Role.SYSTEM)


class Kind(StrEnum):
    """The purpose of a ticket; each kind has a policy in `domain.lifecycle`."""

    CAMPAIGN = "campaign"


class ContentStatus(StrEnum):
    DRAFT = "DRAFT"
    RECORDING = "RECORDING"
    PROCESSING = "PROCESSING"
    NEEDS_INFO = "NEEDS_INFO"
    READY = "READY"
    PUBLISHED = "PUBLISHED"
    ERROR = "ERROR"
    ERASED = "ERASED"


class FundingStatus(StrEnum):
    NONE = "NONE"
    FUNDED = "FUNDED"


class Step(StrEnum):
    """The steps from a recording to a draft, in their order."""

    TRANSCRIBE = "transcribe"
    ANALYSE = "analyse"
    DRAFT = "draft"


class DocumentType(StrEnum):
    GOFUNDME_DRAFT = "GOFUNDME_DRAFT"
    RECEIPT = "RECEIPT"
    OTHER = "OTHER"


class DocumentFormat(StrEnum):
    DOCX = "docx"
    PDF = "pdf"

    @property
    def media_type(self) -> str:
        return {
            DocumentFormat.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            DocumentFormat.PDF: "application/pdf",
        }[self]


class Content(Value):
    """A file that is too big for an event, sealed in storage under the SHA-256 of its plain bytes."""

    sha256: str
    size_bytes: int


class AudioFacts(Value):
    """The facts found by decoding a recording: its media type, and its length by counted samples."""

    media_type: str
    duration_ms: int


@dataclass(frozen=True)
class Word:
    """One recognised word; `confidence` is 0..1 where the engine gives it."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


@dataclass(frozen=True)
class Segment:
    """A stretch of speech between two pauses; nothing is drafted from an uncertain one."""

    text: str
    start_ms: int
    end_ms: int
    speaker: str | None = None
    uncertain: bool = False


@dataclass(frozen=True)
class Transcript:
    """The text of a recording; `language` is an ISO 639-1 code; an engine without segments or words leaves None."""

    text: str
    language: str | None
    engine: str
    segments: tuple[Segment, ...] | None = None
    words: tuple[Word, ...] | None = None


class Sentiment(StrEnum):
    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class Urgency(StrEnum):
    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


@dataclass(frozen=True)
class Analysis:
    """The analysis of a transcript, made before a campaign is drafted from it."""

    language: str | None
    sentiment: Sentiment
    urgency: Urgency
    key_points: tuple[str, ...]


class Source(Value):
    """Where a text of a draft comes from: a stretch of a recording's transcript, or the person who wrote it.

    `number` counts the sentences of the story or the lines of the breakdown from 1. Without it the source is that of
    the whole field, except for the parts that other sources number. `start` and `end` count characters of the
    transcript. They are None where the place is not known: drafts made before sources were stored have none.
    """

    field: str
    number: int | None = None
    recording_id: UUID | None = None
    start: int | None = None
    end: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    author: Actor | None = None


@dataclass(frozen=True)
class Draft:
    """A campaign so far; a field that is not known yet is None.

    `currency` is chosen for the goal, perhaps before the goal has an amount. Every other field has `sources`.
    `engine` names what made the newest proposal: "local" for the rules, or a model.
    """

    title: str | None = None
    story: str | None = None
    goal: Money | None = None
    currency: str | None = None
    beneficiary: str | None = None
    location: str | None = None
    category: str | None = None
    breakdown: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    engine: str | None = None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the fields that a person may write."""
        return tuple(field.name for field in fields(cls) if field.name not in ("sources", "engine"))


class FindingKind(StrEnum):
    """A kind of text that may endanger a person if strangers read it."""

    PHONE = "phone"
    EMAIL = "email"
    ADDRESS = "address"
    NAME = "name"
    MINOR = "minor"
    HIDING_PLACE = "hiding_place"
    VIOLENCE = "violence"


class FindingDecision(StrEnum):
    """A person's decision whether the text of a finding is published or taken out of the draft."""

    KEEP = "keep"
    REMOVE = "remove"


class ConsentScope(StrEnum):
    """A detail of a person that strangers see only with that person's consent."""

    STORY = "story"
    NAME = "name"
    PLACE = "place"
    RECORDING = "recording"
    PHOTO = "photo"
    TRANSLATION = "translation"


class ConsentHow(StrEnum):
    """How a person agreed: by tapping or typing, by saying so, or before a witness."""

    TYPED = "typed"
    SPOKEN = "spoken"
    WITNESSED = "witnessed"


class OthersDecision(StrEnum):
    """The decision about other people in a story: there are none, they agree, or they cannot be recognised."""

    NOBODY = "nobody"
    AGREED = "agreed"
    UNRECOGNISABLE = "unrecognisable"


class SupportCategory(StrEnum):
    PROFILE_RESET = "PROFILE_RESET"
    TRANSCRIPTION = "TRANSCRIPTION"
    DOCUMENT = "DOCUMENT"
    PAYMENT = "PAYMENT"
    OTHER = "OTHER"
    REPORT = "REPORT"


class SupportStatus(StrEnum):
    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class DonationStatus(StrEnum):
    CREATED = "CREATED"
    PAID = "PAID"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"
    EXPIRED = "EXPIRED"


class StripeReport(Value):
    """The source of a fact from Stripe: the id of their event, and its time in Unix seconds."""

    event_id: str
    at: int


class Donor(Value):
    """All stored data of a donor: the last word of the name, the country, and a keyed hash of the e-mail address."""

    last_name: DonorFact | None = None
    country: str | None = None
    email_hash: DonorFact | None = None


class GiftWords(Value):
    """The name and the message that a donor leaves; with `shown`, the donor agreed that strangers see them."""

    name: SharedText | None = None
    message: SharedText | None = None
    shown: bool = False

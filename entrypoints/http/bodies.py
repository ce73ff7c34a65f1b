"""Request bodies: models that refuse unknown fields, and the fields of forms."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from adapters import contacts
from domain.commands.checkouts import checked_amount
from domain.commands.documents import required_donation
from domain.errors import FaultCode, InvalidError
from domain.goals import checked_goal
from domain.public_material import require_consent
from domain.tickets import LONGEST_SUSPENSION_REASON
from domain.values import CURRENCIES, ContactType, DocumentFormat, DocumentType, FindingDecision, Money
from entrypoints.http.problems import invalid_fields, reference_token
from entrypoints.http.strict_json import strict_json
from entrypoints.presentation.problems import InvalidField

MAX_JSON_BYTES = 256 * 1024
# The export of a story with about two thousand events.
MAX_PROOF_BYTES = 4 * 1024 * 1024
# The longest text of the knowledge base, in which the form writes each letter with up to nine bytes.
MAX_LONG_FORM_BYTES = 2 * 1024 * 1024
MAX_FORM_FIELDS = 10

Model = TypeVar("Model", bound=BaseModel)

# Surrogates, and control characters except line ends and tabs.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _check_characters(text: str) -> str:
    if _NOT_TEXT.search(text):
        raise PydanticCustomError(FaultCode.NOT_TEXT, "contains characters that are not text")
    return text


def _check_single_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise PydanticCustomError(FaultCode.SEVERAL_LINES, "must be a single line")
    return text.strip()


def _check_not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError(FaultCode.BLANK, "must not be blank")
    return text


Text = Annotated[str, AfterValidator(_check_characters), AfterValidator(_check_not_blank)]
Line = Annotated[
    str, AfterValidator(_check_characters), AfterValidator(_check_single_line), AfterValidator(_check_not_blank)
]


_DECIMAL_STRING = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)")


def _check_amount(value: object) -> Decimal:
    """Return the decimal of a JSON number or a decimal string without an exponent."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise PydanticCustomError(FaultCode.WRONG_TYPE, "must be a number or a decimal string")
    if isinstance(value, str) and not _DECIMAL_STRING.fullmatch(value):
        raise PydanticCustomError(FaultCode.WRONG_TYPE, "must be a number or a decimal string")
    number = Decimal(value)
    # The magnitude of a number other than zero is at least 10^-6 and less than 10^15.
    if not number.is_finite() or (number and not -7 < number.adjusted() < 15):
        raise PydanticCustomError(FaultCode.OUT_OF_RANGE, "is out of range")
    return number


def _check_currency(value: str) -> str:
    code = value.upper()
    if not value.isascii() or code not in CURRENCIES:
        raise PydanticCustomError(FaultCode.UNKNOWN_CURRENCY, "is not a supported currency")
    return code


Amount = Annotated[
    Decimal,
    BeforeValidator(_check_amount, json_schema_input_type=float | str),
    Field(max_digits=18, decimal_places=6),
]
Currency = Annotated[str, Field(min_length=3, max_length=3), AfterValidator(_check_currency)]


class Body(BaseModel):
    """A request body in camelCase. Unknown fields are refused, and errors do not quote the input."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)

    def changes(self) -> dict[str, Any]:
        """Return the fields that the body contains; these are the ones that a JSON Merge Patch changes."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def report_fault(check: Callable[[], object]) -> None:
    """Run a check of the domain in a validator, so that its refusal is listed with the other faults of the body."""
    try:
        check()
    except InvalidError as error:
        raise PydanticCustomError(error.code, error.detail) from None


class ContactBody(Body):
    """A body with a contact."""

    contact_type: ContactType
    contact_value: Annotated[Line, Field(max_length=contacts.LONGEST)]

    @field_validator("contact_value")
    @classmethod
    def _check_contact(cls, value: str, info: ValidationInfo) -> str:
        if "contact_type" in info.data:
            report_fault(lambda: contacts.normalize_contact(info.data["contact_type"], value))
        return value


class TicketOpening(ContactBody):
    display_name: Annotated[Line, Field(max_length=120)] | None = None


class TicketChange(Body):
    display_name: Annotated[Line, Field(max_length=120)] | None


class ProcessRequest(Body):
    audio_file_path: Annotated[
        Any, Field(description="Sent by older clients and ignored; the service never reads a path that a client names.")
    ] = None


class Empty(Body):
    """A body without fields."""


class DeadLetterRetry(Body):
    """With `accept`, the event counts although its payment has no checkout of ours or is larger than was asked for."""

    accept: StrictBool = False


class Publication(Body):
    """With `consent`, the person agrees to show story, name and place; without it, earlier consents are relied on."""

    consent: StrictBool | None = None

    @field_validator("consent")
    @classmethod
    def _check_consent(cls, value: bool | None) -> bool | None:
        if value is not None:
            report_fault(lambda: require_consent(value))
        return value


class Suspension(Body):
    reason: Annotated[
        Text, Field(max_length=LONGEST_SUSPENSION_REASON, description="The holder gets the reason by mail.")
    ]


class GoalBody(Body):
    """A body with a goal. Without a currency the goal is in that of the draft, which is checked with the draft."""

    currency: Currency | None = None
    goal_amount: Amount | None = None

    @field_validator("goal_amount")
    @classmethod
    def _check_goal(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        currency = info.data.get("currency")
        if value is not None and currency is not None:
            report_fault(lambda: checked_goal(value, currency))
        return value


class ProvidedInfo(GoalBody):
    beneficiary: Annotated[Line, Field(max_length=120)] | None = None
    location: Annotated[Line, Field(max_length=120)] | None = None


class DraftChange(GoalBody):
    """A JSON Merge Patch (RFC 7396): absent fields stay as they are, null clears a field."""

    title: Annotated[Line, Field(max_length=120)] | None = None
    story: Annotated[Text, Field(max_length=10_000)] | None = None
    beneficiary: Annotated[Line, Field(max_length=120)] | None = None
    location: Annotated[Line, Field(max_length=120)] | None = None
    category: Annotated[Line, Field(max_length=60)] | None = None
    breakdown: Annotated[list[Annotated[Line, Field(max_length=200)]], Field(max_length=20)] | None = None

    def changes(self) -> dict[str, Any]:
        changes = super().changes()
        return changes | {"breakdown": tuple(self.breakdown or ())} if "breakdown" in changes else changes


class CorrectedText(Body):
    """A segment of the transcript by its id, and its text from now on; an empty text leaves the segment out."""

    segment_id: Annotated[Line, Field(max_length=64)]
    text: Annotated[str, Field(max_length=5_000), AfterValidator(_check_characters), AfterValidator(_check_single_line)]


class TranscriptCorrections(Body):
    """Corrections of the transcript. The same text again confirms a segment that is uncertain."""

    corrections: Annotated[list[CorrectedText], Field(min_length=1, max_length=500)]

    @field_validator("corrections")
    @classmethod
    def _check_once(cls, value: list[CorrectedText]) -> list[CorrectedText]:
        if len({corrected.segment_id for corrected in value}) < len(value):
            raise PydanticCustomError(FaultCode.AMBIGUOUS, "corrects a segment twice")
        return value


class Restoration(Body):
    version: Annotated[StrictInt, Field(ge=1, le=1_000_000_000, description="A version of the list of versions.")]


class DecidedFinding(Body):
    id: Annotated[Line, Field(max_length=64)]
    decision: FindingDecision


class FindingDecisions(Body):
    """A person's decisions: a finding that is kept may be published, and one that is removed leaves the draft."""

    decisions: Annotated[list[DecidedFinding], Field(min_length=1, max_length=1000)]

    @field_validator("decisions")
    @classmethod
    def _check_once(cls, value: list[DecidedFinding]) -> list[DecidedFinding]:
        if len({decided.id for decided in value}) < len(value):
            raise PydanticCustomError(FaultCode.AMBIGUOUS, "decides on a finding twice")
        return value


class DocumentOrder(Body):
    doc_type: DocumentType
    format: DocumentFormat = DocumentFormat.DOCX
    donation_id: Annotated[UUID | None, Field(validate_default=True)] = None

    @field_validator("donation_id")
    @classmethod
    def _check_donation(cls, value: UUID | None, info: ValidationInfo) -> UUID | None:
        if info.data.get("doc_type") is DocumentType.RECEIPT:
            report_fault(lambda: required_donation(value))
        return value


class PaymentOrder(Body):
    currency: Currency
    amount: Amount
    description: Annotated[Line, Field(max_length=200)] | None = None

    @field_validator("amount")
    @classmethod
    def _check_payment(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        if "currency" in info.data:
            report_fault(lambda: checked_amount(Money.of(value, info.data["currency"])))
        return value


def read(model: type[Model], data: bytes) -> Model:
    """Return the body as the model, or raise a Problem that names the invalid fields but quotes none of their values.

    An empty body is read like an object without fields.
    """
    return validated(model, strict_json(data) if data.strip() else {})


def form_fields(raw: bytes) -> dict[str, str]:
    """Return the last value of each field of a form, or no field if there are too many."""
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MAX_FORM_FIELDS, keep_blank_values=True))
    except ValueError:
        return {}


def typed_fields(raw: bytes) -> dict[str, str]:
    """Return the fields of a form without surrounding blanks, and with LF instead of CRLF as the line ending."""
    return {name: text.replace("\r\n", "\n").strip() for name, text in form_fields(raw).items()}


def validated(model: type[Model], value: object) -> Model:
    """Return the value as the model, or raise a Problem that names the invalid fields but quotes no value."""
    try:
        return model.model_validate(value)
    except ValidationError as validation_error:
        errors = validation_error.errors(include_url=False, include_input=False)
        raise invalid_fields([_invalid_field(model, error) for error in errors]) from None


def _invalid_field(model: type[BaseModel], error: ErrorDetails) -> InvalidField:
    parts = error["loc"]
    if parts and error["type"] != "extra_forbidden" and parts[0] in model.model_fields:
        # pydantic names a field whose default is invalid by its name here, not by its name in JSON.
        parts = (to_camel(str(parts[0])), *parts[1:])
    pointer = "".join(f"/{reference_token(part)}" for part in parts)
    if error["type"] in list(FaultCode):
        return InvalidField(pointer, FaultCode(error["type"]), error["msg"])
    code, detail = _FAULTS.get(error["type"], (FaultCode.INVALID, "is not valid here"))
    return InvalidField(pointer, code, detail.format_map(error.get("ctx", {})))


# The code and the detail for each of pydantic's error types; the names in braces are from the error's context.
_FAULTS = {
    "value_error": (FaultCode.INVALID, "{error}"),
    "missing": (FaultCode.REQUIRED, "is required"),
    "extra_forbidden": (FaultCode.UNKNOWN_FIELD, "is not a known field"),
    "model_type": (FaultCode.WRONG_TYPE, "must be an object"),
    "string_type": (FaultCode.WRONG_TYPE, "must be a string"),
    "string_unicode": (FaultCode.NOT_TEXT, "contains characters that are not text"),
    "string_too_short": (FaultCode.TOO_SHORT, "must have at least {min_length} characters"),
    "string_too_long": (FaultCode.TOO_LONG, "is longer than {max_length}"),
    "too_long": (FaultCode.TOO_LONG, "is longer than {max_length}"),
    "list_type": (FaultCode.WRONG_TYPE, "must be an array"),
    "bool_type": (FaultCode.WRONG_TYPE, "must be true or false"),
    "enum": (FaultCode.UNKNOWN_VALUE, "must be {expected}"),
    "uuid_type": (FaultCode.WRONG_TYPE, "must be an id"),
    "uuid_parsing": (FaultCode.WRONG_TYPE, "must be an id"),
    "int_type": (FaultCode.WRONG_TYPE, "must be an integer"),
    "greater_than_equal": (FaultCode.OUT_OF_RANGE, "must be at least {ge}"),
    "less_than_equal": (FaultCode.OUT_OF_RANGE, "must be at most {le}"),
    "decimal_max_digits": (FaultCode.OUT_OF_RANGE, "has too many digits"),
    "decimal_whole_digits": (FaultCode.OUT_OF_RANGE, "has too many digits"),
    "decimal_max_places": (FaultCode.TOO_MANY_DECIMALS, "has more decimals than any currency"),
}

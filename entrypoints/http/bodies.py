"""Request bodies: models that refuse unknown fields, and JSON that is parsed without floats."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from domain.values import CURRENCIES, ContactType, DocumentFormat, DocumentType
from entrypoints.http.problems import Problem, invalid
from entrypoints.presentation.problems import InvalidField

MAX_JSON_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_FAULTS = 20

M = TypeVar("M", bound=BaseModel)


def _clean(text: str) -> str:
    """Return the text unless it has a NUL, a lone surrogate, or a control character other than line ends and tabs."""
    if any((ord(c) < 32 and c not in "\n\r\t") or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ValueError("contains characters that are not text")
    return text


def _line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("must be a single line")
    return text.strip()


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Text = Annotated[str, AfterValidator(_clean), AfterValidator(_filled)]
Line = Annotated[str, AfterValidator(_clean), AfterValidator(_line), AfterValidator(_filled)]


def _decimal(value: object) -> Decimal:
    """Return the decimal of a JSON number or a decimal string without an exponent."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("must be a number or a decimal string")
    if isinstance(value, str) and not (value.isascii() and value.replace(".", "", 1).removeprefix("-").isdigit()):
        raise ValueError("must be a number or a decimal string")
    number = Decimal(value)
    if not number.is_finite() or (number and not -7 < number.adjusted() < 15):
        raise ValueError("is out of range")
    return number


def _currency(value: str) -> str:
    code = value.upper()
    if not value.isascii() or code not in CURRENCIES:
        raise ValueError("is not a supported currency")
    return code


Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal, json_schema_input_type=Annotated[float, Field()] | str),
    Field(max_digits=18, decimal_places=6),
]
Currency = Annotated[str, Field(min_length=3, max_length=3), AfterValidator(_currency)]


class Body(BaseModel):
    """A request body in camelCase. Unknown fields are refused, and errors do not quote the input."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, hide_input_in_errors=True, str_strip_whitespace=False
    )


class TicketOpening(Body):
    contact_type: ContactType
    contact_value: Annotated[Line, Field(max_length=320)]
    display_name: Annotated[Line, Field(max_length=120)] | None = None


class TicketChange(Body):
    display_name: Annotated[Line, Field(max_length=120)] | None


class ProcessRequest(Body):
    audio_file_path: Annotated[
        Any, Field(description="Sent by older clients and ignored; the service never reads a path that a client names.")
    ] = None


class Empty(Body):
    """No fields."""


class Publication(Body):
    consent: StrictBool


class InfoGiven(Body):
    goal_amount: Amount | None = None
    currency: Currency | None = None
    beneficiary: Annotated[Line, Field(max_length=120)] | None = None
    location: Annotated[Line, Field(max_length=120)] | None = None


class DraftChange(Body):
    """A JSON Merge Patch (RFC 7396): absent fields stay as they are, null clears a field."""

    title: Annotated[Line, Field(max_length=120)] | None = None
    story: Annotated[Text, Field(max_length=10_000)] | None = None
    goal_amount: Amount | None = None
    currency: Currency | None = None
    beneficiary: Annotated[Line, Field(max_length=120)] | None = None
    location: Annotated[Line, Field(max_length=120)] | None = None
    category: Annotated[Line, Field(max_length=60)] | None = None
    breakdown: Annotated[list[Annotated[Line, Field(max_length=200)]], Field(max_length=20)] | None = None


class DocumentOrder(Body):
    doc_type: DocumentType
    format: DocumentFormat = DocumentFormat.DOCX
    donation_id: UUID | None = None


class PaymentOrder(Body):
    amount: Amount
    currency: Currency
    description: Annotated[Line, Field(max_length=200)] | None = None


def _refused_constant(_: str) -> NoReturn:
    raise ValueError("not JSON")


# No number of ours has more digits; a longer one is valid JSON, but not a valid amount.
_MAX_DIGITS = 40


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MAX_DIGITS else _number(text)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is repeated")
    return fields


def parsed(data: bytes) -> object:
    """Return the JSON value with exact numbers; Problem 400 if it is not JSON or is nested too deep."""
    try:
        value: object = json.loads(
            data.decode("utf-8"),
            parse_float=_number,
            parse_int=_whole,
            parse_constant=_refused_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError):
        raise Problem("malformed", "The body is not JSON.") from None
    _check_shape(value)
    return value


def _check_shape(value: object) -> None:
    """Refuse deep nesting, and field names that are not text."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for parent in level:
            if isinstance(parent, dict):
                if not all(name.isascii() or _is_text(name) for name in parent):
                    raise invalid("", "has a field name that is not text")
                below += parent.values()
            elif isinstance(parent, list):
                below += parent
        if not below:
            return
        level = below
    raise Problem("malformed", "The body is nested too deep.")


def _is_text(name: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in name)


def read(model: type[M], data: bytes) -> M:
    """Return the body as the model, or raise a Problem that names the invalid fields and quotes none of them."""
    value = parsed(data) if data.strip() else {}
    return validated(model.model_validate, value)


def validated(validate: Callable[[object], M], value: object) -> M:
    try:
        return validate(value)
    except ValidationError as error:
        errors = [
            InvalidField("".join(f"/{_escaped(part)}" for part in fault["loc"]), _detail(fault))
            for fault in error.errors(include_url=False, include_input=False)[:MAX_FAULTS]
        ]
        raise Problem("invalid", "The request breaks the contract.", errors) from None


def _escaped(part: str | int) -> str:
    """Return the part of a path as a reference token of a JSON pointer (RFC 6901)."""
    return str(part)[:100].replace("~", "~0").replace("/", "~1")


# The details of validation errors, by pydantic's error type; the parameters are those of the rule.
_FAULTS = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "model_type": "must be an object",
    "string_type": "must be a string",
    "string_unicode": "contains characters that are not text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "is longer than {max_length}",
    "too_long": "is longer than {max_length}",
    "list_type": "must be an array",
    "bool_type": "must be true or false",
    "enum": "must be {expected}",
    "uuid_type": "must be an id",
    "uuid_parsing": "must be an id",
    "decimal_max_digits": "has too many digits",
    "decimal_max_places": "has more decimals than any currency",
}


def _detail(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    if fault["type"] == "value_error":
        return str(context["error"])
    return _FAULTS.get(fault["type"], "is not valid here").format_map(context)

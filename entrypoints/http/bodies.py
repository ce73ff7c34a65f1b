"""What clients send: models that refuse whatever they do not know, and JSON read without a float in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from domain.values import CURRENCIES, ContactType, DocumentFormat, DocumentType
from entrypoints.http.problems import Problem, invalid

MOST_JSON_BYTES = 256 * 1024
DEEPEST = 32
MOST_FAULTS = 20

M = TypeVar("M", bound=BaseModel)


def _clean(text: str) -> str:
    """Text that every store and document can hold: no NUL, no lone surrogate, no control but line ends and tabs."""
    if any((ord(c) < 32 and c not in "\n\r\t") or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ValueError("holds characters that are no text")
    return text


def _line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("must be one line")
    return text.strip()


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Text = Annotated[str, AfterValidator(_clean), AfterValidator(_filled)]
Line = Annotated[str, AfterValidator(_clean), AfterValidator(_line), AfterValidator(_filled)]


def _decimal(value: Any) -> Any:
    """A JSON number or a decimal string; never a float, a boolean, an exponent or a NaN."""
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
        raise ValueError("is not a currency that we take")
    return code


Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal, json_schema_input_type=Annotated[float, Field()] | str),
    Field(max_digits=18, decimal_places=6),
]
Currency = Annotated[str, Field(min_length=3, max_length=3), AfterValidator(_currency)]


class Body(BaseModel):
    """A request body: camelCase, unknown fields refused, errors that do not quote what was sent."""

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
        Any, Field(description="Sent by older clients; ignored. No path of a client is ever read.")
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
    """JSON Merge Patch (RFC 7396): what is absent stays, what is null is cleared."""

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


def _refused_constant(_: str) -> Any:
    raise ValueError("not JSON")


# Longer than any number of ours; what is longer is JSON, but no amount.
_MOST_DIGITS = 40


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MOST_DIGITS else _number(text)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands twice")
    return fields


def parsed(data: bytes) -> Any:
    """The JSON value with its numbers exact; Problem 400 for whatever is not JSON or nested absurdly deep."""
    try:
        value = json.loads(
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


def _check_shape(value: Any) -> None:
    """Refuse what is nested too deep, and names that are no text."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for parent in level:
            if isinstance(parent, dict):
                if not all(name.isascii() or _is_text(name) for name in parent):
                    raise invalid("", "has a field whose name is no text")
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
    """The body as the model, or a Problem that says where it differs, never what was sent."""
    value = parsed(data) if data.strip() else {}
    return validated(model.model_validate, value)


def validated(validate: Callable[[Any], M], value: Any) -> M:
    try:
        return validate(value)
    except ValidationError as error:
        errors = [
            {"pointer": "".join(f"/{_escaped(part)}" for part in fault["loc"]), "detail": _in_our_words(fault)}
            for fault in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
        ]
        raise Problem("invalid", "The request breaks the contract.", errors) from None


def _escaped(part: str | int) -> str:
    """A JSON pointer's reference token (RFC 6901)."""
    return str(part)[:100].replace("~", "~0").replace("/", "~1")


# What can be wrong with a body, in our words and not the library's; filled in with what the rule says.
_FAULTS = {
    "missing": "is needed",
    "extra_forbidden": "is not a field that is known here",
    "model_type": "must be an object",
    "string_type": "must be a string",
    "string_unicode": "holds characters that are no text",
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


def _in_our_words(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    if fault["type"] == "value_error":
        return str(context["error"])
    return _FAULTS.get(fault["type"], "is not what is expected here").format_map(context)

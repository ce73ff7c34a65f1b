"""Query parameters: each is converted to its type, or refused with Problem 422."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from adapters import ids
from domain.errors import FaultCode
from entrypoints.http.operations import Call
from entrypoints.http.problems import invalid, invalid_fields, reference_token
from entrypoints.presentation.problems import InvalidField

MAX_INTEGER_DIGITS = 18
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?")

Choice = TypeVar("Choice", bound=str)


def refuse_unknown_parameters(call: Call) -> None:
    """Raise Problem 422 for parameters that the operation does not have, so that a typing slip is not overlooked."""
    if not call.query or call.operation.accepts_any_query:
        return
    parameter_names = [parameter.name for parameter in call.operation.query]
    detail = f"is not a parameter of this operation, which has {', '.join(parameter_names) or 'none'}"
    if unknown := [name for name in call.query if name not in parameter_names]:
        fields = [InvalidField(f"/{reference_token(name)}", FaultCode.UNKNOWN_FIELD, detail) for name in unknown]
        raise invalid_fields(fields)


def parse_time(text: str) -> datetime:
    """Return the time, or raise ValueError if it has no time zone or is out of range."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 1970 <= moment.year < 9999:
        raise ValueError
    return moment


def time_parameter(call: Call, name: str) -> datetime | None:
    """Return a time in RFC 3339, or None if the parameter is absent."""
    text = call.query.get(name)
    if text is None:
        return None
    try:
        # An unescaped plus sign arrives as a space.
        return parse_time(text.replace(" ", "+"))
    except ValueError:
        raise invalid(f"/{name}", "must be a time like 2026-05-01T12:00:00Z", FaultCode.WRONG_TYPE) from None


def day_parameter(call: Call, name: str, *, end_of_day: bool = False) -> datetime | None:
    """Return a time, or None if the parameter is absent; a day means its beginning, or its end with `end_of_day`."""
    text = call.query.get(name)
    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(tzinfo=UTC)) + timedelta(days=end_of_day)
    except (ValueError, OverflowError):
        return time_parameter(call, name)


def id_parameter(call: Call, name: str) -> UUID | None:
    text = call.query.get(name)
    if not text:
        return None
    id = ids.parse(text)
    if id is None:
        raise invalid(f"/{name}", "must be an id", FaultCode.WRONG_TYPE)
    return id


def amount_parameter(call: Call, name: str) -> Decimal | None:
    """Return a number with up to three decimals, or None if the parameter is absent."""
    text = call.query.get(name)
    if text is None:
        return None
    if not _AMOUNT.fullmatch(text):
        raise invalid(f"/{name}", "must be a number like 50.00", FaultCode.WRONG_TYPE)
    return Decimal(text)


def choice_parameter(call: Call, name: str, choices: Sequence[Choice]) -> Choice:
    """Return the choice that the parameter names, or the first one if the parameter is absent."""
    text = call.query.get(name, choices[0])
    for choice in choices:
        if text == choice:
            return choice
    raise invalid(f"/{name}", f"must be one of {', '.join(choices)}", FaultCode.UNKNOWN_VALUE)


def flag_parameter(call: Call, name: str) -> bool:
    match call.query.get(name, "false"):
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise invalid(f"/{name}", "must be true or false", FaultCode.WRONG_TYPE)


def parse_integer(text: str) -> int | None:
    """Return the text as a non-negative integer, or None if it is not one or has too many digits."""
    if text.isascii() and text.isdigit() and len(text) <= MAX_INTEGER_DIGITS:
        return int(text)
    return None

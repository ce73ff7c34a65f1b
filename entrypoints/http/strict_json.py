"""JSON of clients: parsed without floats, and refused if it repeats a field or is nested deep."""

import json
import re
from decimal import Decimal
from typing import NoReturn

from domain.errors import FaultCode
from entrypoints.http.problems import Problem, invalid

MAX_DEPTH = 32
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


# Longer integers are parsed as Decimal: they are valid JSON, but `int` refuses very long ones. No field accepts them.
_MAX_INTEGER_LENGTH = 40


def _parse_integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MAX_INTEGER_LENGTH else _parse_decimal(text)


def _parse_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        # The exponent is too large for a Decimal; the validators of fields refuse NaN.
        return Decimal("NaN")


def _unique_fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is repeated")
    return fields


def strict_json(data: bytes) -> object:
    """Return the JSON value with exact numbers, or raise Problem 400 if it is not JSON or is nested too deep."""
    try:
        value: object = json.loads(
            data.decode("utf-8"),
            parse_float=_parse_decimal,
            parse_int=_parse_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_fields,
        )
    except (ValueError, RecursionError):
        raise Problem("malformed", "The body is not JSON.") from None
    _check_shape(value)
    return value


def _check_shape(value: object) -> None:
    """Refuse deep nesting, and field names with a surrogate: an answer that names the field could not be encoded."""
    values = [value]
    for _ in range(MAX_DEPTH):
        children: list[object] = []
        for parent in values:
            if isinstance(parent, dict):
                if any(_SURROGATE.search(name) for name in parent):
                    raise invalid("", "has a field name that is not text", FaultCode.NOT_TEXT)
                children += parent.values()
            elif isinstance(parent, list):
                children += parent
        if not children:
            return
        values = children
    raise Problem("malformed", "The body is nested too deep.")

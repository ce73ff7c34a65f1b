"""The base class of all response bodies, and how they, their times and their amounts are encoded."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from domain.values import Money

# Decimals become JSON numbers with the same digits, as in 50.00, without a conversion to float.
encode = msgspec.json.Encoder(decimal_format="number").encode

Time = Annotated[datetime, Meta(tz=True)]
Url = Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})]


class ResponseBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of a response. Its JSON names are camelCase, and its OpenAPI schema follows from its fields.

    A field with the value UNSET is absent from the JSON.
    """


def rfc3339(moment: datetime) -> str:
    """Return the time in UTC as text that ends in Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def utc(moment: datetime) -> datetime:
    """Return the time in UTC, so that its JSON ends in Z."""
    return moment.astimezone(UTC)


def utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else utc(moment)


def major(minor: int, currency: str) -> Decimal:
    """Return the amount in the currency's major unit, with exactly that currency's decimals."""
    return Money(minor, currency).major

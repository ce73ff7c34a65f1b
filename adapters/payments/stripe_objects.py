"""Reads Stripe's objects field by field: a field may be absent, but a present one must be as Stripe documents it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.errors import DomainError
from domain.values import CURRENCIES, Money

LARGEST_AMOUNT = 10**12
LARGEST_RATE = 10**9
LONGEST_TEXT = 500
# The end of the year 9999, which is as far as a datetime goes.
LAST_SECOND = 253_402_300_799
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# The kinds of object that belong to a donation.
SESSION = "checkout.session"
INTENT = "payment_intent"
CHARGE = "charge"
REFUND = "refund"
DISPUTE = "dispute"
BALANCE_TRANSACTION = "balance_transaction"
# The parts of a fee in a balance transaction, which are no objects of their own at Stripe.
FEE_DETAIL = "fee_detail"
KINDS = frozenset({SESSION, INTENT, CHARGE, REFUND, DISPUTE, BALANCE_TRANSACTION})

# The fields in which each kind names other objects of its donation.
_LINK_FIELDS = {
    SESSION: ("payment_intent",),
    INTENT: ("latest_charge",),
    CHARGE: ("payment_intent",),
    REFUND: ("payment_intent", "charge"),
    DISPUTE: ("payment_intent", "charge"),
    BALANCE_TRANSACTION: ("source",),
}

# We write the metadata of sessions and intents, and Stripe copies an intent's to its charge. An operator may write
# anything into a refund's metadata.
_WITH_OUR_METADATA = frozenset({SESSION, INTENT, CHARGE})

# One of Stripe's objects or events as parsed JSON.
StripeDict = dict[str, Any]
# The ids of the ticket and of the donation under it.
DonationKey = tuple[UUID, UUID]


class MalformedObject(DomainError):
    """A part of an event is not as Stripe documents it; the message names the part and never quotes its value."""


class StripeObject:
    """Reads one object; every method raises MalformedObject if the field is not of the returned type."""

    def __init__(self, data: object, kind: str) -> None:
        if not isinstance(data, dict) or data.get("object") != kind:
            raise MalformedObject(f"data.object is not a {kind}")
        self.kind = kind
        self._data = data

    def has(self, name: str) -> bool:
        return self._data.get(name) is not None

    def text(self, name: str) -> str:
        return checked_text(self._data.get(name), name)

    def optional_text(self, name: str) -> str | None:
        value = self._data.get(name)
        return None if value is None else checked_text(value, name)

    def reference(self, name: str) -> str | None:
        """Return the id of another object, which Stripe writes as the bare id or expanded."""
        value = self._data.get(name)
        if isinstance(value, dict):
            return StripeObject(value, value.get("object", "")).text("id")
        return self.optional_text(name)

    def expanded(self, name: str, kind: str) -> StripeObject | None:
        """Return another object if Stripe wrote it expanded, or None."""
        value = self._data.get(name)
        return StripeObject(value, kind) if isinstance(value, dict) else None

    def integer(self, name: str) -> int:
        return checked_integer(self._data.get(name), name)

    def optional_time(self, name: str) -> int | None:
        """Return Unix seconds, or None if the field is absent."""
        value = self._data.get(name)
        return None if value is None else checked_time(value, name)

    def optional_rate(self, name: str) -> Decimal | None:
        """Return an exchange rate with the digits that Stripe wrote, or None if the field is absent."""
        value = self._data.get(name)
        if value is None:
            return None
        if type(value) not in (int, float) or not 1 / LARGEST_RATE < value < LARGEST_RATE:
            raise MalformedObject(name)
        return Decimal(str(value))

    def flag(self, name: str, default: bool) -> bool:
        value = self._data.get(name, default)
        if not isinstance(value, bool):
            raise MalformedObject(name)
        return value

    def currency(self) -> str:
        currency = self.text("currency").upper()
        if currency not in CURRENCIES:
            raise MalformedObject("currency")
        return currency

    def money(self, name: str) -> Money:
        amount = self.signed_money(name)
        if amount.minor < 0:
            raise MalformedObject(name)
        return amount

    def signed_money(self, name: str) -> Money:
        """Return an amount that may be negative, as the amounts of balance transactions may."""
        amount = self.integer(name)
        if abs(amount) > LARGEST_AMOUNT:
            raise MalformedObject(name)
        return Money(amount, self.currency())

    def mapping(self, name: str) -> Mapping[str, object]:
        value = self._data.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise MalformedObject(name)
        return value

    def objects(self, name: str, kind: str) -> list[StripeObject]:
        """Return the objects in a list field, with kind and currency added to those that lack them."""
        value = self._data.get(name)
        if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
            raise MalformedObject(name)
        return [StripeObject({"object": kind, "currency": self._data.get("currency")} | part, kind) for part in value]

    def linked_ids(self) -> tuple[str, ...]:
        """Return the object's own id and the ids of the objects of the same donation that it names."""
        references = map(self.reference, _LINK_FIELDS[self.kind])
        return tuple(dict.fromkeys(filter(None, (self.text("id"), *references))))

    def is_whole(self) -> bool:
        """Return True if the object would have our metadata if it were ours; an intent's charge may have lost it."""
        return self.kind in (SESSION, INTENT) or (self.kind == CHARGE and not self.has("payment_intent"))

    def named_donation(self) -> DonationKey | None:
        """Return the donation that the metadata names, or None if it is not our metadata."""
        metadata = self.mapping("metadata")
        if self.kind not in _WITH_OUR_METADATA:
            return None
        try:
            return UUID(str(metadata["ticketId"])), UUID(str(metadata["donationId"]))
        except (KeyError, ValueError):
            return None


def checked_text(value: object, name: str) -> str:
    if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and not _CONTROL.search(value):
        return value
    raise MalformedObject(name)


def checked_time(value: object, name: str) -> int:
    if 0 <= (seconds := checked_integer(value, name)) <= LAST_SECOND:
        return seconds
    raise MalformedObject(name)


def checked_integer(value: object, name: str) -> int:
    if type(value) is not int:
        raise MalformedObject(name)
    return value

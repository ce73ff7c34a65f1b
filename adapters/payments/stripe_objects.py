"""Stripe's objects read field by field: what is absent may be optional, what is there must be as documented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.errors import DomainError
from domain.values import CURRENCIES, Money

LARGEST_AMOUNT = 10**12
LONGEST_TEXT = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# The kinds of object that a gift is made of.
SESSION = "checkout.session"
INTENT = "payment_intent"
CHARGE = "charge"
REFUND = "refund"
DISPUTE = "dispute"
BALANCE_TRANSACTION = "balance_transaction"
KINDS = frozenset({SESSION, INTENT, CHARGE, REFUND, DISPUTE, BALANCE_TRANSACTION})

# Where each names the others of its donation.
_LINKS = {
    SESSION: ("payment_intent",),
    INTENT: ("latest_charge",),
    CHARGE: ("payment_intent",),
    REFUND: ("payment_intent", "charge"),
    DISPUTE: ("payment_intent", "charge"),
    BALANCE_TRANSACTION: ("source",),
}

# Where we put the donation's name ourselves, or Stripe copied it; a refund's metadata is an operator's free text.
_NAMING = frozenset({SESSION, INTENT, CHARGE})


class MalformedFact(DomainError):
    """A part of an event that is not as Stripe documents it; the message names the part, never what stood there."""


class StripeObject:
    """One of Stripe's objects; every method raises MalformedFact for what is not of the type it gives."""

    def __init__(self, data: Any, kind: str) -> None:
        if not isinstance(data, dict) or data.get("object") != kind:
            raise MalformedFact(f"data.object is no {kind}")
        self.kind = kind
        self._data = data

    def has(self, name: str) -> bool:
        return self._data.get(name) is not None

    def text(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise MalformedFact(name)
        return value

    def optional(self, name: str) -> str | None:
        value = self._data.get(name)
        if value is None:
            return None
        if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and not _CONTROL.search(value):
            return value
        raise MalformedFact(name)

    def reference(self, name: str) -> str | None:
        """The id of another object, which Stripe gives bare or expanded."""
        value = self._data.get(name)
        if isinstance(value, dict):
            return StripeObject(value, value.get("object", "")).text("id")
        return self.optional(name)

    def expanded(self, name: str, kind: str) -> StripeObject | None:
        """Another object, where Stripe gives it whole and not just its id."""
        value = self._data.get(name)
        return StripeObject(value, kind) if isinstance(value, dict) else None

    def integer(self, name: str) -> int:
        return whole_number(self._data.get(name), name)

    def flag(self, name: str, default: bool) -> bool:
        value = self._data.get(name, default)
        if not isinstance(value, bool):
            raise MalformedFact(name)
        return value

    def currency(self) -> str:
        currency = self.text("currency").upper()
        if currency not in CURRENCIES:
            raise MalformedFact("currency")
        return currency

    def money(self, name: str) -> Money:
        amount = self.signed(name)
        if amount.minor < 0:
            raise MalformedFact(name)
        return amount

    def signed(self, name: str) -> Money:
        """An amount that may be negative, as only those of balance transactions are."""
        amount = self.integer(name)
        if abs(amount) > LARGEST_AMOUNT:
            raise MalformedFact(name)
        return Money(amount, self.currency())

    def part(self, name: str) -> Mapping[str, Any]:
        value = self._data.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise MalformedFact(name)
        return value

    def parts(self, name: str, kind: str) -> list[StripeObject]:
        """The objects in a list, which may leave out to say what they are."""
        value = self._data.get(name)
        if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
            raise MalformedFact(name)
        return [StripeObject({"object": kind, "currency": self._data.get("currency")} | part, kind) for part in value]

    def objects(self) -> tuple[str, ...]:
        """The object's own id and those of the others it names that belong to the same donation."""
        references = map(self.reference, _LINKS[self.kind])
        return tuple(dict.fromkeys(filter(None, (self.text("id"), *references))))

    def named(self) -> tuple[UUID, UUID] | None:
        """The ticket and donation that the metadata names; metadata of others says nothing to us."""
        metadata = self.part("metadata")
        if self.kind not in _NAMING:
            return None
        try:
            return UUID(str(metadata["ticketId"])), UUID(str(metadata["donationId"]))
        except (KeyError, ValueError):
            return None


def whole_number(value: Any, name: str) -> int:
    if type(value) is not int:
        raise MalformedFact(name)
    return value

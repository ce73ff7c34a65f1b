"""What a Stripe event says in our words: the facts of the ledger, and the objects that link them to a donation.

Read strictly: whatever is not as Stripe documents it raises MalformedFact and never has an effect
(https://docs.stripe.com/api/events/types).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.donation import CLOSED_DISPUTE, DISPUTE_RANK, LIVE_REFUND, REFUND_RANK
from domain.errors import DomainError
from domain.events import (
    CheckoutExpired,
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
    DonationEvent,
    FeeCharged,
    PaymentDelayed,
    PaymentFailed,
    PaymentReceived,
    Refunded,
    RefundFailed,
    RefundTotalReported,
)
from domain.values import CURRENCIES, Donor, Money, StripeReport

LARGEST_AMOUNT = 10**12
LONGEST_NAME = 100


class MalformedFact(DomainError):
    """A part of an event that is not as Stripe documents it; the message names the part, never what stood there."""


@dataclass(frozen=True)
class Fact:
    """One thing that an event says about one donation, with the values its domain event carries."""

    event: type[DonationEvent]
    told: Mapping[str, Any]

    @property
    def currency(self) -> str | None:
        money = self.told.get("amount") or self.told.get("fee")
        return money.currency if isinstance(money, Money) else None


@dataclass(frozen=True)
class Reading:
    """All that one event says; `objects` all belong to the same donation, `named` is it, where metadata says so."""

    facts: tuple[Fact, ...]
    objects: tuple[str, ...]
    named: tuple[UUID, UUID] | None


class _Object:
    """A Stripe object, read field by field."""

    def __init__(self, data: Any, kind: str) -> None:
        if not isinstance(data, dict) or data.get("object") != kind:
            raise MalformedFact(f"data.object is no {kind}")
        self._data = data

    def text(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise MalformedFact(name)
        return value

    def optional(self, name: str) -> str | None:
        value = self._data.get(name)
        if value is None or (isinstance(value, str) and 0 < len(value) <= 500):
            return value
        raise MalformedFact(name)

    def reference(self, name: str) -> str | None:
        """The id of another object, which Stripe gives bare or expanded."""
        value = self._data.get(name)
        if isinstance(value, dict):
            return _Object(value, value.get("object", "")).text("id")
        return self.optional(name)

    def expanded(self, name: str) -> _Object | None:
        """Another object, where Stripe gives it whole and not just its id."""
        value = self._data.get(name)
        return _Object(value, name) if isinstance(value, dict) else None

    def integer(self, name: str) -> int:
        return _integer(self._data.get(name), name)

    def boolean(self, name: str) -> bool:
        value = self._data.get(name)
        if not isinstance(value, bool):
            raise MalformedFact(name)
        return value

    def money(self, name: str) -> Money:
        currency = self.text("currency").upper()
        if currency not in CURRENCIES:
            raise MalformedFact("currency")
        amount = self.integer(name)
        if not 0 <= amount <= LARGEST_AMOUNT:
            raise MalformedFact(name)
        return Money(amount, currency)

    def part(self, name: str) -> Mapping[str, Any]:
        value = self._data.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise MalformedFact(name)
        return value

    def parts(self, name: str) -> list[Any]:
        value = self._data.get(name)
        if not isinstance(value, list):
            raise MalformedFact(name)
        return value

    def named(self) -> tuple[UUID, UUID] | None:
        """The ticket and donation that the metadata names; metadata of others says nothing to us."""
        metadata = self.part("metadata")
        try:
            return UUID(str(metadata["ticketId"])), UUID(str(metadata["donationId"]))
        except (KeyError, ValueError):
            return None


def _integer(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedFact(name)
    return value


# Turns a billing e-mail into the keyed hash that is kept of it.
HashEmail = Callable[[str], str]


def read(event: Mapping[str, Any], hash_email: HashEmail) -> Reading | None:
    """What a full event says, or None if its type is not ours; MalformedFact if it is not as documented."""
    kind, reader = _READERS.get(event["type"], (None, None))
    if kind is None or reader is None:
        return None
    data = event.get("data")
    if not isinstance(data, dict):
        raise MalformedFact("data")
    thing = _Object(data.get("object"), kind)
    report = StripeReport(event["id"], _integer(event.get("created"), "created"))
    facts = tuple(reader(thing, report, hash_email))
    references = (thing.reference("payment_intent"), thing.reference("charge"), thing.reference("latest_charge"))
    return Reading(facts, tuple(dict.fromkeys(filter(None, (thing.text("id"), *references)))), thing.named())


_Facts = Iterator[Fact]


def _donor(details: Mapping[str, Any], hash_email: HashEmail) -> Donor:
    """The last token of the name, the country, a keyed hash of the e-mail; nothing else of the donor is kept."""
    address = details.get("address") or {}
    name, email, country = details.get("name"), details.get("email"), None
    if isinstance(address, dict):
        country = address.get("country")
    for value in (name, email, country):
        if value is not None and not isinstance(value, str):
            raise MalformedFact("donor")
    tokens = (name or "").split()
    return Donor(
        last_name=tokens[-1][:LONGEST_NAME] if tokens else None,
        country=country.upper() if country and len(country) == 2 else None,
        email_hash=hash_email(email.strip().lower()) if email and email.strip() else None,
    )


def _session_paid(session: _Object, report: StripeReport, hash_email: HashEmail) -> _Facts:
    if session.text("mode") != "payment" or session.text("payment_status") == "no_payment_required":
        return
    if session.text("payment_status") == "unpaid":
        yield Fact(PaymentDelayed, {"object_id": session.text("id"), "report": report})
        return
    intent = session.reference("payment_intent")
    if intent is None:
        raise MalformedFact("payment_intent")
    yield Fact(
        PaymentReceived,
        {
            "payment_intent_id": intent,
            "amount": session.money("amount_total"),
            "session_id": session.text("id"),
            "donor": _donor(session.part("customer_details"), hash_email),
            "report": report,
        },
    )


def _session_failed(session: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    yield Fact(PaymentFailed, {"object_id": session.text("id"), "reason": "async_payment_failed", "report": report})


def _session_expired(session: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    yield Fact(CheckoutExpired, {"session_id": session.text("id"), "report": report})


def _intent_succeeded(intent: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    yield Fact(
        PaymentReceived,
        {
            "payment_intent_id": intent.text("id"),
            "amount": intent.money("amount_received"),
            "charge_id": intent.reference("latest_charge"),
            "report": report,
        },
    )


def _intent_failed(intent: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    error = intent.part("last_payment_error")
    reason = error.get("decline_code") or error.get("code") or "payment_failed"
    yield Fact(PaymentFailed, {"object_id": intent.text("id"), "reason": str(reason)[:100], "report": report})


def _intent_canceled(intent: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    yield Fact(PaymentFailed, {"object_id": intent.text("id"), "reason": "canceled", "report": report})


def _intent_processing(intent: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    yield Fact(PaymentDelayed, {"object_id": intent.text("id"), "report": report})


def _charge_told(charge: _Object, report: StripeReport, hash_email: HashEmail) -> _Facts:
    if charge.text("status") != "succeeded" or not charge.boolean("captured"):
        return
    yield Fact(
        PaymentReceived,
        {
            # A charge made without an intent stands for its own payment.
            "payment_intent_id": charge.reference("payment_intent") or charge.text("id"),
            "amount": charge.money("amount_captured"),
            "charge_id": charge.text("id"),
            "donor": _donor(charge.part("billing_details"), hash_email),
            "report": report,
        },
    )
    if (transaction := charge.expanded("balance_transaction")) is not None:
        yield Fact(
            FeeCharged,
            {
                "balance_transaction_id": transaction.text("id"),
                "fee": transaction.money("fee"),
                "report": report,
            },
        )


def _charge_refunded(charge: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    yield Fact(
        RefundTotalReported,
        {"charge_id": charge.text("id"), "amount": charge.money("amount_refunded"), "report": report},
    )


def _refund_told(refund: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    state = refund.optional("status") or "pending"
    if state not in REFUND_RANK:
        raise MalformedFact("status")
    yield Fact(
        Refunded if state in LIVE_REFUND else RefundFailed,
        {
            "refund_id": refund.text("id"),
            "amount": refund.money("amount"),
            "state": state,
            "refunded_at": refund.integer("created"),
            "report": report,
        },
    )


def _dispute_told(dispute: _Object, report: StripeReport, _: HashEmail) -> _Facts:
    state = dispute.text("status")
    if state not in DISPUTE_RANK:
        raise MalformedFact("status")
    yield Fact(
        DisputeClosed if state in CLOSED_DISPUTE else DisputeOpened,
        {"dispute_id": dispute.text("id"), "amount": dispute.money("amount"), "state": state, "report": report},
    )


def _dispute_moved(dispute: _Object, report: StripeReport, hash_email: HashEmail) -> _Facts:
    """Money left or came back: each balance transaction once, by its id, with its sign as Stripe gives it."""
    yield from _dispute_told(dispute, report, hash_email)
    for data in dispute.parts("balance_transactions"):
        transaction = _Object(data, "balance_transaction")
        amount = transaction.integer("amount")
        currency = transaction.text("currency").upper()
        if abs(amount) > LARGEST_AMOUNT or currency not in CURRENCIES:
            raise MalformedFact("balance_transactions")
        yield Fact(
            DisputeFundsWithdrawn if amount < 0 else DisputeFundsReinstated,
            {
                "dispute_id": dispute.text("id"),
                "balance_transaction_id": transaction.text("id"),
                "amount": Money(abs(amount), currency),
                "report": report,
            },
        )


_Reader = Callable[[_Object, StripeReport, HashEmail], _Facts]
_READERS: Mapping[str, tuple[str, _Reader]] = {
    "checkout.session.completed": ("checkout.session", _session_paid),
    "checkout.session.async_payment_succeeded": ("checkout.session", _session_paid),
    "checkout.session.async_payment_failed": ("checkout.session", _session_failed),
    "checkout.session.expired": ("checkout.session", _session_expired),
    "payment_intent.succeeded": ("payment_intent", _intent_succeeded),
    "payment_intent.payment_failed": ("payment_intent", _intent_failed),
    "payment_intent.processing": ("payment_intent", _intent_processing),
    "payment_intent.canceled": ("payment_intent", _intent_canceled),
    "charge.succeeded": ("charge", _charge_told),
    "charge.updated": ("charge", _charge_told),
    "charge.refunded": ("charge", _charge_refunded),
    "refund.created": ("refund", _refund_told),
    "refund.updated": ("refund", _refund_told),
    "refund.failed": ("refund", _refund_told),
    "charge.refund.updated": ("refund", _refund_told),
    "charge.dispute.created": ("dispute", _dispute_told),
    "charge.dispute.updated": ("dispute", _dispute_told),
    "charge.dispute.closed": ("dispute", _dispute_told),
    "charge.dispute.funds_withdrawn": ("dispute", _dispute_moved),
    "charge.dispute.funds_reinstated": ("dispute", _dispute_moved),
}

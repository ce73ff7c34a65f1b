"""Parsers that turn a Stripe object into facts.

There is one for each type of event, and one for each kind of object that we retrieve in its present state.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from msgspec import Struct

from adapters.payments.disputed_money import disputed_money
from adapters.payments.stripe_objects import (
    BALANCE_TRANSACTION,
    CHARGE,
    DISPUTE,
    FEE_DETAIL,
    INTENT,
    REFUND,
    SESSION,
    MalformedObject,
    StripeObject,
    checked_time,
)
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
from domain.movements import CLOSED_DISPUTE_STATES, DISPUTE_RANK, LIVE_REFUND_STATES, REFUND_RANK
from domain.values import Donor, FeeDetail, Money, StripeReport

LONGEST_NAME = 100
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")

# The fields in which a charge or a refund names its balance transactions.
BALANCE_TRANSACTION_FIELDS = ("balance_transaction", "failure_balance_transaction")

# Turns a billing e-mail into its keyed hash, the only form in which a domain event contains it.
HashEmail = Callable[[str], str]


class ParsedFact(Struct, frozen=True):
    """One fact about one donation: the type and the fields of the domain event that records it."""

    event_type: type[DonationEvent]
    fields: Mapping[str, Any]

    @property
    def currency(self) -> str | None:
        """Return the currency of `amount`, which must be the donation's; None without an amount, and so for a fee."""
        amount = self.fields.get("amount")
        return amount.currency if isinstance(amount, Money) else None


_Facts = Iterator[ParsedFact]


def _donor(details: Mapping[str, Any], hash_email: HashEmail) -> Donor:
    """Return what is stored about the donor: the name's last token, the country and a keyed hash of the e-mail."""
    address = details.get("address") or {}
    if not isinstance(address, dict):
        raise MalformedObject("address")
    name, email, country = details.get("name"), details.get("email"), address.get("country")
    for value in (name, email, country):
        if value is not None and not isinstance(value, str):
            raise MalformedObject("donor")
    tokens = "".join(character if character.isprintable() else " " for character in name or "").split()
    return Donor(
        last_name=tokens[-1][:LONGEST_NAME] if tokens else None,
        country=country.upper() if country and _COUNTRY.fullmatch(country) else None,
        email_hash=hash_email(email.strip().lower()) if email and email.strip() else None,
    )


def _session_completed(session: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    status = session.text("payment_status")
    if not _is_payment(session) or status == "no_payment_required":
        return
    if status == "unpaid":
        yield ParsedFact(PaymentDelayed, {"object_id": session.text("id"), "report": report})
        return
    if status != "paid":
        raise MalformedObject("payment_status")
    intent = session.reference("payment_intent")
    if intent is None:
        raise MalformedObject("payment_intent")
    yield ParsedFact(
        PaymentReceived,
        {
            "payment_intent_id": intent,
            "amount": session.money("amount_total"),
            "session_id": session.text("id"),
            "donor": _donor(session.mapping("customer_details"), hash_email),
            "report": report,
        },
    )


def _is_payment(session: StripeObject) -> bool:
    """Return False for the checkout of a subscription, even if its metadata was copied from a donation."""
    return session.optional_text("mode") in (None, "payment")


def _session_failed(session: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    if _is_payment(session):
        reason = "async_payment_failed"
        yield ParsedFact(PaymentFailed, {"object_id": session.text("id"), "reason": reason, "report": report})


def _session_expired(session: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    if _is_payment(session):
        yield ParsedFact(CheckoutExpired, {"session_id": session.text("id"), "report": report})


def _intent_succeeded(intent: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    charge = intent.expanded("latest_charge", CHARGE)
    yield ParsedFact(
        PaymentReceived,
        {
            "payment_intent_id": intent.text("id"),
            "amount": intent.money("amount_received"),
            "charge_id": intent.reference("latest_charge"),
            "captured_at": charge.optional_time("created") if charge is not None else None,
            "report": report,
        },
    )


def _intent_failed(intent: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    error = intent.mapping("last_payment_error")
    reason = error.get("decline_code") or error.get("code") or "payment_failed"
    if not isinstance(reason, str) or not _CODE.fullmatch(reason):
        raise MalformedObject("last_payment_error")
    yield ParsedFact(PaymentFailed, {"object_id": intent.text("id"), "reason": reason, "report": report})


def _intent_canceled(intent: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    yield ParsedFact(PaymentFailed, {"object_id": intent.text("id"), "reason": "canceled", "report": report})


def _intent_processing(intent: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    yield ParsedFact(PaymentDelayed, {"object_id": intent.text("id"), "report": report})


def _charge_captured(charge: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    if charge.optional_text("status") not in (None, "succeeded") or not charge.flag("captured", default=True):
        return
    yield ParsedFact(
        PaymentReceived,
        {
            # A charge without an intent is its own payment.
            "payment_intent_id": charge.reference("payment_intent") or charge.text("id"),
            "amount": charge.money("amount_captured" if charge.has("amount_captured") else "amount"),
            "charge_id": charge.text("id"),
            "donor": _donor(charge.mapping("billing_details"), hash_email),
            "captured_at": charge.optional_time("created"),
            "report": report,
        },
    )
    yield from _expanded_balance_transactions(charge, report, hash_email)


def refunded_total(charge: StripeObject) -> Money:
    """Return how much of the captured sum was refunded.

    Before version 2025-03-31 of Stripe's API `amount_refunded` includes what was authorised and never captured. A
    charge does not show its version, so a sum that may include that rest is taken to include it. Refunds that are
    reported one by one count in any case.
    """
    refunded = charge.money("amount_refunded")
    if not charge.flag("captured", default=True):
        return Money(0, refunded.currency)
    captured = charge.money("amount_captured" if charge.has("amount_captured") else "amount")
    rest = charge.integer("amount") - captured.minor if charge.has("amount") else 0
    if rest > 0 and charge.flag("refunded", default=False):
        return captured
    return Money(refunded.minor - rest, refunded.currency) if 0 < rest <= refunded.minor else refunded


def _charge_refunded(charge: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    if (refunded := refunded_total(charge)).minor:
        yield ParsedFact(RefundTotalReported, {"charge_id": charge.text("id"), "amount": refunded, "report": report})


def _refund_reported(refund: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    state = refund.optional_text("status") or "pending"
    if state not in REFUND_RANK:
        raise MalformedObject("status")
    created = refund.optional_time("created")
    yield ParsedFact(
        Refunded if state in LIVE_REFUND_STATES else RefundFailed,
        {
            "refund_id": refund.text("id"),
            "amount": refund.money("amount"),
            "state": state,
            "refunded_at": report.at if created is None else created,
            "charge_id": refund.reference("charge"),
            "payment_intent_id": refund.reference("payment_intent"),
            "report": report,
        },
    )
    yield from _expanded_balance_transactions(refund, report, hash_email)


def _dispute_reported(dispute: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    state = dispute.text("status")
    if state not in DISPUTE_RANK:
        raise MalformedObject("status")
    yield ParsedFact(
        DisputeClosed if state in CLOSED_DISPUTE_STATES else DisputeOpened,
        {
            "dispute_id": dispute.text("id"),
            "amount": dispute.money("amount"),
            "state": state,
            "reason": _dispute_reason(dispute),
            "evidence_due_by": _evidence_due_by(dispute),
            "disputed_at": _dispute_created(dispute),
            "report": report,
        },
    )


# These fields only describe a dispute, so an unusual value is left out, and the movements of its money are recorded.


def _dispute_reason(dispute: StripeObject) -> str | None:
    with suppress(MalformedObject):
        reason = dispute.optional_text("reason")
        return reason if reason is not None and _CODE.fullmatch(reason) else None
    return None


def _evidence_due_by(dispute: StripeObject) -> int | None:
    with suppress(MalformedObject):
        due_by = dispute.mapping("evidence_details").get("due_by")
        return None if due_by is None else checked_time(due_by, "due_by")
    return None


def _dispute_created(dispute: StripeObject) -> int | None:
    with suppress(MalformedObject):
        return dispute.optional_time("created")
    return None


def _dispute_funds_moved(dispute: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    """Yield the dispute's state and the movements of the disputed money; the sign tells withdrawn from reinstated."""
    yield from _dispute_reported(dispute, report, hash_email)
    moved_by_id = disputed_money(dispute)
    for transaction in dispute.objects("balance_transactions", BALANCE_TRANSACTION):
        id = transaction.text("id")
        moved = moved_by_id.get(id)
        if moved is not None:
            yield ParsedFact(
                DisputeFundsWithdrawn if transaction.integer("amount") < 0 else DisputeFundsReinstated,
                {
                    "dispute_id": dispute.text("id"),
                    "balance_transaction_id": id,
                    "amount": Money(abs(moved.minor), moved.currency),
                    "report": report,
                    "moved_at": transaction.optional_time("created"),
                    # A charge without an intent is its own payment.
                    "payment_intent_id": dispute.reference("payment_intent") or dispute.reference("charge"),
                    "exchange_rate": _rate(transaction),
                },
            )
        if transaction.has("fee"):
            is_converted = moved is not None and moved.currency != transaction.currency()
            yield _fee_charged(transaction, report, moved if is_converted else None)


def _balance_transaction(transaction: StripeObject, report: StripeReport, _: HashEmail) -> _Facts:
    yield _fee_charged(transaction, report)


def _fee_charged(transaction: StripeObject, report: StripeReport, converted: Money | None = None) -> ParsedFact:
    gross, fee = transaction.signed_money("amount"), transaction.signed_money("fee")
    if transaction.has("net") and transaction.integer("net") != gross.minor - fee.minor:
        raise MalformedObject("net")
    category = transaction.optional_text("reporting_category") or transaction.optional_text("type")
    details = transaction.objects("fee_details", FEE_DETAIL) if transaction.has("fee_details") else ()
    return ParsedFact(
        FeeCharged,
        {
            "balance_transaction_id": transaction.text("id"),
            "source_id": transaction.reference("source"),
            "category": category or "unknown",
            "gross": gross,
            "fee": fee,
            "report": report,
            "created_at": transaction.optional_time("created"),
            "exchange_rate": _rate(transaction),
            "fee_details": tuple(FeeDetail(part.text("type"), part.signed_money("amount")) for part in details),
            "converted": converted,
        },
    )


def _rate(transaction: StripeObject) -> str | None:
    rate = transaction.optional_rate("exchange_rate")
    return None if rate is None else f"{rate:f}"


def _expanded_balance_transactions(stripe_object: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    for name in BALANCE_TRANSACTION_FIELDS:
        if (transaction := stripe_object.expanded(name, BALANCE_TRANSACTION)) is not None:
            yield from _balance_transaction(transaction, report, hash_email)


# Parsers of an object's present state, for objects that we retrieved and whose event type is not known.


def _session_state(session: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    match session.text("status"):
        case "complete":
            yield from _session_completed(session, report, hash_email)
        case "expired":
            yield from _session_expired(session, report, hash_email)


def _intent_state(intent: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    match intent.text("status"):
        case "succeeded":
            yield from _intent_succeeded(intent, report, hash_email)
        case "processing":
            yield from _intent_processing(intent, report, hash_email)
        case "canceled":
            yield from _intent_canceled(intent, report, hash_email)
        case "requires_payment_method" if intent.mapping("last_payment_error"):
            yield from _intent_failed(intent, report, hash_email)


def _charge_state(charge: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    yield from _charge_captured(charge, report, hash_email)
    if charge.has("amount_refunded"):
        yield from _charge_refunded(charge, report, hash_email)


def _dispute_state(dispute: StripeObject, report: StripeReport, hash_email: HashEmail) -> _Facts:
    parse = _dispute_funds_moved if dispute.has("balance_transactions") else _dispute_reported
    yield from parse(dispute, report, hash_email)


# The `StripeReport` names the event that reports the facts, and its time.
Parser = Callable[[StripeObject, StripeReport, HashEmail], _Facts]
STATE_PARSERS: Mapping[str, Parser] = {
    SESSION: _session_state,
    INTENT: _intent_state,
    CHARGE: _charge_state,
    REFUND: _refund_reported,
    DISPUTE: _dispute_state,
    BALANCE_TRANSACTION: _balance_transaction,
}
EVENT_PARSERS: Mapping[str, tuple[str, Parser]] = {
    "checkout.session.completed": (SESSION, _session_completed),
    "checkout.session.async_payment_succeeded": (SESSION, _session_completed),
    "checkout.session.async_payment_failed": (SESSION, _session_failed),
    "checkout.session.expired": (SESSION, _session_expired),
    "payment_intent.succeeded": (INTENT, _intent_succeeded),
    "payment_intent.payment_failed": (INTENT, _intent_failed),
    "payment_intent.processing": (INTENT, _intent_processing),
    "payment_intent.canceled": (INTENT, _intent_canceled),
    "charge.succeeded": (CHARGE, _charge_captured),
    "charge.updated": (CHARGE, _charge_captured),
    "charge.refunded": (CHARGE, _charge_refunded),
    "refund.created": (REFUND, _refund_reported),
    "refund.updated": (REFUND, _refund_reported),
    "refund.failed": (REFUND, _refund_reported),
    "charge.refund.updated": (REFUND, _refund_reported),
    "charge.dispute.created": (DISPUTE, _dispute_reported),
    "charge.dispute.updated": (DISPUTE, _dispute_reported),
    "charge.dispute.closed": (DISPUTE, _dispute_reported),
    "charge.dispute.funds_withdrawn": (DISPUTE, _dispute_funds_moved),
    "charge.dispute.funds_reinstated": (DISPUTE, _dispute_funds_moved),
}

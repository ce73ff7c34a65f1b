"""Compares a donation's money with Stripe's objects, to the minor unit, and says where the two differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.payments.disputed_money import disputed_money
from adapters.payments.event_parsers import refunded_total
from adapters.payments.recorded_donations import RecordedDonation
from adapters.payments.stripe_objects import CHARGE, DISPUTE, MalformedObject, StripeDict, StripeObject
from domain.events import FeeCharged
from domain.gift import Gift
from domain.movements import CLOSED_DISPUTE_STATES, LIVE_REFUND_STATES, PENDING_REFUND_STATES
from domain.values import Money


def agrees(recorded: RecordedDonation, stripe_object: StripeDict) -> bool:
    """Return True if the donation's money includes all that this object states; a malformed object never agrees."""
    try:
        return _includes(recorded, stripe_object)
    except MalformedObject:
        return False


def _includes(recorded: RecordedDonation, stripe_object: StripeDict) -> bool:
    gift = recorded.donation.gift
    match stripe_object:
        case {"object": "checkout.session", "payment_status": "paid", "payment_intent": str(intent)}:
            return bool(_captured(gift, intent) == stripe_object["amount_total"])
        case {"object": "checkout.session", "status": "complete"}:
            return gift.delayed or bool(gift.captured)
        case {"object": "checkout.session", "status": "expired"}:
            return gift.expired
        case {"object": "payment_intent", "status": "succeeded"}:
            return bool(_captured(gift, stripe_object["id"]) == stripe_object["amount_received"])
        case {"object": "payment_intent", "status": "processing"}:
            return gift.delayed
        case {"object": "payment_intent", "status": "canceled"}:
            return gift.failure is not None
        case {"object": "charge", "status": "succeeded", "captured": True}:
            paid = _captured(gift, stripe_object["payment_intent"] or stripe_object["id"])
            return paid == stripe_object["amount_captured"] and gift.charge_id is not None
        case {"object": "refund"}:
            refund = gift.refunds.get(stripe_object["id"])
            is_live = (stripe_object["status"] or "pending") in LIVE_REFUND_STATES
            return refund is not None and refund.amount == stripe_object["amount"] and refund.live is is_live
        case {"object": "dispute"}:
            # The gift counts withdrawn money as positive, a balance transaction counts it as negative.
            return gift.dispute_state(stripe_object["id"]) == stripe_object["status"] and all(
                (movement := gift.movements.get(id)) is not None and movement.amount == -moved.minor
                for id, moved in _moved(stripe_object).items()
            )
        case {"object": "balance_transaction", "currency": str(currency)}:
            fee = recorded.fees.get(stripe_object["id"])
            stated = Money(stripe_object["amount"], currency.upper()), Money(stripe_object["fee"], currency.upper())
            return fee is not None and (fee.gross, fee.fee) == stated
        case _:
            return True


def _moved(dispute: StripeDict) -> dict[str, Money]:
    return disputed_money(StripeObject(dispute, DISPUTE)) if dispute.get("balance_transactions") else {}


def _captured(gift: Gift, intent: str) -> int | None:
    capture = gift.captured.get(intent)
    return None if capture is None else capture.amount


# Our own side.


@dataclass(frozen=True)
class OwnRecord:
    """A record of ours that an object of Stripe with one of these ids must explain."""

    id: str
    text: str
    # One of these objects is enough; the first is the one to ask Stripe for.
    object_ids: tuple[str, ...]


def own_records(recorded: RecordedDonation, since: float) -> Iterator[OwnRecord]:
    """Yield what we recorded as of that time or later, and the refunds and disputes that are not decided yet."""
    gift, currency = recorded.donation.gift, recorded.donation.amount.currency
    charge_ids: dict[str, list[str]] = {}
    for charge_id, intent in gift.intents.items():
        charge_ids.setdefault(intent, []).append(charge_id)
    for entry in gift.entries():
        if entry.at >= since:
            text = f"{entry.kind} {_text(Money(entry.amount, currency))}"
            yield OwnRecord(entry.source_id, text, (entry.source_id, *charge_ids.get(entry.source_id, ())))
    for id, fee in recorded.fees.items():
        if (fee.report.at if fee.created_at is None else fee.created_at) >= since:
            yield OwnRecord(id, _fee_text(fee.gross, fee.fee), (id,))
    for id in undecided_ids(gift):
        yield OwnRecord(id, _state_text(gift, id, currency), (id,))


def undecided_ids(gift: Gift) -> list[str]:
    """Return the ids of the pending refunds, and of the disputes and inquiries that are not closed."""
    refunds = [id for id, refund in gift.refunds.items() if refund.state in PENDING_REFUND_STATES]
    return refunds + [id for id in gift.disputes if gift.dispute_state(id) not in CLOSED_DISPUTE_STATES]


def known_ids(stripe_objects: Iterable[StripeDict]) -> set[str]:
    """Return the ids of the objects and of the balance transactions that disputes contain."""
    ids = {data["id"] for data in stripe_objects}
    for data in stripe_objects:
        ids.update(part["id"] for part in data.get("balance_transactions") or () if isinstance(part, dict))
    return ids


# Differences.


def differences(
    recorded: RecordedDonation, stripe_objects: Sequence[StripeDict], unknown: Sequence[OwnRecord]
) -> list[str]:
    """Return a text for each difference, with both sums. `unknown` is what Stripe does not find."""
    texts = [
        f"{data['id']}: {_here(recorded, data)} here, {_stated_or_malformed(data)} at Stripe"
        for data in stripe_objects
        if not agrees(recorded, data)
    ]
    texts += [f"{record.id}: {record.text} here, not at Stripe" for record in unknown]
    return texts or list(_different_sums(recorded, stripe_objects))


def _different_sums(recorded: RecordedDonation, stripe_objects: Sequence[StripeDict]) -> Iterator[str]:
    """Yield the sums that differ; they are compared if an object of each payment is there."""
    gift, currency = recorded.donation.gift, recorded.donation.amount.currency
    paid_at_stripe, charges = _payments_at_stripe(stripe_objects)
    if not gift.captured or not gift.captured.keys() <= paid_at_stripe.keys():
        return
    if gift.paid != (at_stripe := sum(paid_at_stripe.values())):
        yield f"paid: {_text(Money(gift.paid, currency))} here, {_text(Money(at_stripe, currency))} at Stripe"
    if len(charges) < len(gift.captured):
        return
    # The refunded total of a charge may include what was never captured, and its refunds do not.
    least = sum(refunded_total(StripeObject(charge, CHARGE)).minor for charge in charges)
    most = sum(charge["amount_refunded"] for charge in charges)
    if not least <= gift.refunded <= most:
        yield f"refunded: {_text(Money(gift.refunded, currency))} here, {_text(Money(least, currency))} at Stripe"


def _payments_at_stripe(stripe_objects: Sequence[StripeDict]) -> tuple[Mapping[str, int], list[StripeDict]]:
    """Return what was captured of each payment, and the charges that succeeded."""
    captured: dict[str, int] = {}
    charges = [data for data in stripe_objects if data["object"] == "charge" and data["status"] == "succeeded"]
    for charge in charges:
        captured[charge["payment_intent"] or charge["id"]] = charge["amount_captured"]
    for data in stripe_objects:
        if data["object"] == "payment_intent":
            captured[data["id"]] = data["amount_received"]
    return captured, charges


def _here(recorded: RecordedDonation, stripe_object: StripeDict) -> str:
    gift, currency, id = recorded.donation.gift, recorded.donation.amount.currency, stripe_object["id"]
    match stripe_object["object"]:
        case "refund" | "dispute":
            return _state_text(gift, id, currency)
        case "balance_transaction":
            fee: FeeCharged | None = recorded.fees.get(id)
            return "nothing" if fee is None else _fee_text(fee.gross, fee.fee)
    intent = id if stripe_object["object"] == "payment_intent" else stripe_object["payment_intent"] or id
    captured = _captured(gift, intent)
    return gift.status.value if captured is None else f"paid {_text(Money(captured, currency))}"


def _state_text(gift: Gift, id: str, currency: str) -> str:
    if (refund := gift.refunds.get(id)) is not None:
        return f"refund of {_text(Money(refund.amount, currency))} {refund.state}"
    if (state := gift.dispute_state(id)) is None:
        return "nothing"
    return f"dispute {state or 'open'}, {_text(Money(gift.disputed, currency))} withdrawn"


def _stated_or_malformed(stripe_object: StripeDict) -> str:
    try:
        return _stated(stripe_object)
    except MalformedObject as fault:
        return f"malformed ({fault})"


def _stated(stripe_object: StripeDict) -> str:
    """Return what the object states, with its sum."""
    currency = str(stripe_object["currency"]).upper()
    match stripe_object:
        case {"object": "checkout.session", "payment_status": "paid", "amount_total": int(minor)}:
            return f"paid {_text(Money(minor, currency))}"
        case {"object": "payment_intent", "status": "succeeded", "amount_received": int(minor)}:
            return f"paid {_text(Money(minor, currency))}"
        case {"object": "charge", "amount_captured": int(minor)}:
            return f"paid {_text(Money(minor, currency))}"
        case {"object": "refund", "amount": int(minor)}:
            return f"refund of {_text(Money(minor, currency))} {stripe_object['status']}"
        case {"object": "dispute", "status": str(state)}:
            withdrawn_minor = -sum(moved.minor for moved in _moved(stripe_object).values())
            return f"dispute {state}, {_text(Money(withdrawn_minor, currency))} withdrawn"
        case {"object": "balance_transaction", "amount": int(minor), "fee": int(fee)}:
            return _fee_text(Money(minor, currency), Money(fee, currency))
        case _:
            return str(stripe_object["status"])


def _fee_text(gross: Money, fee: Money) -> str:
    return f"{_text(gross)} with a fee of {_text(fee)}"


def _text(amount: Money) -> str:
    return f"{amount.major} {amount.currency}"

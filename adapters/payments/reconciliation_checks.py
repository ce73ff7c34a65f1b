"""Compares a donation's money with Stripe's objects, to the minor unit."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.payments.disputed_money import disputed_money
from adapters.payments.event_parsers import refunded_total
from adapters.payments.stripe_objects import CHARGE, DISPUTE, StripeDict, StripeObject
from domain.gift import Gift
from domain.movements import LIVE_REFUND_STATES


def agrees(gift: Gift, stripe_object: StripeDict) -> bool:
    """Return True if the donation's money includes all that this object states."""
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
                for id, moved in disputed_money(StripeObject(stripe_object, DISPUTE)).items()
            )
        case _:
            return True


def _captured(gift: Gift, intent: str) -> int | None:
    capture = gift.captured.get(intent)
    return None if capture is None else capture.amount


def sums_agree(gift: Gift, objects: Sequence[StripeDict]) -> bool:
    """Return True if the sums are equal, or cannot be compared because the objects of some payments are missing."""
    received_by_intent = {data["id"]: data["amount_received"] for data in objects if data["object"] == "payment_intent"}
    charges = [data for data in objects if data["object"] == "charge" and data["status"] == "succeeded"]
    if not gift.captured.keys() <= received_by_intent.keys() or len(charges) < len(gift.captured):
        return True
    # The refunded total of a charge may include what was never captured, and its refunds do not.
    least = sum(refunded_total(StripeObject(charge, CHARGE)).minor for charge in charges)
    most = sum(charge["amount_refunded"] for charge in charges)
    return bool(gift.paid == sum(received_by_intent.values()) and least <= gift.refunded <= most)

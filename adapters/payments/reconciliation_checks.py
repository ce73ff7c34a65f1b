"""Whether a gift of ours says the same as Stripe's objects, to the minor unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.gift import LIVE_REFUND, Gift

StripeDict = Mapping[str, Any]


def agrees(gift: Gift, thing: StripeDict) -> bool:
    """Whether the gift has taken in all that this object says."""
    match thing:
        case {"object": "checkout.session", "payment_status": "paid", "payment_intent": str(intent)}:
            return bool(gift.captured.get(intent) == thing["amount_total"])
        case {"object": "checkout.session", "status": "complete"}:
            return gift.delayed or bool(gift.captured)
        case {"object": "checkout.session", "status": "expired"}:
            return gift.expired
        case {"object": "payment_intent", "status": "succeeded"}:
            return bool(gift.captured.get(thing["id"]) == thing["amount_received"])
        case {"object": "payment_intent", "status": "processing"}:
            return gift.delayed
        case {"object": "payment_intent", "status": "canceled"}:
            return gift.failure is not None
        case {"object": "charge", "status": "succeeded", "captured": True}:
            paid = gift.captured.get(thing["payment_intent"] or thing["id"])
            return paid == thing["amount_captured"] and gift.charge_id is not None
        case {"object": "refund"}:
            known = gift.refunds.get(thing["id"])
            live = (thing["status"] or "pending") in LIVE_REFUND
            return known is not None and known.amount == thing["amount"] and (known.state in LIVE_REFUND) is live
        case {"object": "dispute"}:
            return gift.disputes.get(thing["id"]) == thing["status"] and all(
                gift.movements.get(moved["id"]) == -moved["amount"]
                for moved in thing["balance_transactions"]
                if moved["currency"] == thing["currency"]
            )
        case _:
            return True


def sums_agree(gift: Gift, things: Iterable[StripeDict]) -> bool:
    """Whether the gift adds up to the same as these objects, where they are all of its payments."""
    every = list(things)
    intents = {t["id"]: t["amount_received"] for t in every if t["object"] == "payment_intent"}
    charges = [t for t in every if t["object"] == "charge" and t["status"] == "succeeded"]
    if not gift.captured.keys() <= intents.keys() or len(charges) < len(gift.captured):
        return True
    refunded = sum(charge["amount_refunded"] for charge in charges)
    return bool(gift.paid == sum(intents.values()) and gift.refunded == refunded)

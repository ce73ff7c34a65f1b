"""The oracle: what a set of Stripe's events must add up to, read off the whole set at once.

It knows no order, no states and no history: each rule is a statement about all the events there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

Shape = Mapping[str, Any]

PAID_TYPES = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "payment_intent.succeeded",
        "charge.succeeded",
        "charge.updated",
    }
)
FAILED_TYPES = frozenset(
    {"checkout.session.async_payment_failed", "payment_intent.payment_failed", "payment_intent.canceled"}
)
REFUND_TYPES = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
MOVING_TYPES = frozenset({"charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"})


@dataclass(frozen=True)
class OracleRow:
    """One donation as the ledger must show it; times in Unix seconds."""

    status: str
    pending: bool
    paid: int
    refunded: int
    disputed: int
    paid_at: int | None
    refunded_at: int | None
    dispute: str | None
    donor: str | None
    country: str | None

    @property
    def net(self) -> int:
        return self.paid - self.refunded - self.disputed


@dataclass(frozen=True)
class OracleEvent:
    """An event with its object whole, whether Stripe sent it along or not."""

    type: str
    at: int
    thing: Shape


def told(event: Shape, retrieve: Callable[[str], Shape]) -> OracleEvent:
    if event["object"] == "event":
        return OracleEvent(event["type"], event["created"], event["data"]["object"])
    moment = int(datetime.fromisoformat(event["created"]).timestamp())
    return OracleEvent(event["type"].removeprefix("v1."), moment, retrieve(event["related_object"]["id"]))


def by_donation(events: Iterable[OracleEvent]) -> dict[UUID, list[OracleEvent]]:
    """The events of each donation that a session, an intent or a charge names, over any chain of objects."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            name = above
        return name

    every = [one for one in events if isinstance(one.thing.get("id"), str)]
    for one in every:
        for field in ("payment_intent", "charge", "latest_charge"):
            if isinstance(other := one.thing.get(field), str):
                parent[root(one.thing["id"])] = root(other)
    owner: dict[str, UUID] = {}
    for one in every:
        metadata = one.thing.get("metadata") or {}
        if one.thing["object"] in ("checkout.session", "payment_intent", "charge") and "donationId" in metadata:
            owner[root(one.thing["id"])] = UUID(metadata["donationId"])
    grouped: dict[UUID, list[OracleEvent]] = defaultdict(list)
    for one in every:
        if (donation := owner.get(root(one.thing["id"]))) is not None:
            grouped[donation].append(one)
    return grouped


def line(events: Iterable[OracleEvent]) -> OracleRow:
    """What the events of one donation say, whatever their order and however often they came."""
    every = list(events)
    captures = [one for one in every if one.type in PAID_TYPES and _captured(one.thing) is not None]
    gross: dict[str, int] = {}
    for one in captures:
        intent, amount = _captured(one.thing) or ("", 0)
        gross[intent] = max(amount, gross.get(intent, 0))
    paid = sum(gross.values())
    live, ever, refunded_at = _refunds(every)
    largest: Counter[str] = Counter()
    for one in every:
        if one.type == "charge.refunded":
            largest[one.thing["id"]] = max(largest[one.thing["id"]], one.thing["amount_refunded"])
    dispute = _dispute(every)
    moved = {
        moving["id"]: -moving["amount"]
        for one in every
        if one.type in MOVING_TYPES
        for moving in one.thing["balance_transactions"]
    }
    types = {one.type for one in every}
    if captures:
        weighs = dispute in ("needs_response", "under_review", "lost")
        status = "DISPUTED" if weighs else "REFUNDED" if live >= paid else "PAID"
    elif "checkout.session.expired" in types:
        status = "EXPIRED"
    else:
        status = "FAILED" if types & FAILED_TYPES else "CREATED"
    waits = "payment_intent.processing" in types or any(
        one.type == "checkout.session.completed" and one.thing["payment_status"] == "unpaid" for one in every
    )
    donor, country = _donor(captures)
    return OracleRow(
        status=status,
        pending=waits and status == "CREATED",
        paid=paid,
        refunded=live + max(0, sum(largest.values()) - ever),
        disputed=sum(moved.values()),
        paid_at=min((one.at for one in captures), default=None),
        refunded_at=refunded_at,
        dispute=dispute,
        donor=donor,
        country=country,
    )


def _captured(thing: Shape) -> tuple[str, int] | None:
    """The payment that an object says was captured, and how much of it."""
    match thing:
        case {"object": "checkout.session", "payment_status": "paid", "payment_intent": str(intent)}:
            return intent, thing["amount_total"]
        case {"object": "payment_intent", "status": "succeeded"}:
            return thing["id"], thing["amount_received"]
        case {"object": "charge", "status": "succeeded", "captured": True}:
            return thing["payment_intent"], thing["amount_captured"]
        case _:
            return None


def _refunds(every: list[OracleEvent]) -> tuple[int, int, int | None]:
    """What live refunds sum to, what all known ones do, and when the last live one was made."""
    states: dict[str, set[str]] = defaultdict(set)
    things: dict[str, Shape] = {}
    for one in every:
        if one.type in REFUND_TYPES:
            states[one.thing["id"]].add(one.thing["status"])
            things[one.thing["id"]] = one.thing
    live = [things[id] for id in things if not states[id] & {"failed", "canceled"}]
    times = [refund["created"] for refund in live]
    return sum(r["amount"] for r in live), sum(r["amount"] for r in things.values()), max(times, default=None)


def _dispute(every: list[OracleEvent]) -> str | None:
    """How the one dispute of a donation stands: its most final state."""
    states = {one.thing["status"] for one in every if one.thing["object"] == "dispute"}
    finality = ("lost", "won", "warning_closed", "under_review", "needs_response", "warning_needs_response")
    return next((state for state in finality if state in states), None)


def _donor(captures: list[OracleEvent]) -> tuple[str | None, str | None]:
    """Name and country: what the charge says first of each, else the session."""
    found: list[str | None] = []
    for read in (_last_name, _country):
        said = [
            (one.thing["object"] != "charge", one.at, text)
            for one in captures
            if (text := read(one.thing.get("billing_details") or one.thing.get("customer_details") or {}))
        ]
        found.append(min(said)[2] if said else None)
    return found[0], found[1]


def _last_name(details: Shape) -> str | None:
    words: list[str] = (details.get("name") or "").split()
    return words[-1] if words else None


def _country(details: Shape) -> str | None:
    country: str | None = (details.get("address") or {}).get("country")
    return country.upper() if country else None


def settlements(events: Iterable[OracleEvent], retrieve: Callable[[str], Shape]) -> dict[str, tuple[int, int, str]]:
    """Gross, fee and currency of each balance transaction that the events show or name."""
    found: dict[str, Shape] = {}
    for one in events:
        if one.type in MOVING_TYPES:
            found |= {moving["id"]: moving for moving in one.thing["balance_transactions"]}
        elif one.type in PAID_TYPES | REFUND_TYPES | {"charge.refunded"}:
            for name in ("balance_transaction", "failure_balance_transaction"):
                if id := one.thing.get(name):
                    found[id] = retrieve(id)
    return {id: (one["amount"], one["fee"], one["currency"].upper()) for id, one in found.items()}

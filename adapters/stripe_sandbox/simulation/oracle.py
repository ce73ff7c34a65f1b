"""The oracle computes the ledger from the whole set of Stripe's events at once.

It uses no order, no states and no history: each rule is a statement about all events of a donation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from adapters.payments.stripe_objects import StripeDict

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
DISPUTE_FUNDS_TYPES = frozenset({"charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"})


@dataclass(frozen=True)
class OracleRow:
    """One donation as the ledger must show it, with times in Unix seconds."""

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
    """An event with its whole object, which Stripe does not send with a thin event."""

    type: str
    at: int
    object: StripeDict


def with_object(event: StripeDict, retrieve: Callable[[str], StripeDict]) -> OracleEvent:
    if event["object"] == "event":
        return OracleEvent(event["type"], event["created"], event["data"]["object"])
    moment = int(datetime.fromisoformat(event["created"]).timestamp())
    return OracleEvent(event["type"].removeprefix("v1."), moment, retrieve(event["related_object"]["id"]))


def by_donation(events: Iterable[OracleEvent]) -> dict[UUID, list[OracleEvent]]:
    """Group the events by donation: one object of a chain of objects that name each other names the donation."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (next_name := parent.setdefault(name, name)) != name:
            name = next_name
        return name

    identified = [event for event in events if isinstance(event.object.get("id"), str)]
    for event in identified:
        for field in ("payment_intent", "charge", "latest_charge"):
            if isinstance(other := event.object.get(field), str):
                parent[root(event.object["id"])] = root(other)
    owner: dict[str, UUID] = {}
    for event in identified:
        metadata = event.object.get("metadata") or {}
        if event.object["object"] in ("checkout.session", "payment_intent", "charge") and "donationId" in metadata:
            owner[root(event.object["id"])] = UUID(metadata["donationId"])
    grouped: dict[UUID, list[OracleEvent]] = defaultdict(list)
    for event in identified:
        if (donation := owner.get(root(event.object["id"]))) is not None:
            grouped[donation].append(event)
    return grouped


def row_of(events: Iterable[OracleEvent]) -> OracleRow:
    """Return the row that the events of one donation give; their order and repetitions do not matter."""
    donation_events = list(events)
    captures = [event for event in donation_events if event.type in PAID_TYPES and _captured(event.object) is not None]
    gross: dict[str, int] = {}
    for event in captures:
        intent, amount = _captured(event.object) or ("", 0)
        gross[intent] = max(amount, gross.get(intent, 0))
    paid = sum(gross.values())
    live, known, refunded_at = _refunds(donation_events)
    refund_totals: dict[str, int] = {}
    for event in donation_events:
        if event.type == "charge.refunded":
            id, total = event.object["id"], event.object["amount_refunded"]
            refund_totals[id] = max(total, refund_totals.get(id, 0))
    dispute = _dispute(donation_events)
    moved = {
        transaction["id"]: -transaction["amount"]
        for event in donation_events
        if event.type in DISPUTE_FUNDS_TYPES
        for transaction in event.object["balance_transactions"]
    }
    types = {event.type for event in donation_events}
    if captures:
        counts_as_disputed = dispute in ("needs_response", "under_review", "lost")
        status = "DISPUTED" if counts_as_disputed else "REFUNDED" if live >= paid else "PAID"
    elif "checkout.session.expired" in types:
        status = "EXPIRED"
    else:
        status = "FAILED" if types & FAILED_TYPES else "CREATED"
    is_delayed = "payment_intent.processing" in types or any(
        event.type == "checkout.session.completed" and event.object["payment_status"] == "unpaid"
        for event in donation_events
    )
    donor, country = _donor(captures)
    return OracleRow(
        status=status,
        pending=is_delayed and status == "CREATED",
        paid=paid,
        refunded=live + max(0, sum(refund_totals.values()) - known),
        disputed=sum(moved.values()),
        paid_at=min((event.at for event in captures), default=None),
        refunded_at=refunded_at,
        dispute=dispute,
        donor=donor,
        country=country,
    )


def _captured(stripe_object: StripeDict) -> tuple[str, int] | None:
    """Return the payment intent and the amount that the object reports as captured, or None."""
    match stripe_object:
        case {"object": "checkout.session", "payment_status": "paid", "payment_intent": str(intent)}:
            return intent, stripe_object["amount_total"]
        case {"object": "payment_intent", "status": "succeeded"}:
            return stripe_object["id"], stripe_object["amount_received"]
        case {"object": "charge", "status": "succeeded", "captured": True}:
            return stripe_object["payment_intent"], stripe_object["amount_captured"]
        case _:
            return None


def _refunds(donation_events: list[OracleEvent]) -> tuple[int, int, int | None]:
    """Return the sum of live refunds, the sum of all known refunds, and the time of the last live one."""
    states: dict[str, set[str]] = defaultdict(set)
    refunds: dict[str, StripeDict] = {}
    for event in donation_events:
        if event.type in REFUND_TYPES:
            states[event.object["id"]].add(event.object["status"])
            refunds[event.object["id"]] = event.object
    live = [refunds[id] for id in refunds if not states[id] & {"failed", "canceled"}]
    times = [refund["created"] for refund in live]
    return sum(r["amount"] for r in live), sum(r["amount"] for r in refunds.values()), max(times, default=None)


def _dispute(donation_events: list[OracleEvent]) -> str | None:
    """Return the most final state of the donation's dispute, or None."""
    states = {event.object["status"] for event in donation_events if event.object["object"] == "dispute"}
    finality = ("lost", "won", "warning_closed", "under_review", "needs_response", "warning_needs_response")
    return next((state for state in finality if state in states), None)


def _donor(captures: list[OracleEvent]) -> tuple[str | None, str | None]:
    """Return the donor's last name and country, each from the earliest charge that has it, else from a session."""
    donor: list[str | None] = []
    for read in (_last_name, _country):
        values = [
            (event.object["object"] != "charge", event.at, text)
            for event in captures
            if (text := read(event.object.get("billing_details") or event.object.get("customer_details") or {}))
        ]
        donor.append(min(values)[2] if values else None)
    return donor[0], donor[1]


def _last_name(details: StripeDict) -> str | None:
    words: list[str] = (details.get("name") or "").split()
    return words[-1] if words else None


def _country(details: StripeDict) -> str | None:
    country: str | None = (details.get("address") or {}).get("country")
    return country.upper() if country else None


def balance_transactions(
    events: Iterable[OracleEvent], retrieve: Callable[[str], StripeDict]
) -> dict[str, tuple[int, int, str]]:
    """Return gross amount, fee and currency of each balance transaction that the events contain or name."""
    transactions: dict[str, StripeDict] = {}
    for event in events:
        if event.type in DISPUTE_FUNDS_TYPES:
            transactions |= {transaction["id"]: transaction for transaction in event.object["balance_transactions"]}
        elif event.type in PAID_TYPES | REFUND_TYPES | {"charge.refunded"}:
            for name in ("balance_transaction", "failure_balance_transaction"):
                if id := event.object.get(name):
                    transactions[id] = retrieve(id)
    return {id: (t["amount"], t["fee"], t["currency"].upper()) for id, t in transactions.items()}

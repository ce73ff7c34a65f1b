"""The oracle computes the ledger from the whole set of Stripe's events at once.

It uses no order, no states and no history: each rule is a statement about all events of a donation.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

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

# Kind, amount and time of one movement of the donors' money.
OracleEntry = tuple[str, int, int]


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
    entries: tuple[OracleEntry, ...]

    @property
    def net(self) -> int:
        return self.paid - self.refunded - self.disputed

    def as_of(self, moment: int) -> tuple[int, int, int, int | None]:
        """Return what was paid, refunded and disputed until then, and when it was first paid."""
        entries = [entry for entry in self.entries if entry[2] <= moment]
        paid, refunded, disputed = _sums(entries)
        return paid, refunded, disputed, min((at for kind, _, at in entries if kind == "paid"), default=None)


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


def row_of(events: Iterable[OracleEvent], retrieve: Callable[[str], StripeDict]) -> OracleRow:
    """Return the row that the events of one donation give; their order and repetitions do not matter."""
    donation_events = list(events)
    captures = [event for event in donation_events if event.type in PAID_TYPES and _captured(event.object) is not None]
    entries = sorted(
        [
            *_capture_entries(captures, donation_events, retrieve),
            *_refund_entries(donation_events, retrieve),
            *_refund_total_entries(donation_events),
            *_dispute_entries(donation_events),
        ],
        key=lambda entry: (entry[2], entry[0], entry[1]),
    )
    paid, refunded, disputed = _sums(entries)
    dispute = _dispute(donation_events)
    types = {event.type for event in donation_events}
    if captures:
        counts_as_disputed = dispute in ("needs_response", "under_review", "lost")
        status = "DISPUTED" if counts_as_disputed else "REFUNDED" if refunded >= paid else "PAID"
    elif "checkout.session.expired" in types:
        status = "EXPIRED"
    else:
        status = "FAILED" if types & FAILED_TYPES else "CREATED"
    donor, country = _donor(captures)
    return OracleRow(
        status=status,
        pending=_delayed_at(donation_events) is not None and status == "CREATED",
        paid=paid,
        refunded=refunded,
        disputed=disputed,
        paid_at=min((at for kind, _, at in entries if kind == "paid"), default=None),
        refunded_at=_refunded_at(donation_events),
        dispute=dispute,
        donor=donor,
        country=country,
        entries=tuple(entries),
    )


def _sums(entries: Iterable[OracleEntry]) -> tuple[int, int, int]:
    """Return what was paid, refunded and disputed."""
    sums = dict.fromkeys(("paid", "refunded", "disputed"), 0)
    for kind, amount, _ in entries:
        sums[kind] += amount
    return sums["paid"], sums["refunded"], sums["disputed"]


def _delayed_at(donation_events: list[OracleEvent]) -> int | None:
    """Return when it was reported first that a delayed payment method was chosen, or None."""
    times = [
        event.at
        for event in donation_events
        if event.type == "payment_intent.processing"
        or (event.type == "checkout.session.completed" and event.object["payment_status"] == "unpaid")
    ]
    return min(times, default=None)


def _capture_entries(
    captures: list[OracleEvent], donation_events: list[OracleEvent], retrieve: Callable[[str], StripeDict]
) -> Iterator[OracleEntry]:
    delayed_at = _delayed_at(donation_events)
    gross: dict[str, int] = {}
    reports: dict[str, list[OracleEvent]] = defaultdict(list)
    for event in captures:
        intent, amount = _captured(event.object) or ("", 0)
        gross[intent] = max(amount, gross.get(intent, 0))
        reports[intent].append(event)
    for intent, amount in gross.items():
        at = min(e.object["created"] if e.object["object"] == "charge" else e.at for e in reports[intent])
        if delayed_at is not None and at <= delayed_at:
            at = min(event.at for event in reports[intent])
        if delayed_at is not None:
            at = min(_settlement_times(reports[intent], donation_events, retrieve), default=at)
        yield "paid", amount, at


def _settlement_times(
    reports: list[OracleEvent], donation_events: list[OracleEvent], retrieve: Callable[[str], StripeDict]
) -> list[int]:
    """Return when the money of the reported charges came, as far as an event names the balance transaction."""
    charge_ids = {e.object["id"] if e.object["object"] == "charge" else e.object.get("latest_charge") for e in reports}
    return [
        retrieve(event.object["balance_transaction"])["created"]
        for event in donation_events
        if event.type in PAID_TYPES | {"charge.refunded"}
        and event.object["id"] in charge_ids
        and event.object.get("balance_transaction")
    ]


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


def _refund_entries(donation_events: list[OracleEvent], retrieve: Callable[[str], StripeDict]) -> Iterator[OracleEntry]:
    for reports in _reports_by_refund(donation_events).values():
        refund = reports[0].object
        yield "refunded", refund["amount"], refund["created"]
        ended = [report for report in reports if report.object["status"] in ("failed", "canceled")]
        if ended:
            returned_ids = [id for report in ended if (id := report.object.get("failure_balance_transaction"))]
            times = [retrieve(id)["created"] for id in returned_ids] or [report.at for report in ended]
            yield "refunded", -refund["amount"], max(refund["created"], min(times))


def _refund_total_entries(donation_events: list[OracleEvent]) -> Iterator[OracleEntry]:
    """Yield what the reports of a charge's refund total state beyond the refunds that were reported one by one."""
    reports = [event for event in donation_events if event.type == "charge.refunded"]
    for charge_id in {report.object["id"] for report in reports}:
        refunds = _reports_by_refund(donation_events).values()
        explained = sum(r[0].object["amount"] for r in refunds if r[0].object["charge"] == charge_id)
        totals = sorted((r.at, r.object["amount_refunded"]) for r in reports if r.object["id"] == charge_id)
        for at, total in totals:
            if total > explained:
                yield "refunded", total - explained, at
                explained = total


def _reports_by_refund(donation_events: list[OracleEvent]) -> dict[str, list[OracleEvent]]:
    reports: dict[str, list[OracleEvent]] = defaultdict(list)
    for event in donation_events:
        if event.type in REFUND_TYPES:
            reports[event.object["id"]].append(event)
    return reports


def _refunded_at(donation_events: list[OracleEvent]) -> int | None:
    """Return the time of the last refund that neither failed nor was canceled."""
    times = [at for _, _, at in _refund_total_entries(donation_events)]
    for reports in _reports_by_refund(donation_events).values():
        if not any(report.object["status"] in ("failed", "canceled") for report in reports):
            times.append(reports[0].object["created"])
    return max(times, default=None)


def _dispute_entries(donation_events: list[OracleEvent]) -> Iterator[OracleEntry]:
    for transaction, converted in _dispute_transactions(donation_events).values():
        yield "disputed", -converted, transaction["created"]


def _dispute_transactions(donation_events: Iterable[OracleEvent]) -> dict[str, tuple[StripeDict, int]]:
    """Return the balance transactions that moved disputed money, with the amounts in the donation's currency."""
    return {
        transaction["id"]: (transaction, _in_donation_currency(transaction, event.object))
        for event in donation_events
        if event.type in DISPUTE_FUNDS_TYPES
        for transaction in event.object["balance_transactions"]
        if transaction["reporting_category"] in ("dispute", "dispute_reversal")
    }


def _in_donation_currency(transaction: StripeDict, dispute: StripeDict) -> int:
    amount: int = transaction["amount"]
    if transaction["currency"] == dispute["currency"]:
        return amount
    share = amount / transaction["exchange_rate"] / dispute["amount"]
    # The simulation moves all of the disputed money or at most four fifths of it.
    return round(share) * int(dispute["amount"]) if abs(share) > 0.9 else _half_up(share * dispute["amount"])


def _half_up(amount: float) -> int:
    return math.floor(amount + 0.5)


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


@dataclass(frozen=True)
class OracleFee:
    """One row of the fee ledger. An exchange entry has `exchange` alone, every other row has none."""

    gross: int
    fee: int
    currency: str
    exchange_rate: str | None = None
    fee_details: tuple[tuple[str, int], ...] = ()
    exchange: int = 0


def fee_rows(events: Iterable[OracleEvent], retrieve: Callable[[str], StripeDict]) -> dict[str, OracleFee]:
    """Return each balance transaction that the events contain or name, and the exchange entry of each dispute."""
    donation_events = list(events)
    transactions: dict[str, StripeDict] = {}
    for event in donation_events:
        if event.type in DISPUTE_FUNDS_TYPES:
            transactions |= {transaction["id"]: transaction for transaction in event.object["balance_transactions"]}
        elif event.type in PAID_TYPES | REFUND_TYPES | {"charge.refunded"}:
            for name in ("balance_transaction", "failure_balance_transaction"):
                if id := event.object.get(name):
                    transactions[id] = retrieve(id)
    rows = {
        id: OracleFee(
            gross=transaction["amount"],
            fee=transaction["fee"],
            currency=transaction["currency"].upper(),
            exchange_rate=None if (rate := transaction["exchange_rate"]) is None else str(rate),
            fee_details=tuple((detail["type"], detail["amount"]) for detail in transaction["fee_details"]),
        )
        for id, transaction in transactions.items()
    }
    disputes = {event.object["id"] for event in donation_events if event.object["object"] == "dispute"}
    return rows | {f"exchange of {id}": row for id in disputes if (row := _exchange_entry(id, donation_events))}


def _exchange_entry(dispute_id: str, donation_events: Iterable[OracleEvent]) -> OracleFee | None:
    """Return what the dispute gained by the exchange: what came back minus its worth when the money left."""
    moved = _dispute_transactions(event for event in donation_events if event.object["id"] == dispute_id).values()
    withdrawn = next(((t, converted) for t, converted in moved if converted < 0), None)
    reinstated = next(((t, converted) for t, converted in moved if converted > 0), None)
    if withdrawn is None or reinstated is None or reinstated[0]["exchange_rate"] is None:
        return None
    worth = _half_up(reinstated[1] * withdrawn[0]["amount"] / withdrawn[1])
    gained = reinstated[0]["amount"] - worth
    return OracleFee(0, 0, reinstated[0]["currency"].upper(), exchange=gained) if gained else None

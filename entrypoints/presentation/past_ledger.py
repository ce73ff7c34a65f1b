"""A ticket's ledger at an earlier time, folded in memory from the facts of that time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import inf
from uuid import UUID

from adapters.read_models.in_memory import MemoryRows, folded
from domain.events import CheckoutOpened, CheckoutRequested, DonationEvent
from entrypoints.presentation.donations import DonationTotals
from entrypoints.presentation.personal_data import PersonalData
from projections import donation_ledger
from projections.model import Recorded, Row

OrderKey = tuple[bool, float, datetime, UUID]


def past_ledger(recorded: Sequence[Recorded], as_of: datetime | None, known_at: datetime | None) -> MemoryRows:
    """Fold the facts that had happened at `as_of`, by Stripe's clock, and were recorded at `known_at`."""
    known = [event for event in recorded if known_at is None or event.recorded_at <= known_at]
    return folded(donation_ledger, known if as_of is None else _happened(known, as_of))


def _happened(known: Sequence[Recorded], as_of: datetime) -> Iterator[Recorded]:
    """Yield what had happened by Stripe's clock, and by our clock where Stripe reports no time.

    A fact about a checkout implies that the checkout existed by then, whenever our clock says that it was opened.
    """
    reports = [getattr(recorded.event, "report", None) for recorded in known]
    reported_donations = {
        recorded.event.donation_id
        for recorded, report in zip(known, reports, strict=True)
        if report is not None and report.at <= as_of.timestamp() and isinstance(recorded.event, DonationEvent)
    }
    for recorded, report in zip(known, reports, strict=True):
        event = recorded.event
        if report is not None:
            happened = report.at <= as_of.timestamp()
        else:
            opened = isinstance(event, CheckoutRequested | CheckoutOpened) and event.donation_id in reported_donations
            happened = opened or recorded.recorded_at <= as_of
        if happened:
            yield recorded


def past_totals(ticket: Row, ledger: MemoryRows, personal: PersonalData, *, explain: bool) -> DonationTotals:
    """Return the totals of a ledger that was folded in memory, with its entries if `explain`."""
    paid = [row for row in past_donations(ledger) if row["paid_at"]]
    created_at = {(row["currency"], row["paid_at"]): row["created_at"] for row in paid}
    totals = sorted(ledger.all(donation_ledger.TOTALS), key=lambda total: _capture_order(total, created_at))
    entries = None
    if explain:
        entries = sorted(ledger.all(donation_ledger.ENTRIES), key=lambda entry: (entry["position"], entry["kind"]))
    return DonationTotals.from_rows(ticket, totals, paid[0] if paid else None, entries, personal)


def _capture_order(total: Row, created_at: Mapping[tuple[str, datetime], datetime]) -> tuple[float, datetime, str]:
    """Order currencies by their first capture; Stripe's times are whole seconds, so equal ones go by our own time."""
    at = total["first_paid_at"]
    if at is None:
        return inf, donation_ledger.NEVER, total["currency"]
    return at.timestamp(), created_at.get((total["currency"], at), donation_ledger.NEVER), total["currency"]


def past_donations(ledger: MemoryRows) -> list[Row]:
    """Return the donations in the order of the ledger: newest payment first, unpaid ones last."""
    return sorted(ledger.all(donation_ledger.DONATIONS), key=row_order, reverse=True)


def row_order(row: Row) -> OrderKey:
    return order_key(row["paid_at"], row["created_at"], row["donation_id"])


def order_key(paid_at: datetime | None, created_at: datetime, donation_id: UUID) -> OrderKey:
    """Return the sort key of a donation in the ledger, which lists the greatest first."""
    return paid_at is not None, paid_at.timestamp() if paid_at else 0.0, created_at, donation_id

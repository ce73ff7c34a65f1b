"""A ticket's ledger as of an earlier time, folded in memory from its events."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from adapters.read_models.in_memory import MemoryRows, folded
from domain.events import CheckoutOpened, CheckoutRequested, DonationEvent
from entrypoints.presentation.donations import DonationTotals
from entrypoints.presentation.personal_data import PersonalData
from projections import donation_ledger
from projections.model import RecordedEvent, Row

SortKey = tuple[bool, float, datetime, UUID]


def past_ledger(events: Sequence[RecordedEvent], as_of: datetime | None, known_at: datetime | None) -> MemoryRows:
    """Fold the events that were recorded until `known_at` and had happened, according to Stripe, until `as_of`."""
    known_events = [event for event in events if known_at is None or event.recorded_at <= known_at]
    return folded(donation_ledger, known_events if as_of is None else _happened_until(as_of, known_events))


def _happened_until(as_of: datetime, known_events: Sequence[RecordedEvent]) -> Iterator[RecordedEvent]:
    """Yield the events that had happened until `as_of` by Stripe's clock, or by ours if Stripe reports no time.

    Stripe's clock may be behind ours: a checkout counts as opened once Stripe reports a fact about its donation.
    """
    reported_donations = {
        recorded.event.donation_id
        for recorded in known_events
        if isinstance(recorded.event, DonationEvent) and _happened_at_stripe(as_of, recorded)
    }
    for recorded in known_events:
        event, happened = recorded.event, _happened_at_stripe(as_of, recorded)
        if happened is None:
            opened = isinstance(event, CheckoutRequested | CheckoutOpened) and event.donation_id in reported_donations
            happened = opened or recorded.recorded_at <= as_of
        if happened:
            yield recorded


def _happened_at_stripe(as_of: datetime, recorded: RecordedEvent) -> bool | None:
    """Return True if Stripe's time of the event is not after `as_of`, False if it is, None if there is none."""
    report = getattr(recorded.event, "report", None)
    return None if report is None else bool(report.at <= as_of.timestamp())


def past_totals(ticket: Row, ledger: MemoryRows, personal: PersonalData, *, explain: bool) -> DonationTotals:
    """Return the totals of a ledger that was folded in memory, with its entries if `explain` is True."""
    paid = [row for row in past_donations(ledger) if row["paid_at"]]
    created_at = {(row["currency"], row["paid_at"]): row["created_at"] for row in paid}
    totals = donation_ledger.by_first_capture(ledger.all(donation_ledger.TOTALS), created_at)
    entries = None
    if explain:
        entries = sorted(ledger.all(donation_ledger.ENTRIES), key=lambda entry: (entry["position"], entry["kind"]))
    return DonationTotals.from_rows(ticket, totals, paid[0] if paid else None, entries, personal)


def past_donations(ledger: MemoryRows) -> list[Row]:
    """Return the donations in the order of the ledger: newest payment first, unpaid ones last."""
    return sorted(ledger.all(donation_ledger.DONATIONS), key=sort_key, reverse=True)


def sort_key(row: Row) -> SortKey:
    return sort_key_of(row["paid_at"], row["created_at"], row["donation_id"])


def sort_key_of(paid_at: datetime | None, created_at: datetime, donation_id: UUID) -> SortKey:
    """Return the sort key of a donation in the ledger, which is listed in descending order."""
    return paid_at is not None, paid_at.timestamp() if paid_at else 0.0, created_at, donation_id

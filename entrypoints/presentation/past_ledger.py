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
    """Return the ledger as we knew it at `known_at`, with what had happened, according to Stripe, until `as_of`."""
    known_events = [event for event in events if known_at is None or event.recorded_at <= known_at]
    if as_of is None:
        return folded(donation_ledger, known_events)
    known, past = folded(donation_ledger, _begun_until(as_of, known_events)), MemoryRows()
    donation_ledger.put_as_of(as_of, known.all(donation_ledger.DONATIONS), known.all(donation_ledger.ENTRIES), past)
    return past


def _begun_until(as_of: datetime, known_events: Sequence[RecordedEvent]) -> Iterator[RecordedEvent]:
    """Yield the events with a time of Stripe, and the others that we had recorded until `as_of`.

    Stripe's clock may be behind ours: a checkout counts as opened once Stripe reports a fact about its donation.
    """
    reported_donations = {
        recorded.event.donation_id
        for recorded in known_events
        if isinstance(recorded.event, DonationEvent)
        and any(at <= as_of.timestamp() for at in _stripe_times(recorded.event))
    }
    for recorded in known_events:
        event = recorded.event
        opened = isinstance(event, CheckoutRequested | CheckoutOpened) and event.donation_id in reported_donations
        if opened or recorded.recorded_at <= as_of or hasattr(event, "report"):
            yield recorded


def _stripe_times(event: DonationEvent) -> list[int]:
    """Return the times that Stripe reported for the event and for its object."""
    report = getattr(event, "report", None)
    names = ("captured_at", "refunded_at", "moved_at", "created_at")
    times = [report and report.at, *(getattr(event, name, None) for name in names)]
    return [at for at in times if at is not None]


def past_totals(ticket: Row, ledger: MemoryRows, personal: PersonalData, *, explain: bool) -> DonationTotals:
    """Return the totals of a ledger that was folded in memory, with its entries if `explain` is True."""
    paid = [row for row in past_donations(ledger) if row["paid_at"]]
    created_at = {(row["currency"], row["paid_at"]): row["created_at"] for row in paid}
    totals = donation_ledger.by_first_capture(ledger.all(donation_ledger.TOTALS), created_at)
    entries = None
    if explain:
        entries = sorted(ledger.all(donation_ledger.ENTRIES), key=donation_ledger.entry_order)
    return DonationTotals.from_rows(ticket, totals, paid[0] if paid else None, entries, personal)


def past_donations(ledger: MemoryRows) -> list[Row]:
    """Return the donations in the order of the ledger: newest payment first, unpaid ones last."""
    return sorted(ledger.all(donation_ledger.DONATIONS), key=sort_key, reverse=True)


def sort_key(row: Row) -> SortKey:
    return sort_key_of(row["paid_at"], row["created_at"], row["donation_id"])


def sort_key_of(paid_at: datetime | None, created_at: datetime, donation_id: UUID) -> SortKey:
    """Return the sort key of a donation in the ledger, which is listed in descending order."""
    return paid_at is not None, paid_at.timestamp() if paid_at else 0.0, created_at, donation_id

"""Donation ledger: one row for each donation, one for each movement of money, and the totals of each ticket.

The three tables are folded together, so that entries, donations and totals cannot disagree. All amounts are in the
minor unit of their currency.
"""

from collections.abc import Sequence
from typing import Any

from domain.events import CheckoutRequested, DonationEvent
from domain.gift import MOVES_MONEY, Gift
from projections.donation_ledger.donation_table import (
    DONATIONS,
    donation,
    donations,
    donations_for_export,
    requested_row,
    set_gift_columns,
    stored_gift,
    unpaid_donation,
    with_pending_calls,
)
from projections.donation_ledger.entry_table import ENTRIES, entries, entries_for_export, post_entries
from projections.donation_ledger.total_table import (
    COUNT_COLUMNS,
    SUM_COLUMNS,
    TOTALS,
    add_to_totals,
    by_first_capture,
    ordered_totals,
    summary,
    totals,
)
from projections.model import RecordedEvent, Row, Rows, topics

__all__ = [
    "COUNT_COLUMNS",
    "DONATIONS",
    "ENTRIES",
    "NAME",
    "SUM_COLUMNS",
    "TABLES",
    "TOPICS",
    "TOTALS",
    "VERSION",
    "by_first_capture",
    "donation",
    "donations",
    "donations_for_export",
    "entries",
    "entries_for_export",
    "fold",
    "ordered_totals",
    "summary",
    "totals",
    "unpaid_donation",
    "with_pending_calls",
]

NAME = "donation_ledger"
VERSION = 5
TOPICS = topics(DonationEvent)
TABLES = (DONATIONS, ENTRIES, TOTALS)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    # Keyed by the integer of the id, because UUID compares and hashes in Python code, which is slower.
    by_donation: dict[int, list[RecordedEvent]] = {}
    for recorded in batch:
        if isinstance(recorded.event, DonationEvent):
            by_donation.setdefault(recorded.event.donation_id.int, []).append(recorded)
    first_events: list[Any] = [donation_events[0].event for donation_events in by_donation.values()]
    rows.load(DONATIONS, [(first.donation_id,) for first in first_events if not isinstance(first, CheckoutRequested)])
    changes = []
    for first, donation_events in zip(first_events, by_donation.values(), strict=True):
        before = rows.get(DONATIONS, (first.donation_id,))
        row, gift = (before.copy(), stored_gift(before)) if before else (None, Gift())
        for recorded in donation_events:
            if row is not None:
                _fold_fact(recorded, row, gift, rows)
            elif isinstance(recorded.event, CheckoutRequested):
                row = requested_row(recorded.event, recorded)
        if row is not None:
            set_gift_columns(gift, row)
            row["position"] = donation_events[-1].position
            rows.put(DONATIONS, row)
            changes.append((before, row))
    add_to_totals(changes, rows)


def _fold_fact(recorded: RecordedEvent, row: Row, gift: Gift, rows: Rows) -> None:
    """Fold one fact into its donation's row and gift, and post an entry for each sum that it moved."""
    event: Any = recorded.event
    gift.apply(event)
    if isinstance(event, MOVES_MONEY):
        post_entries(recorded, event.report.at, row, gift, rows)
        if row["recorded_at"] is None and gift.captured:
            row["recorded_at"] = recorded.recorded_at
    row["call_pending_since"] = (row["call_pending_since"] or recorded.recorded_at) if gift.has_pending_call else None

"""Donation ledger: one row for each donation, the entries that moved money, and the totals they add up to.

The three tables are folded together, so that entries, donations and totals cannot disagree. All amounts are in the
minor unit of their currency.
"""

from collections.abc import Sequence
from typing import Any

from domain.events import CheckoutRequested, DonationEvent
from domain.gift import MOVES_MONEY, Gift
from projections.donation_ledger.donation_table import (
    DONATIONS,
    awaiting,
    describe,
    donation,
    donations,
    exported,
    requested_row,
    stored_gift,
    unpaid_session,
)
from projections.donation_ledger.entry_table import ENTRIES, entries, journal, post_entries
from projections.donation_ledger.total_table import (
    COUNTED,
    MOVED,
    NEVER,
    TOTALS,
    add_to_totals,
    ordered_totals,
    summary,
    totals,
)
from projections.model import Recorded, Row, Rows, topics

__all__ = [
    "COUNTED",
    "DONATIONS",
    "ENTRIES",
    "MOVED",
    "NAME",
    "NEVER",
    "TABLES",
    "TOPICS",
    "TOTALS",
    "VERSION",
    "awaiting",
    "donation",
    "donations",
    "entries",
    "exported",
    "fold",
    "journal",
    "ordered_totals",
    "summary",
    "totals",
    "unpaid_session",
]

NAME = "donation_ledger"
VERSION = 5
TOPICS = topics(DonationEvent)
TABLES = (DONATIONS, ENTRIES, TOTALS)


def fold(batch: Sequence[Recorded], rows: Rows) -> None:
    # Keyed by the integer of the id, because comparing and hashing a UUID is slow Python code.
    by_donation: dict[int, list[Recorded]] = {}
    for entry in batch:
        if isinstance(entry.event, DonationEvent):
            by_donation.setdefault(entry.event.donation_id.int, []).append(entry)
    first_events: list[Any] = [entries_of[0].event for entries_of in by_donation.values()]
    rows.load(DONATIONS, [(first.donation_id,) for first in first_events if not isinstance(first, CheckoutRequested)])
    changes = []
    for first, entries_of in zip(first_events, by_donation.values(), strict=True):
        before = rows.get(DONATIONS, (first.donation_id,))
        row, gift = (before.copy(), stored_gift(before)) if before else (None, Gift())
        for entry in entries_of:
            if row is not None:
                _fold_fact(entry, row, gift, rows)
            elif isinstance(entry.event, CheckoutRequested):
                row = requested_row(entry.event, entry)
        if row is not None:
            describe(gift, row)
            row["position"] = entries_of[-1].position
            rows.put(DONATIONS, row)
            changes.append((before, row))
    add_to_totals(changes, rows)


def _fold_fact(entry: Recorded, row: Row, gift: Gift, rows: Rows) -> None:
    """Fold one fact into its donation's row and gift, and post an entry for each sum that it moved."""
    event: Any = entry.event
    gift.apply(event)
    if isinstance(event, MOVES_MONEY):
        post_entries(entry, event.report.at, row, gift, rows)
        if row["recorded_at"] is None and gift.captured:
            row["recorded_at"] = entry.recorded_at
    row["call_pending_since"] = (row["call_pending_since"] or entry.recorded_at) if gift.awaits_answer else None

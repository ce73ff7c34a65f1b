"""Donation ledger: one row for each donation, one for each movement of money, and the totals of each ticket.

These tables are folded together, so that entries, donations and totals cannot disagree. All amounts are in the
minor unit of their currency.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.events import CheckoutRequested, DonationEvent, TicketOpened
from domain.gift import Gift
from projections.donation_ledger.donation_table import (
    DONATIONS,
    WORKSPACES,
    KeyedGift,
    donation,
    donation_as_of,
    donation_of_session,
    donations,
    pending_calls,
    requested_row,
    set_gift_columns,
    stored_gift,
    unpaid_donation,
    with_pending_calls,
    with_refunds_or_disputes,
)
from projections.donation_ledger.entry_table import (
    ENTRIES,
    EntriesByKey,
    entries,
    entries_by_key,
    entries_of,
    entry_order,
    moved_since,
    post_entries,
)
from projections.donation_ledger.settled_amounts import with_converted
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
    "KeyedGift",
    "by_first_capture",
    "donation",
    "donation_as_of",
    "donation_of_session",
    "donations",
    "entries",
    "entries_of",
    "entry_order",
    "fold",
    "moved_since",
    "ordered_totals",
    "pending_calls",
    "put_as_of",
    "summary",
    "totals",
    "unpaid_donation",
    "with_converted",
    "with_pending_calls",
    "with_refunds_or_disputes",
]

NAME = "donation_ledger"
VERSION = 13
TOPICS = topics(DonationEvent, TicketOpened)
TABLES = (DONATIONS, ENTRIES, TOTALS, WORKSPACES)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    # Keyed by the integer of the id, because UUID compares and hashes in Python code, which is slower.
    by_donation: dict[int, list[RecordedEvent]] = {}
    for recorded in batch:
        if isinstance(recorded.event, DonationEvent):
            by_donation.setdefault(recorded.event.donation_id.int, []).append(recorded)
        elif isinstance(recorded.event, TicketOpened):
            rows.put(WORKSPACES, _workspace_row(recorded.event, recorded))
    first_events: list[Any] = [donation_events[0].event for donation_events in by_donation.values()]
    rows.load(WORKSPACES, {(first.ticket_id,) for first in first_events if isinstance(first, CheckoutRequested)})
    rows.load(DONATIONS, [(first.donation_id,) for first in first_events if not isinstance(first, CheckoutRequested)])
    stored = [
        None if isinstance(first, CheckoutRequested) else rows.get(DONATIONS, (first.donation_id,))
        for first in first_events
    ]
    gifts = [stored_gift(row) if row else Gift() for row in stored]
    posted = [entries_by_key(gift) if row else {} for row, gift in zip(stored, gifts, strict=True)]
    rows.load(
        ENTRIES,
        [(row["donation_id"], *key) for row, by_key in zip(stored, posted, strict=True) if row for key in by_key],
    )
    changes = []
    for before, gift, posted_entries, donation_events in zip(stored, gifts, posted, by_donation.values(), strict=True):
        row, present = before.copy() if before else None, posted_entries
        for recorded in donation_events:
            if row is not None:
                present = _fold_fact(recorded, row, gift, present, rows)
            elif isinstance(recorded.event, CheckoutRequested):
                row = requested_row(recorded.event, recorded, _workspace(recorded, rows))
        if row is not None:
            set_gift_columns(gift, row)
            row["position"] = donation_events[-1].position
            rows.put(DONATIONS, row)
            changes.append((before, row))
    add_to_totals(changes, rows)


def _workspace_row(event: TicketOpened, recorded: RecordedEvent) -> Row:
    return {"ticket_id": event.ticket, "workspace": event.workspace, "position": recorded.position}


def _workspace(requested: RecordedEvent, rows: Rows) -> str | None:
    """Return the workspace of a new donation's ticket, or None for a part of the history that begins after it."""
    row = rows.get(WORKSPACES, (requested.event.ticket,))
    return row["workspace"] if row and row["position"] < requested.position else None


def _fold_fact(recorded: RecordedEvent, row: Row, gift: Gift, before: EntriesByKey, rows: Rows) -> EntriesByKey:
    """Fold one fact into its donation's row and gift, and post what it moved; return the gift's entries."""
    event: Any = recorded.event
    after = before
    if gift.apply(event):
        after = post_entries(recorded, row, gift, before, rows)
        if row["recorded_at"] is None and gift.captured:
            row["recorded_at"] = recorded.recorded_at
    # The call for the checkout is answered once; only requests for refunds make a call pending again.
    if gift.requests or row["call_pending_since"] is not None:
        row["call_pending_since"] = (
            (row["call_pending_since"] or recorded.recorded_at) if gift.has_pending_call else None
        )
    return after


def put_as_of(at: datetime, donation_rows: Sequence[Row], entry_rows: Sequence[Row], rows: Rows) -> None:
    """Put the donations, their entries and totals as they were at a time of Stripe into empty tables."""
    changes = []
    for row in donation_rows:
        past = donation_as_of(row, at)
        rows.put(DONATIONS, past)
        changes.append((None, past))
    for entry in entry_rows:
        if entry["occurred_at"] <= at:
            rows.put(ENTRIES, entry)
    add_to_totals(changes, rows)

"""Tickets and the totals of their donations in one round trip, for requests that need both."""

from collections.abc import Sequence
from uuid import UUID

from projections import donation_ledger, ticket_status
from projections.model import Cursor, Row

# The key under which a ticket's row holds its `donation_ledger.summary`, with fewer columns of the last donation.
SUMMARY = "summary"

_TOTAL_COLUMNS = tuple(donation_ledger.TOTALS.columns)
# What a reader of totals sees of the donation that was paid last.
_LAST_COLUMNS = ("ticket_id", "paid_at", "amount", "currency", "donor_last_name")
_SELECT = f"""
SELECT {", ".join(f"ticket.{name}" for name in ticket_status.TICKETS.columns)}, funded.ticket_id IS NOT NULL,
       {", ".join(f"total.{name}" for name in _TOTAL_COLUMNS)},
       {", ".join(f"last.{name}" for name in _LAST_COLUMNS)}
  FROM read.ticket_status ticket
  LEFT JOIN read.funded_tickets funded ON funded.ticket_id = ticket.ticket_id
  LEFT JOIN read.donation_totals total ON total.ticket_id = ticket.ticket_id
  LEFT JOIN LATERAL (
       SELECT * FROM read.donation_ledger donation WHERE donation.ticket_id = ticket.ticket_id
        ORDER BY coalesce(donation.paid_at, '-infinity') DESC, donation.created_at DESC, donation.donation_id DESC
        LIMIT 1
       ) last ON true
 WHERE ticket.ticket_id = ANY(%(ticket_ids)s)
 ORDER BY total.first_paid_at NULLS LAST, total.currency
"""  # noqa: S608


def tickets_with_totals(cursor: Cursor, ticket_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return the rows of those tickets that exist, by their ids, each with its `SUMMARY`."""
    cursor.execute(_SELECT, {"ticket_ids": list(ticket_ids)})
    rows: dict[UUID, Row] = {}
    totals: dict[UUID, list[Row]] = {}
    for ticket, total, last in map(_split, cursor.fetchall()):
        id = ticket["ticket_id"]
        if id not in rows:
            rows[id], totals[id] = ticket_status.present(ticket) | {SUMMARY: last if last["paid_at"] else None}, []
        if total["ticket_id"] is not None:
            totals[id].append(total)
    for id, row in rows.items():
        row[SUMMARY] = donation_ledger.ordered_totals(cursor, id, totals[id]), row[SUMMARY]
    return rows


def _split(values: tuple[object, ...]) -> tuple[Row, Row, Row]:
    """Return the ticket's, the total's and the last donation's columns of one joined row."""
    total, last = len(ticket_status.COLUMNS), len(ticket_status.COLUMNS) + len(_TOTAL_COLUMNS)
    return (
        dict(zip(ticket_status.COLUMNS, values[:total], strict=True)),
        dict(zip(_TOTAL_COLUMNS, values[total:last], strict=True)),
        dict(zip(_LAST_COLUMNS, values[last:], strict=True)),
    )

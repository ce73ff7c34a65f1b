"""A ticket and the totals of its donations in one round trip, for requests that need both."""

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
 WHERE ticket.ticket_id = %(ticket_id)s
 ORDER BY total.first_paid_at NULLS LAST, total.currency
"""  # noqa: S608


def ticket_with_totals(cursor: Cursor, ticket_id: UUID) -> Row | None:
    """Return the ticket's row with its `SUMMARY`, or None if the ticket does not exist."""
    cursor.execute(_SELECT, {"ticket_id": ticket_id})
    joined_rows = [_split(values) for values in cursor.fetchall()]
    if not joined_rows:
        return None
    ticket, _, last = joined_rows[0]
    totals = [total for _, total, _ in joined_rows if total["ticket_id"] is not None]
    row = ticket_status.present(ticket)
    row[SUMMARY] = donation_ledger.ordered_totals(cursor, ticket_id, totals), last if last["paid_at"] else None
    return row


def _split(values: tuple[object, ...]) -> tuple[Row, Row, Row]:
    """Return the ticket's, the total's and the last donation's columns of one joined row."""
    total, last = len(ticket_status.COLUMNS), len(ticket_status.COLUMNS) + len(_TOTAL_COLUMNS)
    return (
        dict(zip(ticket_status.COLUMNS, values[:total], strict=True)),
        dict(zip(_TOTAL_COLUMNS, values[total:last], strict=True)),
        dict(zip(_LAST_COLUMNS, values[last:], strict=True)),
    )

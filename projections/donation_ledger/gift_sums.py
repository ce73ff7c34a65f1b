"""What came in for a ticket: its first gift, and the gifts of a time."""

from datetime import datetime
from uuid import UUID

from projections.model import Cursor, Row, fetched_rows


def first_gift(cursor: Cursor, ticket_id: UUID) -> Row | None:
    """Return what was paid with the first gift, its currency, and when it was recorded; None without a gift."""
    cursor.execute(
        "SELECT paid, currency, recorded_at FROM read.donation_ledger WHERE ticket_id = %(ticket_id)s"
        " AND paid_at IS NOT NULL ORDER BY paid_at, created_at, donation_id LIMIT 1",
        {"ticket_id": ticket_id},
    )
    return next(iter(fetched_rows(cursor, ("paid", "currency", "recorded_at"))), None)


def gifts_between(cursor: Cursor, ticket_id: UUID, start: datetime, end: datetime) -> list[Row]:
    """Return for each currency the number of the ticket's gifts of that time, and what is left of them."""
    cursor.execute(
        "SELECT currency, count(*), sum(paid - refunded - disputed)::bigint FROM read.donation_ledger"
        " WHERE ticket_id = %(ticket_id)s AND paid_at >= %(start)s AND paid_at < %(end)s"
        " AND paid > refunded + disputed GROUP BY currency ORDER BY currency",
        {"ticket_id": ticket_id, "start": start, "end": end},
    )
    return fetched_rows(cursor, ("currency", "gifts", "net"))


def tickets_with_gifts_between(cursor: Cursor, start: datetime, end: datetime) -> list[UUID]:
    """Return the tickets that got a gift in that time."""
    cursor.execute(
        "SELECT DISTINCT ticket_id FROM read.donation_ledger WHERE paid_at >= %(start)s AND paid_at < %(end)s",
        {"start": start, "end": end},
    )
    return [ticket_id for (ticket_id,) in cursor.fetchall()]

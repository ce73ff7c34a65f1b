"""Gifts to a ticket: the first one, those of a time, and how much of them can be refunded."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domain.movements import OPEN_DISPUTE_STATES
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


_REFUND_PLAN = """
SELECT currency,
       count(*) FILTER (WHERE can_be_refunded),
       coalesce(sum(net) FILTER (WHERE can_be_refunded), 0)::bigint,
       count(*) FILTER (WHERE can_be_refunded AND paid_at < %(old)s),
       count(*) FILTER (WHERE in_dispute),
       count(*) FILTER (WHERE NOT in_dispute AND net > 0 AND needs_second_person),
       count(*) FILTER (WHERE NOT in_dispute AND net <= 0)
  FROM (SELECT *, NOT in_dispute AND NOT needs_second_person AND net > 0 AS can_be_refunded
          FROM (SELECT currency, paid_at, paid - refunded - disputed AS net,
                       coalesce(dispute_status = ANY(%(open_states)s), false) AS in_dispute,
                       coalesce(paid - disputed > most, false) AS needs_second_person
                  FROM read.donation_ledger
                  LEFT JOIN unnest(%(currencies)s::text[], %(most)s::bigint[]) AS limited (currency, most)
                      USING (currency)
                 WHERE ticket_id = %(ticket_id)s AND paid > 0) gifts) gifts
 GROUP BY currency ORDER BY currency
"""
_REFUND_PLAN_COLUMNS = ("currency", "gifts", "minor", "old", "disputed", "needs_second_person", "nothing_left")


def refund_plan(cursor: Cursor, ticket_id: UUID, most_alone: Mapping[str, int | None], old: datetime) -> list[Row]:
    """Return for each currency how many gifts a refund of all would refund, their sum, and how many it would skip.

    `most_alone` has the sum above which a refund in a currency needs a second person, or None. Of the gifts that would
    be refunded, `old` were paid before that time.
    """
    cursor.execute(
        _REFUND_PLAN,
        {
            "ticket_id": ticket_id,
            "old": old,
            "open_states": [state for state in OPEN_DISPUTE_STATES if state],
            "currencies": list(most_alone),
            "most": list(most_alone.values()),
        },
    )
    return fetched_rows(cursor, _REFUND_PLAN_COLUMNS)

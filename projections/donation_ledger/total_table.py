"""The ledger's table of totals: one row for each ticket and currency, the sum of its donation rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from domain.values import DonationStatus
from projections.donation_ledger.donation_table import COLUMNS as DONATION_COLUMNS
from projections.model import Cursor, Row, Rows, Table, fetched_rows

SUM_COLUMNS = ("paid", "refunded", "disputed")
COUNT_COLUMNS = {status.value: f"{status.lower()}_count" for status in DonationStatus}
LATEST_TIME = datetime.max.replace(tzinfo=UTC)

TOTALS = Table(
    "donation_totals",
    {
        "ticket_id": "uuid",
        "currency": "text",
        **dict.fromkeys(SUM_COLUMNS, "bigint"),
        **dict.fromkeys(COUNT_COLUMNS.values(), "bigint"),
        "first_paid_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket_id", "currency"),
)

# A donation's row before a batch of events (None for a new donation) and after it.
Change = tuple[Row | None, Row]


def add_to_totals(changes: Sequence[Change], rows: Rows) -> None:
    """Add to the totals the difference between each donation's row after the batch and before it."""
    by_total: dict[tuple[UUID, str], list[Change]] = {}
    for before, row in changes:
        by_total.setdefault((row["ticket_id"], row["currency"]), []).append((before, row))
    rows.load(TOTALS, by_total)
    for (ticket_id, currency), donation_changes in by_total.items():
        total = rows.get(TOTALS, (ticket_id, currency)) or {
            "ticket_id": ticket_id,
            "currency": currency,
            **dict.fromkeys((*SUM_COLUMNS, *COUNT_COLUMNS.values()), 0),
            "first_paid_at": None,
            "position": 0,
        }
        for before, row in donation_changes:
            for name in SUM_COLUMNS:
                total[name] += row[name]
            total[COUNT_COLUMNS[row["status"]]] += 1
            if before:
                for name in SUM_COLUMNS:
                    total[name] -= before[name]
                total[COUNT_COLUMNS[before["status"]]] -= 1
            if row["paid_at"] is not None:
                total["first_paid_at"] = min(row["paid_at"], total["first_paid_at"] or row["paid_at"])
            total["position"] = max(total["position"], row["position"])
        rows.put(TOTALS, total)


# Queries.


def totals(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return one row for each currency, ordered by the first capture; currencies without a capture come last."""
    cursor.execute(
        f"""
        SELECT {", ".join(TOTALS.columns)} FROM read.donation_totals WHERE ticket_id = %(ticket_id)s
         ORDER BY first_paid_at NULLS LAST, currency
        """,  # noqa: S608
        {"ticket_id": ticket_id},
    )
    return ordered_totals(cursor, ticket_id, fetched_rows(cursor, TOTALS.columns))


def ordered_totals(cursor: Cursor, ticket_id: UUID, totals: list[Row]) -> list[Row]:
    """Order the currencies that share the earliest second of a capture by the creation of the captured donations."""
    first_paid_at = totals[0]["first_paid_at"] if totals else None
    tied = [total for total in totals if total["first_paid_at"] == first_paid_at]
    if first_paid_at is None or len(tied) < 2:
        return totals
    cursor.execute(
        "SELECT currency, min(created_at) FROM read.donation_ledger"
        " WHERE ticket_id = %(ticket_id)s AND coalesce(paid_at, '-infinity') = %(at)s GROUP BY currency",
        {"ticket_id": ticket_id, "at": first_paid_at},
    )
    created_at = dict(cursor.fetchall())
    return sorted(tied, key=lambda total: created_at.get(total["currency"], LATEST_TIME)) + totals[len(tied) :]


_SUMMARY = f"""
SELECT {", ".join("t." + name for name in TOTALS.columns)}, {", ".join("d." + name for name in DONATION_COLUMNS)}
  FROM (VALUES (%(ticket_id)s::uuid)) AS ticket (ticket_id)
  LEFT JOIN read.donation_totals t ON t.ticket_id = ticket.ticket_id
  LEFT JOIN LATERAL (
       SELECT * FROM read.donation_ledger l WHERE l.ticket_id = ticket.ticket_id
        ORDER BY coalesce(l.paid_at, '-infinity') DESC, l.created_at DESC, l.donation_id DESC LIMIT 1
       ) d ON true
 ORDER BY t.first_paid_at NULLS LAST, t.currency
"""  # noqa: S608
Summary = tuple[list[Row], Row | None]


def summary(cursor: Cursor, ticket_id: UUID) -> Summary:
    """Return, in one round trip, the totals and the donation paid last, also if it was refunded or disputed since."""
    cursor.execute(_SUMMARY, {"ticket_id": ticket_id})
    summary_rows = cursor.fetchall()
    width = len(TOTALS.columns)
    totals = [dict(zip(TOTALS.columns, row[:width], strict=True)) for row in summary_rows if row[0] is not None]
    last = dict(zip(DONATION_COLUMNS, summary_rows[0][width:], strict=True))
    return ordered_totals(cursor, ticket_id, totals), last if last["paid_at"] else None

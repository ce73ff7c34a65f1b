"""The ledger's table of totals: one row for each ticket and currency, the sum of its donation rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from domain.values import DonationStatus
from projections.donation_ledger.donation_table import COLUMNS as DONATION_COLUMNS
from projections.donation_ledger.donation_table import DONATIONS
from projections.model import Cursor, Row, Rows, Table, selected

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
    """Add to the totals the difference between each donation's row after the batch and before it.

    The rows after the batch are in the table of donations already.
    """
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
        first_paid_at, first_moved = total["first_paid_at"], False
        for before, row in donation_changes:
            for name in SUM_COLUMNS:
                total[name] += row[name]
            total[COUNT_COLUMNS[row["status"]]] += 1
            if before:
                for name in SUM_COLUMNS:
                    total[name] -= before[name]
                total[COUNT_COLUMNS[before["status"]]] -= 1
                first_moved |= first_paid_at is not None and before["paid_at"] == first_paid_at < row["paid_at"]
            if row["paid_at"] is not None:
                total["first_paid_at"] = min(row["paid_at"], total["first_paid_at"] or row["paid_at"])
            total["position"] = max(total["position"], row["position"])
        if first_moved:
            group = {"ticket_id": ticket_id, "currency": currency}
            total["first_paid_at"] = rows.lowest(DONATIONS, "paid_at", group)
        rows.put(TOTALS, total)


# Queries.


def totals(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return one row for each currency, ordered by the first capture; currencies without a capture come last."""
    where = "WHERE ticket_id = %(ticket_id)s ORDER BY first_paid_at NULLS LAST, currency"
    return ordered_totals(cursor, ticket_id, selected(cursor, TOTALS, where, ticket_id=ticket_id))


def ordered_totals(cursor: Cursor, ticket_id: UUID, totals: list[Row]) -> list[Row]:
    """Return the totals, which the query ordered by time and currency, in the order of `by_first_capture`.

    The creation of the donations is read only if two currencies share a second.
    """
    first_captures = [total["first_paid_at"] for total in totals if total["first_paid_at"] is not None]
    if len(set(first_captures)) == len(first_captures):
        return totals
    cursor.execute(
        "SELECT currency, paid_at, min(created_at) FROM read.donation_ledger WHERE ticket_id = %(ticket_id)s"
        " AND coalesce(paid_at, '-infinity') = ANY(%(first_captures)s::timestamptz[]) GROUP BY currency, paid_at",
        {"ticket_id": ticket_id, "first_captures": first_captures},
    )
    created_at = {(currency, paid_at): created for currency, paid_at, created in cursor.fetchall()}
    return by_first_capture(totals, created_at)


def by_first_capture(totals: Sequence[Row], created_at: Mapping[tuple[str, datetime], datetime]) -> list[Row]:
    """Order the currencies by their first captures; those without a capture come last.

    Captures in the same second are ordered by the creation of their donations: `created_at` has the earliest one for
    each currency and time of a capture.
    """

    def sort_key(total: Row) -> tuple[datetime, datetime, str]:
        currency, paid_at = total["currency"], total["first_paid_at"] or LATEST_TIME
        return paid_at, created_at.get((currency, paid_at), LATEST_TIME), currency

    return sorted(totals, key=sort_key)


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

"""The ledger's table of entries: one row for each sum that an event moved."""

from datetime import datetime
from uuid import UUID

from domain.gift import Gift
from projections.donation_ledger.donation_table import utc_time
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows

ENTRIES = Table(
    "ledger_entries",
    {
        "position": "bigint",
        "kind": "text",
        "ticket_id": "uuid",
        "donation_id": "uuid",
        "currency": "text",
        "amount": "bigint",
        "occurred_at": "timestamptz",
        "recorded_at": "timestamptz",
    },
    key=("position", "kind"),
    indexes=("(ticket_id, position)",),
)


def post_entries(recorded: RecordedEvent, stripe_time: int, row: Row, gift: Gift, rows: Rows) -> None:
    """Set the donation row's sums to those of the gift, and add an entry for each sum that changes."""
    for kind, amount in (("paid", gift.paid), ("refunded", gift.refunded), ("disputed", gift.disputed)):
        if difference := amount - row[kind]:
            rows.put(
                ENTRIES,
                {
                    "position": recorded.position,
                    "kind": kind,
                    "ticket_id": row["ticket_id"],
                    "donation_id": row["donation_id"],
                    "currency": row["currency"],
                    "amount": difference,
                    "occurred_at": utc_time(stripe_time),
                    "recorded_at": recorded.recorded_at,
                },
            )
            row[kind] = amount


# Queries.


def entries(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return a ticket's entries, the oldest first."""
    cursor.execute(
        f"SELECT {', '.join(ENTRIES.columns)} FROM read.ledger_entries"  # noqa: S608
        " WHERE ticket_id = %(ticket_id)s ORDER BY position, kind",
        {"ticket_id": ticket_id},
    )
    return fetched_rows(cursor, ENTRIES.columns)


def entries_for_export(
    cursor: Cursor,
    after: int,
    limit: int,
    ticket_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Row]:
    """Return the entries of the donations that were created between `since` and `until`, after the position `after`.

    The entries of one event are never separated, so there may be more than `limit`.
    """
    cursor.execute(
        f"""
        SELECT {", ".join("e." + name for name in ENTRIES.columns)}
          FROM read.ledger_entries e JOIN read.donation_ledger d USING (donation_id)
         WHERE e.position > %(after)s
           AND (%(ticket_id)s::uuid IS NULL OR d.ticket_id = %(ticket_id)s)
           AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
           AND (%(until)s::timestamptz IS NULL OR d.created_at < %(until)s)
         ORDER BY e.position FETCH FIRST %(limit)s ROWS WITH TIES
        """,  # noqa: S608
        {"after": after, "limit": limit, "ticket_id": ticket_id, "since": since, "until": until},
    )
    return fetched_rows(cursor, ENTRIES.columns)

"""The ledger's table of entries: one row for each movement of money, at the time of its Stripe object."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.gift import Gift
from domain.movements import Entry
from projections.donation_ledger.donation_table import utc_time
from projections.model import Cursor, Key, RecordedEvent, Row, Rows, Table, selected

# `position` and `recorded_at` are those of the event that gave the entry its present amount and time.
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
        "source_id": "text",
        "part": "bigint",
    },
    key=("donation_id", "kind", "source_id", "part"),
    indexes=("(ticket_id, position)", "(occurred_at, position)"),
)
# A gift's entries by kind, source and part, which tell the entries of one donation apart.
EntriesByKey = dict[Key, Entry]


def entries_by_key(gift: Gift) -> EntriesByKey:
    return {entry[:3]: entry for entry in gift.entries()}


def post_entries(recorded: RecordedEvent, donation: Row, gift: Gift, before: EntriesByKey, rows: Rows) -> EntriesByKey:
    """Store what an event changed of the gift's entries, and return them; the rows of `before` are loaded.

    A fact that arrives later may change the amount or the time of an entry, or explain one by entries of its own.
    """
    after, donation_id = entries_by_key(gift), donation["donation_id"]
    for key, entry in after.items():
        if before.get(key) == entry:
            continue
        rows.put(
            ENTRIES,
            {
                "position": recorded.position,
                "kind": entry.kind,
                "ticket_id": donation["ticket_id"],
                "donation_id": donation_id,
                "currency": donation["currency"],
                "amount": entry.amount,
                "occurred_at": utc_time(entry.at),
                "recorded_at": recorded.recorded_at,
                "source_id": entry.source_id,
                "part": entry.part,
            },
        )
    for key in before.keys() - after.keys():
        rows.delete(ENTRIES, (donation_id, *key))
    return after


def entry_order(row: Row) -> tuple[object, ...]:
    """Return the sort key of an entry in the order of `entries`."""
    return row["position"], row["kind"], row["source_id"], row["part"]


# Queries.


def entries(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return a ticket's entries, the oldest first."""
    where = "WHERE ticket_id = %(ticket_id)s ORDER BY position, kind, source_id, part"
    return selected(cursor, ENTRIES, where, ticket_id=ticket_id)


def entries_of(cursor: Cursor, donation_ids: Sequence[UUID]) -> list[Row]:
    """Return the entries of these donations in no particular order."""
    return selected(cursor, ENTRIES, "WHERE donation_id = ANY(%(ids)s)", ids=list(donation_ids))


def moved_since(cursor: Cursor, since: datetime, after: UUID | None, limit: int) -> list[tuple[UUID, UUID]]:
    """Return up to `limit` donations after the id `after` with an entry since then: the ids of ticket and donation."""
    cursor.execute(
        "SELECT DISTINCT ON (donation_id) ticket_id, donation_id FROM read.ledger_entries"
        " WHERE occurred_at >= %(since)s AND (%(after)s::uuid IS NULL OR donation_id > %(after)s)"
        " ORDER BY donation_id LIMIT %(limit)s",
        {"since": since, "after": after, "limit": limit},
    )
    return [(ticket_id, donation_id) for ticket_id, donation_id in cursor.fetchall()]

"""Contact index: which tickets belong to a contact, found by its keyed hash."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.events import ContactChanged, ContactReindexed, Erased, TicketOpened
from projections.model import Cursor, Recorded, Rows, Table, topics

NAME = "contact_index"
VERSION = 3
TOPICS = topics(TicketOpened, ContactChanged, ContactReindexed, Erased)

CONTACTS = Table(
    "contact_index",
    {
        "ticket_id": "uuid",
        "contact_index": "text",
        "workspace": "text",
        "created_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket_id",),
    indexes=("(contact_index, created_at DESC, ticket_id DESC)",),
)
TABLES = (CONTACTS,)


def fold(batch: Sequence[Recorded], rows: Rows) -> None:
    entries = [
        entry for entry in batch if isinstance(entry.event, TicketOpened | ContactChanged | ContactReindexed | Erased)
    ]
    rows.load(CONTACTS, {(entry.event.ticket,) for entry in entries})
    for entry in entries:
        match entry.event:
            case TicketOpened() as event:
                rows.put(
                    CONTACTS,
                    {
                        "ticket_id": event.ticket,
                        "contact_index": event.contact_index,
                        "workspace": event.workspace,
                        "created_at": entry.recorded_at,
                        "position": entry.position,
                    },
                )
            case ContactChanged() | ContactReindexed() as event:
                if row := rows.get(CONTACTS, (event.ticket,)):
                    rows.put(CONTACTS, row | {"contact_index": event.contact_index, "position": entry.position})
            case Erased() as event:
                rows.delete(CONTACTS, (event.ticket,))
            case _:
                pass


def tickets_of(
    cursor: Cursor,
    contact_indexes: Sequence[str],
    workspace: str | None,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    only: UUID | None = None,
) -> list[tuple[UUID, datetime]]:
    """Return a contact's tickets, the newest first, in one workspace or in all, beginning behind `before`.

    `only` limits the result to one ticket, for a caller that may see no other.
    """
    cursor.execute(
        """
        SELECT ticket_id, created_at FROM read.contact_index
         WHERE contact_index = ANY(%(indexes)s)
           AND (%(workspace)s::text IS NULL OR workspace = %(workspace)s)
           AND (%(only)s::uuid IS NULL OR ticket_id = %(only)s)
           AND (%(created_at)s::timestamptz IS NULL OR (created_at, ticket_id) < (%(created_at)s, %(ticket_id)s::uuid))
         ORDER BY created_at DESC, ticket_id DESC LIMIT %(limit)s
        """,
        {
            "indexes": list(contact_indexes),
            "workspace": workspace,
            "only": only,
            "created_at": before[0] if before else None,
            "ticket_id": before[1] if before else None,
            "limit": limit,
        },
    )
    return [(ticket_id, created_at) for ticket_id, created_at in cursor.fetchall()]


def is_of(cursor: Cursor, ticket_id: UUID | None, contact_indexes: Sequence[str]) -> bool:
    """Return True if the ticket exists and has this contact now."""
    cursor.execute(
        "SELECT 1 FROM read.contact_index WHERE ticket_id = %(ticket_id)s AND contact_index = ANY(%(indexes)s)",
        {"ticket_id": ticket_id, "indexes": list(contact_indexes)},
    )
    return cursor.fetchone() is not None

"""Contact index: the tickets of each contact. The column `contact_index` holds the keyed hash of the contact."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.events import ContactChanged, ContactReindexed, Erased, TicketOpened
from projections.model import Cursor, RecordedEvent, Rows, Table, topics

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


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    relevant = [recorded for recorded in batch if recorded.event.TOPIC in TOPICS]
    rows.load(CONTACTS, {(recorded.event.ticket,) for recorded in relevant})
    for recorded in relevant:
        match recorded.event:
            case TicketOpened() as event:
                rows.put(
                    CONTACTS,
                    {
                        "ticket_id": event.ticket,
                        "contact_index": event.contact_index,
                        "workspace": event.workspace,
                        "created_at": recorded.recorded_at,
                        "position": recorded.position,
                    },
                )
            case ContactChanged() | ContactReindexed() as event:
                if row := rows.get(CONTACTS, (event.ticket,)):
                    rows.put(CONTACTS, row | {"contact_index": event.contact_index, "position": recorded.position})
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
    only_ticket_id: UUID | None = None,
) -> list[tuple[UUID, datetime]]:
    """Return up to `limit` tickets of a contact, the newest first, of one workspace or of all.

    `contact_indexes` are the contact's hashes with the newest secret and the older ones. `before` is the creation time
    and the id of a ticket: only older tickets are returned. `only_ticket_id` limits the result to one ticket, for a
    caller that may see no other.
    """
    cursor.execute(
        """
        SELECT ticket_id, created_at FROM read.contact_index
         WHERE contact_index = ANY(%(indexes)s)
           AND (%(workspace)s::text IS NULL OR workspace = %(workspace)s)
           AND (%(only_ticket_id)s::uuid IS NULL OR ticket_id = %(only_ticket_id)s)
           AND (%(created_at)s::timestamptz IS NULL OR (created_at, ticket_id) < (%(created_at)s, %(ticket_id)s::uuid))
         ORDER BY created_at DESC, ticket_id DESC LIMIT %(limit)s
        """,
        {
            "indexes": list(contact_indexes),
            "workspace": workspace,
            "only_ticket_id": only_ticket_id,
            "created_at": before[0] if before else None,
            "ticket_id": before[1] if before else None,
            "limit": limit,
        },
    )
    return [(ticket_id, created_at) for ticket_id, created_at in cursor.fetchall()]


def has_contact(cursor: Cursor, ticket_id: UUID | None, contact_indexes: Sequence[str]) -> bool:
    """Return True if the ticket exists and has this contact now."""
    cursor.execute(
        "SELECT 1 FROM read.contact_index WHERE ticket_id = %(ticket_id)s AND contact_index = ANY(%(indexes)s)",
        {"ticket_id": ticket_id, "indexes": list(contact_indexes)},
    )
    return cursor.fetchone() is not None

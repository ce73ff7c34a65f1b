"""Contact index: the tickets of each contact, found by the keyed hash of the contact.

Events hold the hash sealed. The searchable copy is in `contact_hashes`, which changes with the events themselves.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.events import Erased, TicketOpened
from projections.model import Cursor, RecordedEvent, Rows, Table, topics

NAME = "contact_index"
VERSION = 4
TOPICS = topics(TicketOpened, Erased)

CONTACTS = Table(
    "contact_index",
    {"ticket_id": "uuid", "workspace": "text", "created_at": "timestamptz", "position": "bigint"},
    key=("ticket_id",),
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
                        "workspace": event.workspace,
                        "created_at": recorded.recorded_at,
                        "position": recorded.position,
                    },
                )
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
         WHERE ticket_id IN (SELECT owner_id FROM contact_hashes WHERE hash = ANY(%(indexes)s) AND is_current)
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
        "SELECT 1 FROM read.contact_index JOIN contact_hashes ON owner_id = ticket_id"
        " WHERE ticket_id = %(ticket_id)s AND hash = ANY(%(indexes)s) AND is_current",
        {"ticket_id": ticket_id, "indexes": list(contact_indexes)},
    )
    return cursor.fetchone() is not None

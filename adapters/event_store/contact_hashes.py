"""The searchable keyed hashes of contacts, kept in the transactions of the events that hold them sealed."""

from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store.history import EventEffects
from domain.events import (
    ContactChanged,
    ContactReindexed,
    SupportTicketErased,
    SupportTicketOpened,
    TicketEvent,
    TicketOpened,
)


def keep(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Make the event's contact the one by which its ticket or support ticket is found."""
    assert isinstance(event, TicketOpened | ContactChanged | ContactReindexed | SupportTicketOpened)
    if event.contact_index is None:
        return
    cursor.execute(
        "UPDATE contact_hashes SET is_current = false WHERE owner_id = %s AND is_current RETURNING verified_at",
        (event.originator_id,),
    )
    former = cursor.fetchone()
    verified_at = former[0] if former and isinstance(event, ContactReindexed) else None
    cursor.execute(
        "INSERT INTO contact_hashes (owner_id, hash, verified_at) VALUES (%s, %s, %s)"
        " ON CONFLICT (owner_id, hash) DO UPDATE SET is_current = true",
        (event.originator_id, event.contact_index, verified_at),
    )


def delete(cursor: Cursor[TupleRow], owner_id: UUID) -> None:
    """Delete every hash of a ticket or support ticket."""
    cursor.execute("DELETE FROM contact_hashes WHERE owner_id = %s", (owner_id,))


def _delete_erased(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    delete(cursor, event.originator_id)


# The hashes of an erased ticket are deleted later: they lead to its holder's support tickets, which are erased with it.
EFFECTS: EventEffects = {
    TicketOpened: [keep],
    ContactChanged: [keep],
    ContactReindexed: [keep],
    SupportTicketOpened: [keep],
    SupportTicketErased: [_delete_erased],
}

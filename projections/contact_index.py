"""Contact index: which tickets belong to a contact, found by its keyed hash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.events import ContactChanged, Erased, TicketOpened
from projections.model import Cursor, Recorded, Rows, Table, topics

NAME = "contact_index"
VERSION = 1
TOPICS = topics(TicketOpened, ContactChanged, Erased)

CONTACTS = Table(
    "contact_index",
    {
        "ticket": "uuid",
        "contact_index": "text",
        "workspace": "text",
        "created_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket",),
    indexes=("(contact_index, created_at DESC, ticket DESC)",),
)
TABLES = (CONTACTS,)


def fold(page: Sequence[Recorded], rows: Rows) -> None:
    mine = [entry for entry in page if isinstance(entry.event, TicketOpened | ContactChanged | Erased)]
    rows.load(CONTACTS, {(entry.event.ticket,) for entry in mine})
    for entry in mine:
        match entry.event:
            case TicketOpened() as event:
                rows.put(
                    CONTACTS,
                    {
                        "ticket": event.ticket,
                        "contact_index": event.contact_index,
                        "workspace": event.workspace,
                        "created_at": entry.recorded_at,
                        "position": entry.position,
                    },
                )
            case ContactChanged() as event:
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
    """Tickets of a contact, newest first, in one workspace or in all; `before` is where the last page ended.

    `only` is the one ticket that whoever asks may know of.
    """
    cursor.execute(
        """
        SELECT ticket, created_at FROM read.contact_index
         WHERE contact_index = ANY(%(indexes)s)
           AND (%(workspace)s::text IS NULL OR workspace = %(workspace)s)
           AND (%(only)s::uuid IS NULL OR ticket = %(only)s)
           AND (%(at)s::timestamptz IS NULL OR (created_at, ticket) < (%(at)s, %(ticket)s::uuid))
         ORDER BY created_at DESC, ticket DESC LIMIT %(limit)s
        """,
        {
            "indexes": list(contact_indexes),
            "workspace": workspace,
            "only": only,
            "at": before[0] if before else None,
            "ticket": before[1] if before else None,
            "limit": limit,
        },
    )
    return [(ticket, created_at) for ticket, created_at in cursor.fetchall()]


def is_of(cursor: Cursor, ticket: UUID | None, contact_indexes: Sequence[str]) -> bool:
    """Whether the ticket, if there is one, is of this contact now."""
    cursor.execute(
        "SELECT 1 FROM read.contact_index WHERE ticket = %(ticket)s AND contact_index = ANY(%(indexes)s)",
        {"ticket": ticket, "indexes": list(contact_indexes)},
    )
    return cursor.fetchone() is not None

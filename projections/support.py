"""Support: one row for every support ticket, what it says as sealed as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.events import SupportEvent, SupportTicketErased, SupportTicketOpened, SupportTicketResolved
from domain.values import SupportStatus
from projections.model import Cursor, Recorded, Row, Rows, Table, topics

NAME = "support"
VERSION = 1
TOPICS = topics(SupportEvent)

# `ticket` is the one whose key seals the words; `about` the one that they name, or say to.
SUPPORT_TICKETS = Table(
    "support_tickets",
    {
        "support": "uuid",
        "ticket": "uuid",
        "about": "uuid",
        "category": "text",
        "status": "text",
        "message": "text",
        "contact_type": "text",
        "contact": "text",
        "contact_index": "text",
        "erased": "boolean",
        "created_at": "timestamptz",
        "resolved_at": "timestamptz",
        "position": "bigint",
    },
    key=("support",),
    indexes=("(created_at DESC, support DESC)", "(about)", "(contact_index)"),
)
TABLES = (SUPPORT_TICKETS,)

_ERASED: Row = {"message": None, "contact_type": None, "contact": None, "contact_index": None, "erased": True}


def fold(page: Sequence[Recorded], rows: Rows) -> None:
    mine = [(entry, entry.event) for entry in page if isinstance(entry.event, SupportEvent)]
    opened = {event.originator_id for _, event in mine if isinstance(event, SupportTicketOpened)}
    rows.load(SUPPORT_TICKETS, {(event.originator_id,) for _, event in mine if event.originator_id not in opened})
    for entry, event in mine:
        row = _opened(event) if isinstance(event, SupportTicketOpened) else rows.get(SUPPORT_TICKETS, (_id(event),))
        if row is None:
            continue
        match event:
            case SupportTicketOpened():
                row["created_at"] = entry.recorded_at
            case SupportTicketResolved():
                row |= {"status": SupportStatus.RESOLVED, "resolved_at": entry.recorded_at}
            case SupportTicketErased():
                row |= _ERASED
            case _:
                pass
        rows.put(SUPPORT_TICKETS, row | {"position": entry.position})


def _id(event: SupportEvent) -> UUID:
    return event.originator_id


def _opened(event: SupportTicketOpened) -> Row:
    return {
        "support": _id(event),
        "ticket": event.ticket_id,
        "about": event.about,
        "category": event.category,
        "status": SupportStatus.OPEN,
        "message": event.message,
        "contact_type": event.contact.type if event.contact else None,
        "contact": event.contact.value if event.contact else None,
        "contact_index": event.contact_index,
        "erased": False,
        "resolved_at": None,
    }


# Queries. A row is the table's columns.

_COLUMNS = ", ".join(SUPPORT_TICKETS.columns)
_SELECT = f"SELECT {_COLUMNS} FROM read.support_tickets "  # noqa: S608


def _rows(cursor: Cursor) -> list[Row]:
    return [dict(zip(SUPPORT_TICKETS.columns, values, strict=True)) for values in cursor.fetchall()]


def support_ticket(cursor: Cursor, support: UUID) -> Row | None:
    cursor.execute(_SELECT + "WHERE support = %(support)s", {"support": support})
    found = _rows(cursor)
    return found[0] if found else None


def recent(cursor: Cursor, limit: int, before: tuple[datetime, UUID] | None = None) -> list[Row]:
    """All support tickets, newest first; `before` is where the last page ended."""
    cursor.execute(
        _SELECT
        + """
         WHERE %(at)s::timestamptz IS NULL OR (created_at, support) < (%(at)s, %(support)s::uuid)
         ORDER BY created_at DESC, support DESC LIMIT %(limit)s
        """,
        {"at": before[0] if before else None, "support": before[1] if before else None, "limit": limit},
    )
    return _rows(cursor)


def about(cursor: Cursor, ticket: UUID) -> list[Row]:
    """The support tickets that name a ticket, newest first."""
    cursor.execute(_SELECT + "WHERE about = %(ticket)s ORDER BY created_at DESC, support DESC", {"ticket": ticket})
    return _rows(cursor)


def concerning(cursor: Cursor, ticket: UUID, contact_indexes: Sequence[str]) -> list[Row]:
    """Those not erased that name a ticket, or leave one of these contacts and belong to no other."""
    cursor.execute(
        _SELECT
        + """
         WHERE (about = %(ticket)s OR (ticket = support AND contact_index = ANY(%(indexes)s))) AND NOT erased
         ORDER BY position
        """,
        {"ticket": ticket, "indexes": list(contact_indexes)},
    )
    return _rows(cursor)

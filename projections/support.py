"""Support tickets: one row for each, with its message sealed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.events import SupportEvent, SupportReplied, SupportTicketErased, SupportTicketOpened, SupportTicketResolved
from domain.values import SupportStatus
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

NAME = "support"
VERSION = 4
TOPICS = topics(SupportEvent)

# `ticket_id` is the author's ticket, whose key seals the message. Without one the message has a key of its own, and
# `ticket_id` is the `support_id`. `about` is the ticket that the author names.
SUPPORT_TICKETS = Table(
    "support_tickets",
    {
        "support_id": "uuid",
        "ticket_id": "uuid",
        "about": "uuid",
        "category": "text",
        "status": "text",
        "message": "text",
        "contact_type": "text",
        "contact": "text",
        "replies": "jsonb",
        "erased": "boolean",
        "created_at": "timestamptz",
        "resolved_at": "timestamptz",
        "position": "bigint",
    },
    key=("support_id",),
    indexes=("(created_at DESC, support_id DESC)", "(about)"),
)
TABLES = (SUPPORT_TICKETS,)

_ERASED: Row = {"message": None, "contact_type": None, "contact": None, "replies": [], "erased": True}


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    relevant = [(recorded, recorded.event) for recorded in batch if isinstance(recorded.event, SupportEvent)]
    opened = {event.originator_id for _, event in relevant if isinstance(event, SupportTicketOpened)}
    rows.load(SUPPORT_TICKETS, {(event.originator_id,) for _, event in relevant if event.originator_id not in opened})
    for recorded, event in relevant:
        if isinstance(event, SupportTicketOpened):
            row: Row | None = _opened_row(event, recorded)
        else:
            row = rows.get(SUPPORT_TICKETS, (event.originator_id,))
        if row is None:
            continue
        match event:
            case SupportReplied():
                reply = {
                    "id": str(event.reply_id),
                    "text": event.text,
                    "actor": str(event.actor),
                    "at": recorded.recorded_at.isoformat(),
                }
                row |= {"replies": [*row["replies"], reply]}
            case SupportTicketResolved():
                row |= {"status": SupportStatus.RESOLVED, "resolved_at": recorded.recorded_at}
            case SupportTicketErased():
                row |= _ERASED
            case _:
                pass
        rows.put(SUPPORT_TICKETS, row | {"position": recorded.position})


def _opened_row(event: SupportTicketOpened, recorded: RecordedEvent) -> Row:
    return {
        "support_id": event.originator_id,
        "ticket_id": event.ticket_id,
        "about": event.about,
        "category": event.category,
        "status": SupportStatus.OPEN,
        "message": event.message,
        "contact_type": event.contact.type if event.contact else None,
        "contact": event.contact.value if event.contact else None,
        "replies": [],
        "erased": False,
        "created_at": recorded.recorded_at,
        "resolved_at": None,
    }


# Queries. A row has the table's columns.

_COLUMNS = ", ".join(SUPPORT_TICKETS.columns)
_SELECT = f"SELECT {_COLUMNS} FROM read.support_tickets "  # noqa: S608
# A support ticket belongs to the workspace of the ticket that it is about, and otherwise to the built-in one.
_OF_WORKSPACE = """
SELECT workspace FROM read.ticket_status AS ticket WHERE ticket.ticket_id = support_tickets.about
"""
BUILT_IN_WORKSPACE = "public"


def support_ticket(cursor: Cursor, support_id: UUID) -> Row | None:
    cursor.execute(_SELECT + "WHERE support_id = %(support_id)s", {"support_id": support_id})
    return next(iter(fetched_rows(cursor, SUPPORT_TICKETS.columns)), None)


def workspace_of(cursor: Cursor, row: Row) -> str:
    """Return the workspace whose staff answer this support ticket."""
    cursor.execute(
        "SELECT workspace FROM read.ticket_status WHERE ticket_id = %(about)s::uuid", {"about": row["about"]}
    )
    found = cursor.fetchone()
    return found[0] if found else BUILT_IN_WORKSPACE


def recent(
    cursor: Cursor,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    *,
    workspace: str | None = None,
    status: SupportStatus | None = None,
) -> list[Row]:
    """Return up to `limit` support tickets, the newest first, of one workspace or of all, with one status or any.

    `before` is the creation time and the id of a support ticket: only older ones are returned.
    """
    cursor.execute(
        _SELECT
        + f"""
         WHERE (%(created_at)s::timestamptz IS NULL
                OR (created_at, support_id) < (%(created_at)s, %(support_id)s::uuid))
           AND (%(status)s::text IS NULL OR status = %(status)s)
           AND (%(workspace)s::text IS NULL OR coalesce(({_OF_WORKSPACE}), %(built_in)s) = %(workspace)s)
         ORDER BY created_at DESC, support_id DESC LIMIT %(limit)s
        """,
        {
            "created_at": before[0] if before else None,
            "support_id": before[1] if before else None,
            "status": status,
            "workspace": workspace,
            "built_in": BUILT_IN_WORKSPACE,
            "limit": limit,
        },
    )
    return fetched_rows(cursor, SUPPORT_TICKETS.columns)


def about(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return the support tickets that name a ticket, the newest first."""
    cursor.execute(
        _SELECT + "WHERE about = %(ticket_id)s ORDER BY created_at DESC, support_id DESC", {"ticket_id": ticket_id}
    )
    return fetched_rows(cursor, SUPPORT_TICKETS.columns)


def concerning(cursor: Cursor, ticket_id: UUID, contact_indexes: Sequence[str]) -> list[Row]:
    """Return the support tickets that concern a ticket, except erased ones.

    A support ticket concerns the ticket that it names in `about`. One whose message has a key of its own also concerns
    the tickets of its author's contact.
    """
    cursor.execute(
        _SELECT
        + """
         LEFT JOIN contact_hashes ON owner_id = support_id AND hash = ANY(%(indexes)s)
         WHERE (about = %(ticket_id)s OR (ticket_id = support_id AND owner_id IS NOT NULL)) AND NOT erased
         ORDER BY position
        """,
        {"ticket_id": ticket_id, "indexes": list(contact_indexes)},
    )
    return fetched_rows(cursor, SUPPORT_TICKETS.columns)

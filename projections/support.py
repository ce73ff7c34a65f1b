"""Support tickets: one row for each, with its message sealed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from domain.events import (
    SupportAssigned,
    SupportAuthorReplied,
    SupportEvent,
    SupportReplied,
    SupportTicketErased,
    SupportTicketOpened,
    SupportTicketResolved,
    SupportUnassigned,
)
from domain.values import SupportCategory, SupportStatus
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, selected, selected_row, topics

NAME = "support"
VERSION = 5
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
        "assignee": "uuid",
        "erased": "boolean",
        "created_at": "timestamptz",
        # When the author wrote last.
        "asked_at": "timestamptz",
        "resolved_at": "timestamptz",
        "position": "bigint",
    },
    key=("support_id",),
    indexes=("(asked_at DESC, support_id DESC)", "(about)", "(ticket_id)"),
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
            case SupportReplied() | SupportAuthorReplied():
                by_author = isinstance(event, SupportAuthorReplied)
                reply = {
                    "id": str(event.reply_id),
                    "text": event.text,
                    "actor": str(event.actor),
                    "at": recorded.recorded_at.isoformat(),
                    "by_author": by_author,
                }
                row |= {"replies": [*row["replies"], reply]}
                if by_author:
                    row |= {"status": SupportStatus.OPEN, "resolved_at": None, "asked_at": recorded.recorded_at}
            case SupportAssigned(assignee=assignee):
                row |= {"assignee": assignee}
            case SupportUnassigned():
                row |= {"assignee": None}
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
        "assignee": None,
        "erased": False,
        "created_at": recorded.recorded_at,
        "asked_at": recorded.recorded_at,
        "resolved_at": None,
    }


# Queries. A row has the table's columns.

# A support ticket belongs to the workspace of the ticket that it is about, and otherwise to the built-in one.
_OF_WORKSPACE = """
SELECT workspace FROM read.ticket_status AS ticket WHERE ticket.ticket_id = support_tickets.about
"""
BUILT_IN_WORKSPACE = "public"


def support_ticket(cursor: Cursor, support_id: UUID) -> Row | None:
    return selected_row(cursor, SUPPORT_TICKETS, "WHERE support_id = %(support_id)s", support_id=support_id)


def workspace_of(cursor: Cursor, row: Row) -> str:
    """Return the workspace whose staff answer this support ticket."""
    cursor.execute(
        "SELECT workspace FROM read.ticket_status WHERE ticket_id = %(about)s::uuid", {"about": row["about"]}
    )
    fetched = cursor.fetchone()
    return fetched[0] if fetched else BUILT_IN_WORKSPACE


@dataclass(frozen=True)
class Filters:
    """Which support tickets are listed: those of one workspace, with one status and so on. None does not limit.

    `ticket_id` is the ticket of the authors. `unassigned` limits to those that nobody takes care of.
    """

    workspace: str | None = None
    status: SupportStatus | None = None
    category: SupportCategory | None = None
    assignee: UUID | None = None
    unassigned: bool = False
    ticket_id: UUID | None = None


def recent(
    cursor: Cursor, limit: int, before: tuple[datetime, UUID] | None = None, filters: Filters | None = None
) -> list[Row]:
    """Return up to `limit` support tickets, the one whose author wrote last first.

    `before` has the `asked_at` and the id of a support ticket: only those after it in this order are returned.
    """
    chosen = filters or Filters()
    conditions = {
        "(asked_at, support_id) < (%(asked_at)s, %(support_id)s::uuid)": before,
        "status = %(status)s": chosen.status,
        "category = %(category)s": chosen.category,
        "assignee = %(assignee)s": chosen.assignee,
        "assignee IS NULL": chosen.unassigned or None,
        "ticket_id = %(ticket_id)s": chosen.ticket_id,
        f"coalesce(({_OF_WORKSPACE}), %(built_in)s) = %(workspace)s": chosen.workspace,
    }
    where = " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"
    return selected(
        cursor,
        SUPPORT_TICKETS,
        f"WHERE {where} ORDER BY asked_at DESC, support_id DESC LIMIT %(limit)s",
        **asdict(chosen),
        asked_at=before[0] if before else None,
        support_id=before[1] if before else None,
        built_in=BUILT_IN_WORKSPACE,
        limit=limit,
    )


def about(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return the support tickets that name a ticket, the newest first."""
    where = "WHERE about = %(ticket_id)s ORDER BY created_at DESC, support_id DESC"
    return selected(cursor, SUPPORT_TICKETS, where, ticket_id=ticket_id)


def concerning(cursor: Cursor, ticket_id: UUID, contact_indexes: Sequence[str]) -> list[Row]:
    """Return the support tickets that concern a ticket, except erased ones.

    A support ticket concerns the ticket that it names in `about`. One whose message has a key of its own also concerns
    the tickets of its author's contact.
    """
    return selected(
        cursor,
        SUPPORT_TICKETS,
        """
         LEFT JOIN contact_hashes ON owner_id = support_id AND hash = ANY(%(indexes)s)
         WHERE (about = %(ticket_id)s OR (ticket_id = support_id AND owner_id IS NOT NULL)) AND NOT erased
         ORDER BY position
        """,
        ticket_id=ticket_id,
        indexes=list(contact_indexes),
    )

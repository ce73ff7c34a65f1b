"""Ticket status: one row for each ticket with its draft, and one for each ticket that was ever funded."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from domain import events
from domain.lifecycle import Lifecycle, edited, missing_fields, proposed
from domain.values import ContentStatus, Draft, Kind, Money, Step
from projections.model import Cursor, Recorded, Row, Rows, Table, fetched_rows, topics

NAME = "ticket_status"
VERSION = 2
# These events have streams of their own and change nothing of the ticket itself.
OTHER_STREAMS = events.DonationEvent | events.SupportEvent
TOPICS = topics(events.TicketEvent) - topics(events.DonationEvent, events.SupportEvent) | topics(events.PaymentReceived)

TICKETS = Table(
    "ticket_status",
    {
        "ticket_id": "uuid",
        "workspace": "text",
        "kind": "text",
        "slug": "text",
        "contact_type": "text",
        "contact": "text",
        "display_name": "text",
        "token_digest": "text",
        "base": "text",
        "published": "boolean",
        "step": "text",
        "recording_id": "uuid",
        "has_document": "boolean",
        "draft": "jsonb",
        "written": "jsonb",
        "analysis": "jsonb",
        "transcriptions": "jsonb",
        "error": "jsonb",
        "erased": "boolean",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "version": "integer",
        "position": "bigint",
    },
    key=("ticket_id",),
    indexes=("(slug)",),
)
FUNDED = Table("funded_tickets", {"ticket_id": "uuid", "position": "bigint"}, key=("ticket_id",))
TABLES = (TICKETS, FUNDED)


def fold(batch: Sequence[Recorded], rows: Rows) -> None:
    entries = [entry for entry in batch if not isinstance(entry.event, OTHER_STREAMS)]
    paid = [entry for entry in batch if isinstance(entry.event, events.PaymentReceived)]
    opened = {entry.event.ticket for entry in entries if isinstance(entry.event, events.TicketOpened)}
    rows.load(TICKETS, {(entry.event.ticket,) for entry in entries} - {(ticket,) for ticket in opened})
    rows.load(FUNDED, {(entry.event.ticket,) for entry in paid})
    for entry in entries:
        _note(entry, rows)
    for entry in paid:
        if rows.get(FUNDED, (entry.event.ticket,)) is None:
            rows.put(FUNDED, {"ticket_id": entry.event.ticket, "position": entry.position})


def _note(entry: Recorded, rows: Rows) -> None:
    event = entry.event
    row = _opened(event, entry) if isinstance(event, events.TicketOpened) else rows.get(TICKETS, (event.ticket,))
    if row is None:
        return
    draft = draft_of(row)
    match event:
        case events.DisplayNameChanged(display_name=display_name):
            row["display_name"] = display_name
        case events.ContactChanged(contact=contact, token_digest=token_digest):
            row |= {"contact_type": contact.type, "contact": contact.value, "token_digest": token_digest}
        case events.AudioUploaded(recording_id=recording_id):
            row |= {"recording_id": recording_id, "error": None}
        case events.ProcessingRequested():
            row["error"] = None
        case events.Transcribed():
            row["transcriptions"] = [_transcription(event, entry), *row["transcriptions"]]
        case events.Analysed():
            row["analysis"] = {
                "language": event.language,
                "sentiment": event.sentiment,
                "urgency": event.urgency,
                "key_points": list(event.key_points),
            }
        case events.TranscriptionFailed() | events.DraftingFailed():
            row["error"] = {"code": event.code, "message": event.message, "retryable": event.retryable}
        case events.DraftProposed():
            draft = proposed(draft, event, frozenset(row["written"]))
        case events.DraftEdited():
            draft = edited(draft, event)
            row["written"] = sorted({*row["written"], *event.changed})
        case events.DocumentGenerated():
            row["has_document"] = True
        case events.Erased():
            draft = Draft()
            row |= _ERASED
        case _:
            pass
    life = _lifecycle(row)
    life.apply(event, complete=not missing_fields(Kind(row["kind"]), draft))
    row |= {"base": life.base, "published": life.published, "step": life.step}
    row["draft"] = asdict(draft)
    row |= {"updated_at": entry.recorded_at, "version": event.originator_version, "position": entry.position}
    rows.put(TICKETS, row)


_ERASED: Row = {
    "contact": None,
    "display_name": None,
    "token_digest": None,
    "analysis": None,
    "transcriptions": [],
    "has_document": False,
    "error": None,
    "erased": True,
}


def _opened(event: events.TicketOpened, entry: Recorded) -> Row:
    return {
        "ticket_id": event.ticket,
        "workspace": event.workspace,
        "kind": event.kind,
        "slug": event.slug,
        "contact_type": event.contact.type,
        "contact": event.contact.value,
        "display_name": event.display_name,
        "token_digest": event.token_digest,
        "base": ContentStatus.DRAFT,
        "published": False,
        "step": None,
        "recording_id": None,
        "has_document": False,
        "draft": asdict(Draft()),
        "written": [],
        "analysis": None,
        "transcriptions": [],
        "error": None,
        "erased": False,
        "created_at": entry.recorded_at,
    }


def _transcription(event: events.Transcribed, entry: Recorded) -> Row:
    return {
        "id": str(event.transcription_id),
        "sha256": event.content.sha256,
        "size_bytes": event.content.size_bytes,
        "language": event.language,
        "engine": event.engine,
        "created_at": entry.recorded_at.isoformat(),
    }


def _lifecycle(row: Row) -> Lifecycle:
    return Lifecycle(ContentStatus(row["base"]), row["published"], Step(row["step"]) if row["step"] else None)


def draft_of(row: Row) -> Draft:
    """Return the row's draft with its personal texts sealed."""
    fields = dict(row["draft"])
    fields["goal"] = Money(**fields["goal"]) if fields["goal"] else None
    fields["breakdown"] = tuple(fields["breakdown"])
    return Draft(**fields)


# Queries. A row has the table's columns, `funded`, and the derived `content_status`.

_NAMES = (*TICKETS.columns, "funded")
_SELECT = f"""
SELECT {", ".join("t." + name for name in TICKETS.columns)}, f.ticket_id IS NOT NULL AS funded
  FROM read.ticket_status t LEFT JOIN read.funded_tickets f USING (ticket_id)
"""  # noqa: S608


def _rows(cursor: Cursor) -> list[Row]:
    """Return the rows of `_SELECT`."""
    return [with_status(row) for row in fetched_rows(cursor, _NAMES)]


def with_status(row: Row) -> Row:
    """Return the row with its `content_status`, which follows from the other columns."""
    return row | {"content_status": _lifecycle(row).status}


def ticket(cursor: Cursor, ticket_id: UUID) -> Row | None:
    cursor.execute(_SELECT + "WHERE t.ticket_id = %(ticket_id)s", {"ticket_id": ticket_id})
    return next(iter(_rows(cursor)), None)


def tickets(cursor: Cursor, ticket_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return the rows of those tickets that exist, by their ids."""
    cursor.execute(_SELECT + "WHERE t.ticket_id = ANY(%(ticket_ids)s)", {"ticket_ids": list(ticket_ids)})
    return {row["ticket_id"]: row for row in _rows(cursor)}


def ticket_by_slug(cursor: Cursor, slug: str) -> Row | None:
    cursor.execute(_SELECT + "WHERE t.slug = %(slug)s", {"slug": slug})
    return next(iter(_rows(cursor)), None)

"""Attachments: one row for each photo and each PDF that was not deleted."""

from collections.abc import Sequence
from uuid import UUID

from domain.events import AttachmentAdded, AttachmentDeleted, Erased
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, selected, selected_row, topics

NAME = "attachments"
VERSION = 1
TOPICS = topics(AttachmentAdded, AttachmentDeleted, Erased)

ATTACHMENTS = Table(
    "attachments",
    {
        "ticket_id": "uuid",
        "attachment_id": "uuid",
        "sha256": "text",
        "size_bytes": "bigint",
        "media_type": "text",
        "file_name": "text",
        "small_sha256": "text",
        "small_size_bytes": "bigint",
        "width": "integer",
        "height": "integer",
        "created_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket_id", "attachment_id"),
)
# The ids of each ticket's attachments: an erasure names only the ticket, and a fold loads rows only by their keys.
ATTACHED = Table(
    "attached_ids", {"ticket_id": "uuid", "attachment_ids": "jsonb", "position": "bigint"}, key=("ticket_id",)
)
TABLES = (ATTACHMENTS, ATTACHED)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    relevant = [
        recorded for recorded in batch if isinstance(recorded.event, AttachmentAdded | AttachmentDeleted | Erased)
    ]
    rows.load(ATTACHED, {(recorded.event.ticket,) for recorded in relevant})
    for recorded in relevant:
        _fold_event(recorded, rows)


def _fold_event(recorded: RecordedEvent, rows: Rows) -> None:
    event = recorded.event
    attached = rows.get(ATTACHED, (event.ticket,)) or {"ticket_id": event.ticket, "attachment_ids": []}
    ids = attached["attachment_ids"]
    match event:
        case AttachmentAdded():
            rows.put(ATTACHMENTS, _row(recorded, event))
            ids = [*ids, str(event.attachment_id)]
        case AttachmentDeleted(attachment_id=attachment_id):
            rows.delete(ATTACHMENTS, (event.ticket, attachment_id))
            ids = [id for id in ids if id != str(attachment_id)]
        case Erased():
            for id in ids:
                rows.delete(ATTACHMENTS, (event.ticket, UUID(id)))
            ids = []
    rows.put(ATTACHED, attached | {"attachment_ids": ids, "position": recorded.position})


def _row(recorded: RecordedEvent, event: AttachmentAdded) -> Row:
    return {
        "ticket_id": event.ticket,
        "attachment_id": event.attachment_id,
        "sha256": event.content.sha256,
        "size_bytes": event.content.size_bytes,
        "media_type": event.media_type,
        "file_name": event.file_name,
        "small_sha256": event.small.sha256 if event.small else None,
        "small_size_bytes": event.small.size_bytes if event.small else None,
        "width": event.width,
        "height": event.height,
        "created_at": recorded.recorded_at,
        "position": recorded.position,
    }


def attachments(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return all attachments of a ticket, the oldest first."""
    return selected(cursor, ATTACHMENTS, "WHERE ticket_id = %(ticket_id)s ORDER BY position", ticket_id=ticket_id)


def attachment(cursor: Cursor, ticket_id: UUID, attachment_id: UUID) -> Row | None:
    where = "WHERE ticket_id = %(ticket_id)s AND attachment_id = %(attachment_id)s"
    return selected_row(cursor, ATTACHMENTS, where, ticket_id=ticket_id, attachment_id=attachment_id)

"""Documents: one row for each generated document."""

from collections.abc import Sequence
from uuid import UUID

from domain.events import DocumentGenerated, Erased
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, selected, selected_row, topics

NAME = "documents"
VERSION = 2
TOPICS = topics(DocumentGenerated, Erased)

DOCUMENTS = Table(
    "documents",
    {
        "ticket_id": "uuid",
        "document_id": "uuid",
        "type": "text",
        "format": "text",
        "sha256": "text",
        "size_bytes": "bigint",
        "donation_id": "uuid",
        "created_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket_id", "document_id"),
)
# The ids of each ticket's documents: an erasure names only the ticket, and a fold loads rows only by their keys.
ISSUED = Table(
    "issued_documents", {"ticket_id": "uuid", "document_ids": "jsonb", "position": "bigint"}, key=("ticket_id",)
)
TABLES = (DOCUMENTS, ISSUED)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    relevant = [recorded for recorded in batch if isinstance(recorded.event, DocumentGenerated | Erased)]
    rows.load(ISSUED, {(recorded.event.ticket,) for recorded in relevant})
    generated = [recorded.event for recorded in relevant if isinstance(recorded.event, DocumentGenerated)]
    rows.load(DOCUMENTS, {(event.ticket, event.document_id) for event in generated})
    for recorded in relevant:
        ticket_id = recorded.event.ticket
        issued = rows.get(ISSUED, (ticket_id,)) or {"ticket_id": ticket_id, "document_ids": []}
        if isinstance(recorded.event, DocumentGenerated):
            rows.put(DOCUMENTS, _row(recorded, recorded.event))
            issued["document_ids"] = [*issued["document_ids"], str(recorded.event.document_id)]
        else:
            for document_id in issued["document_ids"]:
                rows.delete(DOCUMENTS, (ticket_id, UUID(document_id)))
            issued["document_ids"] = []
        rows.put(ISSUED, issued | {"position": recorded.position})


def _row(recorded: RecordedEvent, event: DocumentGenerated) -> Row:
    return {
        "ticket_id": event.ticket,
        "document_id": event.document_id,
        "type": event.type,
        "format": event.format,
        "sha256": event.content.sha256,
        "size_bytes": event.content.size_bytes,
        "donation_id": event.donation_id,
        "created_at": recorded.recorded_at,
        "position": recorded.position,
    }


def documents(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return all documents of a ticket, the newest first."""
    return selected(cursor, DOCUMENTS, "WHERE ticket_id = %(ticket_id)s ORDER BY position DESC", ticket_id=ticket_id)


def document(cursor: Cursor, ticket_id: UUID, document_id: UUID) -> Row | None:
    where = "WHERE ticket_id = %(ticket_id)s AND document_id = %(document_id)s"
    return selected_row(cursor, DOCUMENTS, where, ticket_id=ticket_id, document_id=document_id)

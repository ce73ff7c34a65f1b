"""Documents: one row for each generated document."""

from collections.abc import Sequence
from uuid import UUID

from domain.events import DocumentGenerated, Erased
from projections.model import Cursor, Recorded, Row, Rows, Table, fetched_rows, topics

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
# The documents of each ticket, so that the fold of an erasure can find and delete their rows.
ISSUED = Table(
    "issued_documents", {"ticket_id": "uuid", "document_ids": "jsonb", "position": "bigint"}, key=("ticket_id",)
)
TABLES = (DOCUMENTS, ISSUED)


def fold(batch: Sequence[Recorded], rows: Rows) -> None:
    entries = [entry for entry in batch if isinstance(entry.event, DocumentGenerated | Erased)]
    rows.load(ISSUED, {(entry.event.ticket,) for entry in entries})
    rows.load(
        DOCUMENTS, {(e.event.ticket, e.event.document_id) for e in entries if isinstance(e.event, DocumentGenerated)}
    )
    for entry in entries:
        ticket_id = entry.event.ticket
        issued = rows.get(ISSUED, (ticket_id,)) or {
            "ticket_id": ticket_id,
            "document_ids": [],
            "position": entry.position,
        }
        if isinstance(entry.event, DocumentGenerated):
            rows.put(DOCUMENTS, _row(entry, entry.event))
            issued["document_ids"] = [*issued["document_ids"], str(entry.event.document_id)]
        else:
            for document_id in issued["document_ids"]:
                rows.delete(DOCUMENTS, (ticket_id, UUID(document_id)))
            issued["document_ids"] = []
        rows.put(ISSUED, issued | {"position": entry.position})


def _row(entry: Recorded, event: DocumentGenerated) -> Row:
    return {
        "ticket_id": event.ticket,
        "document_id": event.document_id,
        "type": event.type,
        "format": event.format,
        "sha256": event.content.sha256,
        "size_bytes": event.content.size_bytes,
        "donation_id": event.donation_id,
        "created_at": entry.recorded_at,
        "position": entry.position,
    }


_COLUMNS = ", ".join(DOCUMENTS.columns)


def documents(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return all documents of a ticket, the newest first."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM read.documents WHERE ticket_id = %(ticket_id)s ORDER BY position DESC",  # noqa: S608
        {"ticket_id": ticket_id},
    )
    return fetched_rows(cursor, DOCUMENTS.columns)


def document(cursor: Cursor, ticket_id: UUID, document_id: UUID) -> Row | None:
    cursor.execute(
        f"SELECT {_COLUMNS} FROM read.documents WHERE ticket_id = %(ticket_id)s AND document_id = %(document_id)s",  # noqa: S608
        {"ticket_id": ticket_id, "document_id": document_id},
    )
    return next(iter(fetched_rows(cursor, DOCUMENTS.columns)), None)

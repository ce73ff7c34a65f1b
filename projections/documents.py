"""Documents: one row for every document generated."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.events import DocumentGenerated, Erased
from projections.model import Cursor, Recorded, Row, Rows, Table, topics

NAME = "documents"
VERSION = 1
TOPICS = topics(DocumentGenerated, Erased)

DOCUMENTS = Table(
    "documents",
    {
        "ticket": "uuid",
        "document": "uuid",
        "type": "text",
        "format": "text",
        "sha256": "text",
        "size_bytes": "bigint",
        "donation": "uuid",
        "created_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket", "document"),
)
# Which documents a ticket has, so that an erasure finds them without reading more than its own tables.
ISSUED = Table("issued_documents", {"ticket": "uuid", "documents": "jsonb", "position": "bigint"}, key=("ticket",))
TABLES = (DOCUMENTS, ISSUED)


def fold(page: Sequence[Recorded], rows: Rows) -> None:
    mine = [entry for entry in page if isinstance(entry.event, DocumentGenerated | Erased)]
    rows.load(ISSUED, {(entry.event.ticket,) for entry in mine})
    rows.load(
        DOCUMENTS, {(e.event.ticket, e.event.document_id) for e in mine if isinstance(e.event, DocumentGenerated)}
    )
    for entry in mine:
        ticket = entry.event.ticket
        issued = rows.get(ISSUED, (ticket,)) or {"ticket": ticket, "documents": [], "position": entry.position}
        if isinstance(entry.event, DocumentGenerated):
            rows.put(DOCUMENTS, _row(entry, entry.event))
            issued["documents"] = [*issued["documents"], str(entry.event.document_id)]
        else:
            for document in issued["documents"]:
                rows.delete(DOCUMENTS, (ticket, UUID(document)))
            issued["documents"] = []
        rows.put(ISSUED, issued | {"position": entry.position})


def _row(entry: Recorded, event: DocumentGenerated) -> Row:
    return {
        "ticket": event.ticket,
        "document": event.document_id,
        "type": event.type,
        "format": event.format,
        "sha256": event.content.sha256,
        "size_bytes": event.content.size_bytes,
        "donation": event.donation_id,
        "created_at": entry.recorded_at,
        "position": entry.position,
    }


_COLUMNS = ", ".join(DOCUMENTS.columns)


def documents(cursor: Cursor, ticket: UUID) -> list[Row]:
    """All documents of a ticket, newest first."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM read.documents WHERE ticket = %(ticket)s ORDER BY position DESC",  # noqa: S608
        {"ticket": ticket},
    )
    return [dict(zip(DOCUMENTS.columns, values, strict=True)) for values in cursor.fetchall()]


def document(cursor: Cursor, ticket: UUID, document_id: UUID) -> Row | None:
    cursor.execute(
        f"SELECT {_COLUMNS} FROM read.documents WHERE ticket = %(ticket)s AND document = %(document)s",  # noqa: S608
        {"ticket": ticket, "document": document_id},
    )
    found = cursor.fetchone()
    return dict(zip(DOCUMENTS.columns, found, strict=True)) if found else None

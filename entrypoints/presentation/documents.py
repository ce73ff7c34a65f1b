"""Documents and QR codes as responses."""

from __future__ import annotations

from uuid import UUID

from domain.values import DocumentFormat, DocumentType
from entrypoints.presentation.responses import ResponseBody, Time, Url, utc
from projections.model import Row


class Document(ResponseBody):
    """A generated document; `filePath` is its download address."""

    document_id: UUID
    type: DocumentType
    format: DocumentFormat
    size_bytes: int
    sha256: str
    file_path: Url
    created_at: Time

    @classmethod
    def from_row(cls, row: Row, public_url: str) -> Document:
        return cls(
            document_id=row["document_id"],
            type=row["type"],
            format=row["format"],
            size_bytes=row["size_bytes"],
            sha256=row["sha256"],
            file_path=f"{public_url}/api/tickets/{row['ticket_id']}/documents/{row['document_id']}/download",
            created_at=utc(row["created_at"]),
        )


class QrCode(ResponseBody):
    """The QR code of a campaign page as a data URL of a PNG image, and the address that it encodes."""

    qr_code_data: str
    target_url: Url
    created_at: Time

"""Handlers for documents and QR codes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

from adapters import ids
from adapters.quotas import Quotas, Use
from domain.commands.documents import DocumentCommands
from domain.errors import NotFoundError
from domain.ports import Contents, QrCodes
from domain.values import Content, DocumentFormat
from entrypoints.http.bodies import DocumentOrder
from entrypoints.http.handlers.preconditions import if_match
from entrypoints.http.handlers.qr_codes import qr_code
from entrypoints.http.handlers.quotas import owners_of
from entrypoints.http.negotiation import matches_etag, preferred
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation.documents import Document, QrCode
from projections import documents
from projections.model import Row


@dataclass(frozen=True)
class DocumentHandlers:
    commands: DocumentCommands
    contents: Contents
    qr_codes: QrCodes
    public_url: str
    page_url: Callable[[str], str]
    save_qr_image: Callable[[UUID, str], None]
    quotas: Quotas

    def generate(self, call: Call, body: DocumentOrder) -> Answer[Document]:
        document_id = call.seed.id("document")
        self.commands.generate(
            call.principal.actor,
            call.ticket_id,
            document_id,
            body.doc_type,
            body.format,
            dated=datetime.now(UTC),
            donation_id=body.donation_id,
            reserve=lambda size: self.quotas.reserved(owners_of(call), Use(documents=1, bytes=size)),
            if_match=if_match(call),
        )
        document = Document.from_row(_document_row(call, document_id), self.public_url)
        return Answer(document, 201, {"Location": document.file_path})

    def list_documents(self, call: Call) -> list[Document]:
        rows = call.reads.ask(lambda cursor: documents.documents(cursor, call.ticket_id))
        return [Document.from_row(row, self.public_url) for row in rows]

    def download(self, call: Call) -> Answer[bytes | None]:
        row = _document_row(call, ids.parse(call.path_params["document_id"]))
        headers = {"ETag": f'"{row["sha256"]}"'}
        if matches_etag(call.headers.get("if-none-match"), headers["ETag"]):
            return Answer(None, 304, headers)
        with self.contents.open(call.ticket_id, Content(row["sha256"], row["size_bytes"])) as stored:
            data = stored.read()
        format = DocumentFormat(row["format"])
        name = quote(f"{row['type'].lower().replace('_', '-')}-{row['document_id']}.{format}")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        return Answer(data, 200, headers, format.media_type)

    def qr_code(self, call: Call) -> Answer[QrCode | bytes]:
        """Return JSON or the image itself, as the `Accept` header prefers."""
        row = call.ticket
        url = self.page_url(row["slug"])
        if not row["erased"]:
            self.save_qr_image(row["ticket_id"], url)
        headers = {"Vary": "Accept"}
        match preferred(call.headers.get("accept"), ("application/json", "image/png", "image/svg+xml")):
            case "image/png":
                return Answer(self.qr_codes.png(url), 200, headers, "image/png")
            case "image/svg+xml":
                return Answer(self.qr_codes.svg(url), 200, headers, "image/svg+xml")
            case _:
                return Answer(qr_code(self.qr_codes, url, row), 200, headers)


def _document_row(call: Call, document_id: UUID | None) -> Row:
    row = None
    if document_id is not None:
        row = call.reads.ask(lambda cursor: documents.document(cursor, call.ticket_id, document_id))
    if row is None:
        raise NotFoundError("There is no such document.")
    return row

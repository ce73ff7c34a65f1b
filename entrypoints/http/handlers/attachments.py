"""Handlers for photos and letters, and for the picture of the campaign page."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from pydantic import Field

from adapters import ids
from adapters.quotas import Quotas, Use
from adapters.speech.inspection_slots import InspectionSlots
from domain.commands.attachments import AttachmentCommands
from domain.errors import FaultCode, NotFoundError
from domain.ports import AttachmentInspector, Contents
from domain.ticket_state import Picture
from domain.values import Content
from entrypoints.http.bodies import Body, Line
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.handlers.public_pages import page_row
from entrypoints.http.handlers.quotas import owners_of
from entrypoints.http.middleware.rate_limits import client_network
from entrypoints.http.negotiation import matches_etag
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.presentation.attachments import Attachment
from entrypoints.presentation.safety import DraftSafety
from projections import attachments, ticket_status
from projections.model import Row

LONGEST_DESCRIPTION = 300
PHOTO_MEDIA_TYPE, PDF_MEDIA_TYPE = "image/jpeg", "application/pdf"
# The address names the content. A browser keeps it, and no cache that strangers share does.
KEPT_BY_BROWSER = {"Cache-Control": "private, max-age=31536000, immutable"}


class ChosenPicture(Body):
    """The photo that the campaign page shows, with a description for people who do not see it."""

    attachment_id: UUID
    description: Annotated[Line, Field(max_length=LONGEST_DESCRIPTION)]


@dataclass(frozen=True)
class AttachmentHandlers:
    commands: AttachmentCommands
    contents: Contents
    inspector: AttachmentInspector
    inspection_slots: InspectionSlots
    quotas: Quotas
    public_url: str

    def attach(self, call: Call) -> Answer[Attachment]:
        row = _attachment_row(call, self.receive(call))
        attachment = Attachment.from_row(row, call.ticket, call.personal_data(), self.public_url)
        return Answer(attachment, 201, {"Location": attachment.file_path})

    def receive(self, call: Call) -> UUID:
        """Inspect and store the file of the call, and return its id."""
        assert call.upload is not None
        if not call.upload.size_bytes:
            raise invalid("/file", "is empty", FaultCode.REQUIRED)
        attachment_id = call.seed.id("attachment")
        with self.quotas.reserved(owners_of(call), Use(bytes=call.upload.size_bytes)):
            with self.inspection_slots.taken(call.ticket_id, client_network(call.client_address)):
                inspected = self.inspector.inspect(call.upload.file)
            self.commands.attach(
                call.principal.actor, call.ticket_id, attachment_id, inspected, call.upload.file_name, if_match(call)
            )
        return attachment_id

    def list_attachments(self, call: Call) -> list[Attachment]:
        rows = call.reads.ask(lambda cursor: attachments.attachments(cursor, call.ticket_id))
        personal = call.personal_data()
        return [Attachment.from_row(row, call.ticket, personal, self.public_url) for row in rows]

    def download(self, call: Call) -> Answer[bytes | None]:
        """Return the file, or with `size=small` the photo for small screens."""
        row = _attachment_row(call, ids.parse(call.path_params["attachment_id"]))
        small = call.query.get("size") == "small" and row["small_sha256"] is not None
        content = Content(
            *((row["small_sha256"], row["small_size_bytes"]) if small else (row["sha256"], row["size_bytes"]))
        )
        headers = {"ETag": f'"{content.sha256}"'}
        if matches_etag(call.headers.get("if-none-match"), headers["ETag"]):
            return Answer(None, 304, headers)
        is_photo = row["media_type"] == PHOTO_MEDIA_TYPE
        name = quote(f"{row['attachment_id']}.{'jpg' if is_photo else 'pdf'}")
        # A photo was encoded by us; a stranger's PDF is not opened within our site.
        headers["Content-Disposition"] = f"{'inline' if is_photo else 'attachment'}; filename*=UTF-8''{name}"
        with self.contents.open(call.ticket_id, content) as stored:
            return Answer(stored.read(), 200, headers, row["media_type"])

    def delete(self, call: Call) -> Answer[None]:
        row = _attachment_row(call, ids.parse(call.path_params["attachment_id"]))
        self.commands.delete(call.principal.actor, call.ticket_id, row["attachment_id"], if_match(call))
        return Answer(None, 204)

    def choose_picture(self, call: Call, body: ChosenPicture) -> Answer[Attachment]:
        picture = Picture(body.attachment_id, body.description)
        self.commands.choose_picture(call.principal.actor, call.ticket_id, picture, if_match(call))
        ticket = call.current_row()
        personal = call.personal_data()
        row = _attachment_row(call, body.attachment_id)
        return Answer(Attachment.from_row(row, ticket, personal, self.public_url), 200, etag_header(ticket))

    def remove_picture(self, call: Call) -> Answer[None]:
        self.commands.remove_picture(call.principal.actor, call.ticket_id, if_match(call))
        return Answer(None, 204)


@dataclass(frozen=True)
class PictureHandlers:
    """The picture of a public page."""

    safety: DraftSafety
    contents: Contents

    def show(self, call: Call) -> Answer[bytes]:
        """Return the picture while the page is public and the person agrees to show it."""
        row = page_row(call)
        if row is None or not ticket_status.is_public(row) or not (picture := self.safety.public_row(row)["picture"]):
            raise NotFoundError("There is no such picture.")
        with self.contents.open(row["ticket_id"], Content(picture["sha256"], picture["size_bytes"])) as stored:
            kept = KEPT_BY_BROWSER if call.query.get("v") == picture["sha256"][:16] else {}
            return Answer(stored.read(), 200, {"ETag": f'"{picture["sha256"]}"', **kept}, PHOTO_MEDIA_TYPE)


def _attachment_row(call: Call, attachment_id: UUID | None) -> Row:
    row = None
    if attachment_id is not None:
        row = call.reads.ask(lambda cursor: attachments.attachment(cursor, call.ticket_id, attachment_id))
    if row is None:
        raise NotFoundError("There is no such attachment.")
    return row

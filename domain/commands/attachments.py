"""Commands for photos and letters, and for the picture of the page."""

from dataclasses import dataclass
from uuid import UUID

from domain.commands.content_recorder import ContentRecorder
from domain.ports import Contents, InspectedAttachment, Tickets
from domain.ticket_state import Attachment, Picture
from domain.values import Actor


@dataclass(frozen=True)
class AttachmentCommands:
    tickets: Tickets
    contents: Contents

    def attach(
        self,
        actor: Actor,
        ticket_id: UUID,
        attachment_id: UUID,
        inspected: InspectedAttachment,
        file_name: str | None,
        if_match: int | None = None,
    ) -> None:
        """Store and record a photo or a PDF; a repeated id adds none."""
        recorder = ContentRecorder(self.tickets, self.contents)
        small = None if inspected.small is None else self.contents.keep(ticket_id, inspected.small)
        recorded = False
        try:
            recorder.record(
                ticket_id,
                inspected.file,
                lambda ticket, content: ticket.attach(
                    actor,
                    Attachment(
                        attachment_id,
                        content,
                        inspected.media_type,
                        file_name,
                        small,
                        inspected.width,
                        inspected.height,
                    ),
                ),
                if_match,
            )
            recorded = True
        finally:
            if small is not None and not recorded:
                recorder.shred_unnamed(ticket_id, small)

    def delete(self, actor: Actor, ticket_id: UUID, attachment_id: UUID, if_match: int | None = None) -> None:
        """Delete a photo or a letter from the ticket and from the storage."""
        attachment = self.tickets.get(ticket_id).attachments.get(attachment_id)
        self.tickets.change(ticket_id, lambda ticket: ticket.delete_attachment(actor, attachment_id), if_match)
        for content in attachment.contents if attachment else ():
            ContentRecorder(self.tickets, self.contents).shred_unnamed(ticket_id, content)

    def choose_picture(self, actor: Actor, ticket_id: UUID, picture: Picture, if_match: int | None = None) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.choose_picture(actor, picture), if_match)

    def remove_picture(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.remove_picture(actor), if_match)

"""Handlers for the page on which a person chooses the photo of the campaign page, and describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from adapters import ids
from adapters.quotas import QuotaExceeded
from domain.errors import InvalidError, NotAnAttachmentError, NotFoundError, RefusedError
from domain.ticket_state import Picture
from domain.values import ConsentScope
from entrypoints.http.bodies import typed_fields, validated
from entrypoints.http.handlers.attachments import (
    LONGEST_DESCRIPTION,
    PHOTO_MEDIA_TYPE,
    AttachmentHandlers,
    ChosenPicture,
)
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, see_other, story_language
from entrypoints.http.problems import Problem
from projections.consent_records import shown_scopes


@dataclass(frozen=True)
class PhotoPageHandlers:
    attachments: AttachmentHandlers
    site: Site

    def show(
        self, call: Call, form: Mapping[str, str] = MappingProxyType({}), faults: list[str] | None = None
    ) -> Answer[bytes]:
        row = call.ticket
        listed = self.attachments.list_attachments(call)
        photos = [each for each in listed if each.media_type == PHOTO_MEDIA_TYPE]
        return self.site.page(
            call,
            "photo.html",
            422 if faults else 200,
            story_language=story_language(row),
            photos=photos,
            picture=next((each for each in photos if each.picture), None),
            agreed=ConsentScope.PHOTO in shown_scopes(row),
            public=row["published"] and not row["suspended"],
            values=form,
            longest=LONGEST_DESCRIPTION,
            faults=faults or [],
        )

    def add(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Keep the photo of the form and make it the picture; without a description, nothing is kept."""
        assert call.upload is not None
        description = call.upload.fields.get("description", "").strip()
        faults = [] if call.upload.size_bytes else ["file"]
        faults += [] if _is_description(description) else ["description"]
        if faults:
            return self.show(call, {"description": description}, faults)
        try:
            self._choose(call, self.attachments.receive(call), description)
        except NotAnAttachmentError:
            faults = ["file"]
        except InvalidError:
            faults = ["letter"]
        except (RefusedError, QuotaExceeded):
            faults = ["many"]
        return self.show(call, {"description": description}, faults) if faults else self._done(call, "chosen")

    def change(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Make a photo the picture, take the picture off the page, or delete a photo."""
        form = typed_fields(call.raw_body)
        commands, actor, attachment_id = self.attachments.commands, call.principal.actor, ids.parse(form.get("id", ""))
        match form.get("do"):
            case "remove":
                commands.remove_picture(actor, call.ticket_id)
                return self._done(call, "removed")
            case "delete" if attachment_id is not None:
                try:
                    commands.delete(actor, call.ticket_id, attachment_id)
                except NotFoundError:
                    return self.show(call, faults=["gone"])
                return self._done(call, "deleted")
            case "choose" if attachment_id is not None:
                if not _is_description(form.get("description", "")):
                    return self.show(call, form, ["description"])
                try:
                    self._choose(call, attachment_id, form["description"])
                except InvalidError:
                    return self.show(call, faults=["gone"])
                return self._done(call, "chosen")
        return self.show(call, faults=["gone"])

    def _choose(self, call: Call, attachment_id: UUID, description: str) -> None:
        self.attachments.commands.choose_picture(
            call.principal.actor, call.ticket_id, Picture(attachment_id, description)
        )

    def _done(self, call: Call, done: str) -> Answer[None]:
        return see_other(f"/t/{call.ticket_id}/photo?done={done}")


def _is_description(text: str) -> bool:
    try:
        validated(ChosenPicture, {"attachmentId": str(UUID(int=0)), "description": text})
    except Problem:
        return False
    return True

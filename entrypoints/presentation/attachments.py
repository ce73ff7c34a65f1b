"""Photos and letters as responses."""

from __future__ import annotations

from uuid import UUID

from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, Url, utc
from projections.model import Row


class Attachment(ResponseBody):
    """A photo or a PDF; `filePath` is its download address. Only a photo has a width and a height.

    With `picture`, it is the picture of the campaign page, and `description` is for those who do not see it. The page
    shows it while the person agrees to that.
    """

    id: UUID
    media_type: str
    file_name: str | None
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    file_path: Url
    picture: bool
    description: str | None
    created_at: Time

    @classmethod
    def from_row(cls, row: Row, ticket: Row, personal: PersonalData, public_url: str) -> Attachment:
        picture = ticket["picture"] or {}
        chosen = picture.get("attachment_id") == str(row["attachment_id"])
        return cls(
            id=row["attachment_id"],
            media_type=row["media_type"],
            file_name=personal.text_or_none(row["ticket_id"], row["file_name"]),
            size_bytes=row["size_bytes"],
            sha256=row["sha256"],
            width=row["width"],
            height=row["height"],
            file_path=f"{public_url}/api/tickets/{row['ticket_id']}/attachments/{row['attachment_id']}",
            picture=chosen,
            description=personal.text(row["ticket_id"], picture["description"]) if chosen else None,
            created_at=utc(row["created_at"]),
        )

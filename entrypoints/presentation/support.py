"""Support tickets as responses."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from domain.values import SupportCategory, SupportStatus
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, utc, utc_or_none
from projections.model import Row


class OpenedSupportTicket(ResponseBody):
    """A new support ticket."""

    id: UUID
    status: Literal["OPEN"]
    created_at: Time


class SupportSummary(ResponseBody):
    """A support ticket without personal data."""

    id: UUID
    category: SupportCategory
    status: SupportStatus
    created_at: Time

    @classmethod
    def from_row(cls, row: Row, **subclass_fields: Any) -> Self:
        return cls(row["support_id"], row["category"], row["status"], utc(row["created_at"]), **subclass_fields)


class SupportTicket(SupportSummary):
    """A support ticket; the contact is in full only when an administrator gets a single ticket."""

    ticket_id: UUID | None
    message: str | None
    contact: str | None
    assignee: UUID | None
    resolved_at: Time | None
    erased: bool

    @classmethod
    def of(cls, row: Row, personal: PersonalData, *, shortened_contact: bool = True, **subclass_fields: Any) -> Self:
        return cls.from_row(
            row,
            # `about` is the ticket that the author names, `ticket_id` the one whose key encrypts the message.
            ticket_id=row["about"],
            message=personal.text_or_none(row["ticket_id"], row["message"]),
            contact=personal.contact(row, shortened=shortened_contact),
            assignee=row["assignee"],
            resolved_at=utc_or_none(row["resolved_at"]),
            erased=row["erased"],
            **subclass_fields,
        )


class SupportReply(ResponseBody):
    """A reply of the staff, or of the author."""

    id: UUID
    text: str
    actor: str
    by_author: bool
    created_at: Time


class SupportTicketDetails(SupportTicket):
    """A support ticket with the replies of both sides, oldest first."""

    replies: list[SupportReply]

    @classmethod
    def with_replies(cls, row: Row, personal: PersonalData) -> "SupportTicketDetails":
        replies = [
            SupportReply(
                UUID(reply["id"]),
                personal.text(row["ticket_id"], reply["text"]),
                reply["actor"],
                reply["by_author"],
                utc(datetime.fromisoformat(reply["at"])),
            )
            for reply in row["replies"]
        ]
        return cls.of(row, personal, shortened_contact=False, replies=replies)


class SupportTicketPage(ResponseBody):
    """A result page of support tickets, whose author wrote last first; `nextCursor` is null on the last one."""

    support_tickets: list[SupportTicket]
    next_cursor: str | None

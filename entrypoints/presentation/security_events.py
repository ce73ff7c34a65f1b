"""Security events as responses."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from adapters.identity.security_events import SecurityEvent, SecurityEventKind
from entrypoints.presentation.responses import ResponseBody, Time, utc, utc_or_none

Subject = Annotated[
    str | None,
    Meta(description="The id of the member, the key or the ticket that it is about; null for several together."),
]
Count = Annotated[int, Meta(description="How often it happened within the hour.")]
FirstAt = Annotated[Time, Meta(description="When it happened first within the hour.")]
LastAt = Annotated[Time, Meta(description="When it happened last within the hour.")]
Address = Annotated[str | None, Meta(description="The network address that it last came from; null for auditors.")]
SeenAt = Annotated[Time | None, Meta(description="When it was marked as seen, or null.")]
SeenBy = Annotated[str | None, Meta(description="Who marked it as seen, or null.")]


class SecurityEventView(ResponseBody):
    """A possible misuse: repeats of one kind about one subject within an hour."""

    id: UUID
    kind: SecurityEventKind
    subject: Subject
    count: Count
    first_at: FirstAt
    last_at: LastAt
    address: Address
    seen_at: SeenAt
    seen_by: SeenBy

    @classmethod
    def of(cls, event: SecurityEvent, address: str | None) -> SecurityEventView:
        return cls(
            event.id,
            event.kind,
            event.subject or None,
            event.count,
            utc(event.first_at),
            utc(event.last_at),
            address,
            utc_or_none(event.seen_at),
            event.seen_by,
        )


class SecurityEventPage(ResponseBody):
    """A result page of security events, newest first; `nextCursor` is null on the last one."""

    security_events: Annotated[list[SecurityEventView], Meta(description="The events, newest first.")]
    next_cursor: str | None

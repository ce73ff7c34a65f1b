"""Login codes and the access log as responses."""

from __future__ import annotations

from uuid import UUID

from adapters.identity.access_log import StoredAccessRecord
from entrypoints.presentation.responses import ResponseBody, Time, utc


class LoginCodeRequested(ResponseBody):
    """A login code was requested. The response does not depend on whether the contact has tickets."""

    request_id: UUID


class Session(ResponseBody):
    """A session for all tickets of a contact."""

    access_token: str
    expires_at: Time


class AccessLogEntry(ResponseBody):
    """One act of an administrator, or one denied write."""

    position: int
    at: Time
    actor: str
    operation: str
    object: str | None
    outcome: str
    request_id: str

    @classmethod
    def of(cls, entry: StoredAccessRecord) -> AccessLogEntry:
        return cls(
            position=entry.position,
            at=utc(entry.recorded_at),
            actor=entry.actor,
            operation=entry.operation,
            object=entry.object or None,
            outcome=entry.outcome,
            request_id=entry.request_id,
        )


class AccessLogPage(ResponseBody):
    """A result page of the access log, newest first; `nextCursor` is null on the last one."""

    access_log: list[AccessLogEntry]
    next_cursor: str | None

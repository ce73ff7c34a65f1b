"""The audit log of a workspace as responses."""

from __future__ import annotations

from adapters.identity.access_log import AuditRecord
from domain.workspaces import Member
from entrypoints.presentation.personal_data import shortened_address
from entrypoints.presentation.responses import ResponseBody, Time, utc


def member_name(member: Member, *, masked: bool) -> str | None:
    """Return the name of a member, or the shortened address for a masked reader; None once it is erased."""
    if member.erased:
        return None
    return shortened_address(member.email) if masked else member.name or member.email


class AuditLogEntry(ResponseBody):
    """One act in a workspace, one read or one denied write. An act has two entries: it begins, and it is answered."""

    position: int
    at: Time
    actor: str
    member_name: str | None
    operation: str
    object: str | None
    outcome: str
    address: str | None
    request_id: str

    @classmethod
    def of(cls, record: AuditRecord, member: Member | None, address: str | None, *, masked: bool) -> AuditLogEntry:
        name = None if member is None else member_name(member, masked=masked)
        return cls(
            record.position,
            utc(record.recorded_at),
            record.actor,
            name,
            record.operation,
            record.object or None,
            record.outcome,
            address,
            record.request_id,
        )


class AuditLogPage(ResponseBody):
    """A result page of the audit log, newest first; `nextCursor` is null on the last one."""

    audit_log: list[AuditLogEntry]
    next_cursor: str | None

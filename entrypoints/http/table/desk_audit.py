"""The pages of the desk with the audit log and the security events, also for the installation's operators."""

from domain.members import MemberRole
from entrypoints.http.handlers.desk_audit import DeskAuditHandlers
from entrypoints.http.operations import Access, BodyKind, Operation
from entrypoints.http.table.access import ADMIN, AUDITOR, CURSOR, MANAGERS
from entrypoints.http.table.desk_pages import HTML, TAG

AUDIT = Access(frozenset({ADMIN, AUDITOR}), members=MANAGERS | {MemberRole.AUDITOR})
MARK_SEEN = Access(frozenset({ADMIN}), members=MANAGERS)
AGAIN = {422: "text/html"}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/desk/audit-log", "Show who did what in the workspace", DeskAuditHandlers.show_log, AUDIT,
        media_types=HTML, query=(CURSOR,), other_responses=AGAIN, tag=TAG,
    ),
    Operation(
        "GET", "/desk/security-events", "Show what looks like misuse in the workspace",
        DeskAuditHandlers.show_events, AUDIT, media_types=HTML, query=(CURSOR,), other_responses=AGAIN, tag=TAG,
    ),
    Operation(
        "POST", "/desk/security-events", "Mark security events as seen", DeskAuditHandlers.mark_seen, MARK_SEEN,
        BodyKind.FORM, None, 303, media_types=HTML, other_responses={404: "text/html"}, tag=TAG,
    ),
)  # fmt: skip

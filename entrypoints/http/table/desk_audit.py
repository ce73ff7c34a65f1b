"""The pages of the desk with the audit log and the security events, also for the installation's operators."""

from domain.members import MemberRole
from entrypoints.http.handlers.desk_audit import DeskAuditHandlers
from entrypoints.http.operations import Access, Operation
from entrypoints.http.table.access import ADMIN, AUDITOR, CURSOR, MANAGERS
from entrypoints.http.table.pages import AGAIN, GONE, desk_form, desk_page

AUDIT = Access(frozenset({ADMIN, AUDITOR}), members=MANAGERS | {MemberRole.AUDITOR})
MARK_SEEN = Access(frozenset({ADMIN}), members=MANAGERS)

OPERATIONS: tuple[Operation, ...] = (
    desk_page(
        "/desk/audit-log", "Show who did what in the workspace", DeskAuditHandlers.show_log, AUDIT, query=(CURSOR,),
        other_responses=AGAIN,
    ),
    desk_page(
        "/desk/security-events", "Show what looks like misuse in the workspace", DeskAuditHandlers.show_events, AUDIT,
        query=(CURSOR,), other_responses=AGAIN,
    ),
    desk_form(
        "/desk/security-events", "Mark security events as seen", DeskAuditHandlers.mark_seen, MARK_SEEN,
        other_responses=GONE,
    ),
)  # fmt: skip

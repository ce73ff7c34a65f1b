"""The pages of the audit, and the page that checks what somebody brings."""

from entrypoints.http.handlers.audit_pages import AuditPageHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table.access import HISTORY, OPEN

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/audit", "Show the form with which auditors sign in, or open the history of a story",
        AuditPageHandlers.enter, OPEN, media_types=("text/html",), other_responses={303: "text/html"}, tag="Audit",
    ),
    Operation(
        "POST", "/audit", "Sign the browser in with the key of an auditor or an administrator",
        AuditPageHandlers.sign_in, OPEN, BodyKind.FORM, None, 303, media_types=("text/html",),
        other_responses={422: "text/html"}, tag="Audit",
    ),
    Operation(
        "GET", "/audit/{ticket_id}", "Show the timeline of a ticket, and its state and totals at any position",
        AuditPageHandlers.show, HISTORY, media_types=("text/html",),
        other_responses={303: "text/html", 422: "text/html"}, tag="Audit",
    ),
    Operation(
        "GET", "/audit/{ticket_id}/check", "Check the proof of a ticket's history now, and show the result",
        AuditPageHandlers.check, HISTORY, media_types=("text/html",),
        other_responses={303: "text/html"}, rate_limit=RateLimit.CHECK, tag="Audit",
    ),
)  # fmt: skip

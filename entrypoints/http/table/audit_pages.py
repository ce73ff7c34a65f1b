"""The pages of the audit, and the page that checks what somebody brings."""

from entrypoints.http.handlers.audit_pages import AuditPageHandlers
from entrypoints.http.handlers.verify_page import VerifyPageHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table.access import ALWAYS_OPEN, HISTORY, OPEN

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
    Operation(
        "GET", "/verify", "Show the page that checks the code of a printed page, or an export", VerifyPageHandlers.show,
        ALWAYS_OPEN, media_types=("text/html",), tag="Audit",
    ),
    Operation(
        "POST", "/verify", "Check the code of a printed page or an export, of which nothing is kept",
        VerifyPageHandlers.verify, ALWAYS_OPEN, BodyKind.PROOF, media_types=("text/html",),
        other_responses={422: "text/html"}, rate_limit=RateLimit.CHECK, tag="Audit",
    ),
)  # fmt: skip

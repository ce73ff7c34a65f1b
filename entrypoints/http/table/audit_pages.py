"""The pages of the audit, and the page that checks what somebody brings."""

from functools import partial

from entrypoints.http.handlers.audit_pages import AuditPageHandlers
from entrypoints.http.handlers.verify_page import VerifyPageHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table import pages
from entrypoints.http.table.access import ALWAYS_OPEN, HISTORY, OPEN
from entrypoints.http.table.pages import AGAIN, as_pages

page = partial(pages.page, tag="Audit")
form = partial(pages.form, tag="Audit")

OPERATIONS: tuple[Operation, ...] = (
    page(
        "/audit", "Show the form with which auditors sign in, or open the history of a story", AuditPageHandlers.enter,
        OPEN, other_responses=as_pages(303), id="showAuditEntrance",
    ),
    form(
        "/audit", "Sign the browser in with the key of an auditor or an administrator", AuditPageHandlers.sign_in, OPEN,
        other_responses=AGAIN, id="signInWithKey",
    ),
    page(
        "/audit/{ticket_id}", "Show the timeline of a ticket, and its state and totals at any position",
        AuditPageHandlers.show, HISTORY, other_responses=as_pages(303, 422), id="showTimeline",
    ),
    page(
        "/audit/{ticket_id}/check", "Check the proof of a ticket's history now, and show the result",
        AuditPageHandlers.check, HISTORY, other_responses=as_pages(303), rate_limit=RateLimit.CHECK, id="checkTimeline",
    ),
    page(
        "/verify", "Show the page that checks the code of a printed page, or an export", VerifyPageHandlers.show,
        ALWAYS_OPEN, id="showVerification",
    ),
    form(
        "/verify", "Check the code of a printed page or an export, of which nothing is kept", VerifyPageHandlers.verify,
        ALWAYS_OPEN, body_kind=BodyKind.PROOF, status=200, other_responses=AGAIN, rate_limit=RateLimit.CHECK,
        id="verifyProof",
    ),
)  # fmt: skip

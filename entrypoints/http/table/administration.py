"""Operations of the staff and of programs: access, support, knowledge, webhooks, and administration."""

from functools import partial

from domain.values import SupportCategory
from entrypoints.http import bodies
from entrypoints.http.handlers.admin import (
    AccessLogHandlers,
    DeadLetterHandlers,
    DeadMailHandlers,
    ProjectionHandlers,
    RefundHandlers,
    RefundOrder,
)
from entrypoints.http.handlers.health import SelfTestHandlers
from entrypoints.http.handlers.knowledge import KnowledgeHandlers, NewSource
from entrypoints.http.handlers.login_codes import LoginCodeHandlers, LoginCodeRequest, LoginCodeVerification
from entrypoints.http.handlers.support import Assignment, NewReply, ProfileReset, SupportHandlers, SupportRequest
from entrypoints.http.handlers.unsubscribe import UnsubscribeHandlers
from entrypoints.http.handlers.webhooks import WebhookHandlers
from entrypoints.http.operations import BodyKind, Operation, Parameter, RateLimit
from entrypoints.http.table import pages
from entrypoints.http.table.access import (
    ADMINISTER,
    ALWAYS_OPEN,
    CREATE,
    CURSOR,
    DEAD_MAILS,
    DIAGNOSE,
    JSON,
    LIMIT,
    OVERSEE,
    PATCH,
    REFUND,
    RESET,
    SEARCH_TEXT,
    SIGN_IN,
    SUPPORT,
    SUPPORT_READ,
)
from entrypoints.http.table.pages import GONE

SUPPORT_STATUS = Parameter("status", "Only those with this status.", {"enum": ["OPEN", "RESOLVED"]})
SUPPORT_CATEGORY = Parameter("category", "Only those of this category.", {"enum": list(SupportCategory)})
SUPPORT_ASSIGNEE = Parameter("assignee", "The member who takes care of the support tickets: an id, `me`, or `none`.")
page = partial(pages.page, tag="Access")
form = partial(pages.form, tag="Access")
button = partial(pages.button, tag="Access")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/api/access/request", "Request a login code, which is sent to the contact", LoginCodeHandlers.request,
        SIGN_IN, JSON, LoginCodeRequest, 202, idempotency_key=True, rate_limit=RateLimit.LOGIN_CODE, tag="Access",
        id="requestLoginCode",
    ),
    Operation(
        "POST", "/api/access/verify", "Exchange a login code for a session", LoginCodeHandlers.verify, SIGN_IN, JSON,
        LoginCodeVerification, idempotency_key=True, tag="Access", id="verifyLoginCode",
    ),
    Operation(
        "POST", "/api/support/ticket", "Open a support ticket", SupportHandlers.open_ticket, CREATE, JSON,
        SupportRequest, 201, idempotency_key=True, rate_limit=RateLimit.CREATE, tag="Support", id="openSupportTicket",
    ),
    Operation(
        "GET", "/api/support/recent", "List support tickets, whose author wrote last first, with shortened contacts",
        SupportHandlers.list_recent, SUPPORT_READ, tag="Support",
        query=(SUPPORT_STATUS, SUPPORT_CATEGORY, SUPPORT_ASSIGNEE, LIMIT, CURSOR), id="listSupportTickets",
    ),
    Operation(
        "GET", "/api/support/{id}", "Get a support ticket with the replies to it", SupportHandlers.show, SUPPORT_READ,
        tag="Support", id="getSupportRequest",
    ),
    Operation(
        "POST", "/api/support/{id}/replies", "Answer a support ticket; the reply is kept, and sent to the author",
        SupportHandlers.reply, SUPPORT, JSON, NewReply, 201, idempotency_key=True, tag="Support",
        id="replyToSupportRequest",
    ),
    Operation(
        "PATCH", "/api/support/{id}", "Say who takes care of a support ticket", SupportHandlers.assign, SUPPORT, PATCH,
        Assignment, tag="Support", id="assignSupportRequest",
    ),
    Operation(
        "POST", "/api/support/{id}/resolve", "Resolve a support ticket of the workspace", SupportHandlers.resolve,
        SUPPORT, JSON, bodies.Empty, tag="Support", id="resolveSupportRequest",
    ),
    Operation(
        "GET", "/admin/support/{id}", "Get a support ticket with its contact in full", SupportHandlers.get, ADMINISTER,
        tag="Support", id="getSupportTicket",
    ),
    Operation(
        "POST", "/admin/support/{id}/resolve", "Resolve a support ticket", SupportHandlers.resolve, ADMINISTER, JSON,
        bodies.Empty, tag="Support", id="resolveSupportTicket",
    ),
    *(
        Operation(
            "POST", path, "Receive a webhook event from Stripe", WebhookHandlers.receive, ALWAYS_OPEN, BodyKind.WEBHOOK,
            tag="Stripe", rate_limit=RateLimit.NONE, id=id,
        )
        for path, id in (
            ("/api/webhooks/stripe", "receiveStripeEvent"),
            ("/webhooks/stripe", None),
            ("/api/payments/stripe-webhook", None),
        )
    ),
    Operation(
        "GET", "/admin/dead-letters", "List webhook events that could not be applied",
        DeadLetterHandlers.list_dead_letters, ADMINISTER, query=(LIMIT, CURSOR), tag="Administration",
        id="listDeadLetters",
    ),
    Operation(
        "POST", "/admin/dead-letters/{id}/retry", "Apply a dead letter again", DeadLetterHandlers.retry, ADMINISTER,
        JSON, bodies.DeadLetterRetry, 202, tag="Administration", id="retryDeadLetter",
    ),
    Operation(
        "GET", "/admin/dead-mails", "List mails and text messages that could not be sent, oldest first",
        DeadMailHandlers.list_dead_mails, DEAD_MAILS, query=(LIMIT, CURSOR), tag="Administration", id="listDeadMails",
    ),
    Operation(
        "POST", "/admin/dead-mails/{id}/retry", "Send a dead mail again", DeadMailHandlers.retry, DEAD_MAILS, JSON,
        bodies.Empty, 202, tag="Administration", id="retryDeadMail",
    ),
    Operation(
        "GET", "/admin/access-log", "List the acts of administrators and the denied writes, newest first",
        AccessLogHandlers.list_access_log, OVERSEE, query=(LIMIT, CURSOR), tag="Administration", id="listAccessLog",
    ),
    Operation(
        "GET", "/admin/projections", "List the read models and their positions", ProjectionHandlers.list_projections,
        ADMINISTER, tag="Administration", id="listProjections",
    ),
    Operation(
        "POST", "/admin/projections/{name}/rebuild", "Rebuild a read model from the event log",
        ProjectionHandlers.rebuild, ADMINISTER, JSON, bodies.Empty, 202, tag="Administration", id="rebuildProjection",
    ),
    Operation(
        "POST", "/admin/donations/{donation_id}/refund", "Refund a donation", RefundHandlers.refund, REFUND, JSON,
        RefundOrder, 202, idempotency_key=True, tag="Administration", id="refundDonation",
    ),
    Operation(
        "POST", "/admin/db/self-test", "Test reading and writing in transactions that are rolled back",
        SelfTestHandlers.run, DIAGNOSE, JSON, bodies.Empty, tag="Administration",
        other_responses={500: "application/json"}, id="runSelfTest",
    ),
    Operation(
        "POST", "/admin/profiles/{ticket_id}/approve-reset", "Give a ticket a new contact and a new access token",
        SupportHandlers.approve_reset, RESET, JSON, ProfileReset, idempotency_key=True, tag="Support",
        id="approveReset",
    ),
    Operation(
        "POST", "/admin/knowledge/sources", "Add a text to the knowledge base; a text with a secret is refused",
        KnowledgeHandlers.add, ADMINISTER, JSON, NewSource, 201, idempotency_key=True, tag="Knowledge",
        id="addKnowledgeSource",
    ),
    Operation(
        "GET", "/admin/knowledge/sources", "List the texts of the knowledge base, newest first",
        KnowledgeHandlers.list_sources, ADMINISTER, query=(LIMIT, CURSOR), tag="Knowledge", id="listKnowledgeSources",
    ),
    Operation(
        "DELETE", "/admin/knowledge/sources/{source_id}", "Remove a text from the knowledge base",
        KnowledgeHandlers.remove, ADMINISTER, status=204, tag="Knowledge", id="removeKnowledgeSource",
    ),
    Operation(
        "GET", "/admin/knowledge/search", "Search the knowledge base, best match first", KnowledgeHandlers.search,
        ADMINISTER, query=(SEARCH_TEXT, LIMIT, CURSOR), tag="Knowledge", id="searchKnowledge",
    ),
    page(
        "/unsubscribe/{token}", "Ask for confirmation to unsubscribe from mails", UnsubscribeHandlers.show, ALWAYS_OPEN,
        other_responses=GONE,
    ),
    button(
        "/unsubscribe/{token}", "Unsubscribe from all mails that are not strictly necessary",
        UnsubscribeHandlers.unsubscribe, ALWAYS_OPEN, status=200, other_responses=GONE,
    ),
    form(
        "/unsubscribe/{token}/choice", "Choose the news that are sent to an address", UnsubscribeHandlers.choose,
        ALWAYS_OPEN, status=200, other_responses=GONE,
    ),
)  # fmt: skip

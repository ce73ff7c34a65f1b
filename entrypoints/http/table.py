"""The table of operations: every method and path of the HTTP interface."""

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from domain.values import DocumentFormat, Role
from entrypoints.composition.exports import Format
from entrypoints.http import bodies
from entrypoints.http.handlers.about import AboutHandlers
from entrypoints.http.handlers.admin import (
    AccessLogHandlers,
    DeadLetterHandlers,
    DeadMailHandlers,
    ProjectionHandlers,
    RefundHandlers,
    RefundOrder,
)
from entrypoints.http.handlers.campaign_page import CampaignPageHandlers
from entrypoints.http.handlers.campaigns import CampaignHandlers
from entrypoints.http.handlers.documents import DocumentHandlers
from entrypoints.http.handlers.donations import DonationHandlers
from entrypoints.http.handlers.exports import ExportHandlers
from entrypoints.http.handlers.health import HealthHandlers, SelfTestHandlers
from entrypoints.http.handlers.history import HistoryHandlers
from entrypoints.http.handlers.knowledge import KnowledgeHandlers, NewSource
from entrypoints.http.handlers.login_codes import LoginCodeHandlers, LoginCodeRequest, LoginCodeVerification
from entrypoints.http.handlers.metrics import MetricsHandlers
from entrypoints.http.handlers.page_reports import PageReport, PageReportHandlers
from entrypoints.http.handlers.proofs import ProofHandlers
from entrypoints.http.handlers.recordings import RecordingHandlers
from entrypoints.http.handlers.support import ProfileReset, SupportHandlers, SupportRequest
from entrypoints.http.handlers.tickets import INCLUDES, TicketHandlers
from entrypoints.http.handlers.transcripts import TRANSCRIPT_FORMATS, TranscriptHandlers
from entrypoints.http.handlers.unsubscribe import UnsubscribeHandlers
from entrypoints.http.handlers.webhooks import WebhookHandlers
from entrypoints.http.operations import EVERYBODY, Access, BodyKind, Operation, Parameter, RateLimit, choice_schema
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE
from projections import ticket_totals
from projections.exports import By

HOLDER, CLIENT, ADMIN, AUDITOR = Role.HOLDER, Role.CLIENT, Role.ADMIN, Role.AUDITOR

# OPEN operations answer 401 to an invalid credential; ALWAYS_OPEN ones do not read the credential at all.
OPEN = Access(EVERYBODY)
CREATE = Access(EVERYBODY - {AUDITOR}, scope="tickets:write")
OPEN_TICKET = replace(CREATE, opens_tickets=True)
REPORT = Access(EVERYBODY - {AUDITOR})
SIGN_IN = Access(EVERYBODY - {AUDITOR})
ALWAYS_OPEN = Access(EVERYBODY, ignores_credentials=True)
DONATE = Access(EVERYBODY - {AUDITOR}, scope="payments:create")
READ = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="tickets:read", names_ticket=True)
READ_UNMASKED = Access(frozenset({HOLDER, CLIENT, ADMIN}), scope="tickets:read", names_ticket=True)
WRITE = Access(frozenset({HOLDER, CLIENT}), scope="tickets:write", names_ticket=True)
SEARCH = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="tickets:search")
PAY = Access(frozenset({HOLDER, CLIENT}), scope="payments:create", names_ticket=True)
LEDGER = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="donations:read", names_ticket=True)
TOTALS = Access(
    frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="donations:read", names_ticket=True, open_if_published=True
)
HISTORY = Access(frozenset({HOLDER, ADMIN, AUDITOR}), names_ticket=True)
ADMINISTER = Access(frozenset({ADMIN}))
DIAGNOSE = Access(frozenset({ADMIN}), diagnostics_token=True)
OVERSEE = Access(frozenset({ADMIN, AUDITOR}))
RESET = TAKE_DOWN = Access(frozenset({ADMIN}), names_ticket=True)
METRICS = Access(frozenset(), metrics_token=True)
EXPORT = Access(frozenset({CLIENT, ADMIN, AUDITOR}), scope="exports:read")

LIMIT = Parameter(
    "limit", "The number of items on a page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
)
CURSOR = Parameter("cursor", "The `nextCursor` of the previous page.")
CONTACT = Parameter("contact", "An e-mail address, a phone number, a handle or a web address.", required=True)
SEARCH_TEXT = Parameter(
    "q",
    "The words to search for; quotes join a phrase, `or` separates alternatives, `-` excludes a word.",
    required=True,
)
TIME_SCHEMA = {"type": "string", "format": "date-time"}
AS_OF = Parameter("as_of", "Only what had happened at Stripe by this time.", TIME_SCHEMA)
KNOWN_AT = Parameter("known_at", "Only what was recorded by this time.", TIME_SCHEMA)

TICKET = "/api/tickets/{ticket_id}"
NOT_FOUND: Mapping[int, str] = {404: PROBLEM_MEDIA_TYPE}
PAGE_NOT_FOUND: Mapping[int, str] = {404: "text/html"}
PAGE_UNAVAILABLE: Mapping[int, str] = {404: "text/html", 410: "text/html"}
JSON, PATCH = BodyKind.JSON, BodyKind.MERGE_PATCH

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/api/tickets/create", "Open a ticket and get its access token, which is shown only once",
        TicketHandlers.create, OPEN_TICKET, JSON, bodies.TicketOpening, 201, idempotency_key=True,
        shown_once="accessToken", rate_limit=RateLimit.CREATE,
    ),
    Operation(
        "GET", "/api/tickets/search", "Find the tickets of a contact", TicketHandlers.search, SEARCH,
        query=(CONTACT, LIMIT, CURSOR),
    ),
    Operation(
        "GET", "/api/profiles/search", "Find the tickets of a contact, for profile pages",
        TicketHandlers.search_profiles, SEARCH, query=(CONTACT, LIMIT, CURSOR),
    ),
    Operation(
        "GET", TICKET, "Get a ticket, with the parts that `include` names", TicketHandlers.get, READ,
        query=(Parameter("include", f"A comma-separated list of {', '.join(INCLUDES)}."),),
    ),
    Operation(
        "PATCH", TICKET, "Change a ticket's display name", TicketHandlers.rename, WRITE, PATCH, bodies.TicketChange,
    ),
    Operation(
        "DELETE", TICKET, "Erase a ticket's personal data for good", TicketHandlers.erase, WRITE, status=202,
    ),
    Operation(
        "POST", f"{TICKET}/upload-audio", "Upload a recording of at most 50 MB", RecordingHandlers.upload, WRITE,
        BodyKind.AUDIO, idempotency_key=True,
    ),
    Operation(
        "POST", f"{TICKET}/process", "Start to transcribe the recording and to draft the campaign",
        RecordingHandlers.process, WRITE, JSON, bodies.ProcessRequest, 202, idempotency_key=True,
    ),
    Operation(
        "POST", f"{TICKET}/retry", "Repeat the step that failed", RecordingHandlers.retry, WRITE, JSON, bodies.Empty,
        202, idempotency_key=True,
    ),
    Operation("GET", f"{TICKET}/status", "Get the progress of the work on a ticket", RecordingHandlers.progress, READ),
    Operation(
        "GET", f"{TICKET}/transcript", "Get the transcript as text, subtitles or a Word file", TranscriptHandlers.get,
        READ_UNMASKED, query=(Parameter("format", "The format.", {"enum": [*TRANSCRIPT_FORMATS], "default": "json"}),),
        media_types=tuple(name.partition(";")[0] for name in TRANSCRIPT_FORMATS.values()),
        other_responses={409: PROBLEM_MEDIA_TYPE},
    ),
    Operation(
        "POST", f"{TICKET}/provide-info", "Add information that the recording does not contain",
        RecordingHandlers.provide_info, WRITE, JSON, bodies.ProvidedInfo,
    ),
    Operation(
        "PATCH", f"{TICKET}/draft", "Edit the draft", CampaignHandlers.edit_draft, WRITE, PATCH, bodies.DraftChange,
    ),
    Operation(
        "POST", f"{TICKET}/draft/findings", "Keep or remove what may endanger somebody once the draft is published",
        CampaignHandlers.decide_findings, WRITE, JSON, bodies.FindingDecisions,
    ),
    Operation(
        "POST", f"{TICKET}/publish", "Publish the campaign page", CampaignHandlers.publish, WRITE, JSON,
        bodies.Publication,
    ),
    Operation(
        "POST", f"{TICKET}/unpublish", "Withdraw the campaign page", CampaignHandlers.unpublish, WRITE, JSON,
        bodies.Empty,
    ),
    Operation(
        "POST", f"{TICKET}/suspend", "Take the campaign page down until the ticket is reinstated",
        CampaignHandlers.suspend, TAKE_DOWN, JSON, bodies.Suspension,
    ),
    Operation(
        "POST", f"{TICKET}/reinstate", "End the suspension of a ticket", CampaignHandlers.reinstate, TAKE_DOWN, JSON,
        bodies.Empty,
    ),
    Operation(
        "POST", f"{TICKET}/generate-doc", "Generate a Word or PDF document", DocumentHandlers.generate, WRITE, JSON,
        bodies.DocumentOrder, 201, idempotency_key=True, tag="Documents",
    ),
    Operation(
        "GET", f"{TICKET}/documents", "List all documents of a ticket, newest first", DocumentHandlers.list_documents,
        READ, tag="Documents",
    ),
    Operation(
        "GET", f"{TICKET}/documents/{{document_id}}/download", "Download a document", DocumentHandlers.download,
        READ_UNMASKED, media_types=tuple(format.media_type for format in DocumentFormat), tag="Documents",
        revalidates=True,
    ),
    Operation(
        "POST", f"{TICKET}/create-payment", "Open a checkout for one donation", DonationHandlers.create_payment, PAY,
        JSON, bodies.PaymentOrder, 201, idempotency_key=True, rate_limit=RateLimit.PAYMENT, tag="Donations",
    ),
    Operation(
        "GET", f"{TICKET}/qr-code", "Get the QR code of the campaign page, as JSON or as an image",
        DocumentHandlers.qr_code, READ, media_types=("application/json", "image/png", "image/svg+xml"),
        tag="Documents",
    ),
    Operation(
        "GET", f"{TICKET}/donations", "List the donations to a ticket, newest payment first",
        DonationHandlers.list_donations, LEDGER, query=(LIMIT, CURSOR, AS_OF, KNOWN_AT), tag="Donations",
    ),
    Operation(
        "GET", f"{TICKET}/donations/total", "Get the totals of the donations to a ticket", DonationHandlers.totals,
        TOTALS, tag="Donations", ticket_query=ticket_totals.ticket_with_totals,
        query=(AS_OF, KNOWN_AT, Parameter("explain", "Add the entries that the total sums up.", {"type": "boolean"})),
    ),
    Operation(
        "GET", f"{TICKET}/history", "List a ticket's events, or get the ticket as of an earlier position",
        HistoryHandlers.history, HISTORY, tag="History",
        query=(
            LIMIT, CURSOR,
            Parameter("at", "A position of the event log or a time; the ticket is shown as it was then."),
        ),
    ),
    Operation(
        "GET", f"{TICKET}/audit", "Export a ticket's events with proofs, as `storyledger audit export` does",
        ProofHandlers.export, HISTORY, tag="History",
    ),
    Operation(
        "GET", "/checkpoint", "Get the newest signed checkpoint of the event log", ProofHandlers.checkpoint,
        ALWAYS_OPEN, media_types=("text/plain",), other_responses=NOT_FOUND, tag="History",
    ),
    Operation(
        "GET", "/checkpoint/key", "Get the keys that sign checkpoints, the current one first", ProofHandlers.key,
        ALWAYS_OPEN, media_types=("text/plain",), tag="History",
    ),
    Operation(
        "GET", "/checkpoint/checker", "Get the program that verifies exports offline", ProofHandlers.checker_program,
        ALWAYS_OPEN, media_types=("text/plain",), tag="History",
    ),
    Operation(
        "GET", "/checkpoint/consistency", "Get the proof that the event log continues an older checkpoint",
        ProofHandlers.consistency, ALWAYS_OPEN, other_responses=NOT_FOUND, tag="History",
        query=(
            Parameter("from", "The size of the older checkpoint.", {"type": "integer", "minimum": 0}, required=True),
        ),
    ),
    Operation(
        "GET", "/api/exports/donations", "Export donations for accounting", ExportHandlers.export, EXPORT,
        media_types=("text/csv", "application/json", "text/plain"), other_responses=NOT_FOUND, tag="Donations",
        query=(
            Parameter(
                "format", "One line a donation, as CSV or JSON; one line a movement, as CSV; or a journal for hledger.",
                choice_schema(get_args(Format)),
            ),
            Parameter(
                "by", "Whether the period is that of the movements' own times (`moved`), of the times when they were"
                " recorded, or of the donations' payment or creation; for movements and journal only `moved`.",
                choice_schema(get_args(By)),
            ),
            Parameter("from", "The first day of the period in UTC, or its first moment."),
            Parameter("to", "The last day of the period in UTC, or the first moment after it."),
            Parameter("ticket", "Only donations to this ticket.", {"type": "string", "format": "uuid"}),
            Parameter("workspace", "Only donations to tickets of this workspace."),
            Parameter(
                "unpaid", "Also list donations without any payment, by their creation.", {"type": "boolean"}
            ),
        ),
    ),
    Operation(
        "POST", "/api/access/request", "Request a login code, which is sent to the contact", LoginCodeHandlers.request,
        SIGN_IN, JSON, LoginCodeRequest, 202, idempotency_key=True, rate_limit=RateLimit.LOGIN_CODE, tag="Access",
    ),
    Operation(
        "POST", "/api/access/verify", "Exchange a login code for a session", LoginCodeHandlers.verify, SIGN_IN, JSON,
        LoginCodeVerification, idempotency_key=True, tag="Access",
    ),
    Operation(
        "POST", "/api/support/ticket", "Open a support ticket", SupportHandlers.open_ticket, CREATE, JSON,
        SupportRequest, 201, idempotency_key=True, rate_limit=RateLimit.CREATE, tag="Support",
    ),
    Operation(
        "GET", "/api/support/recent", "List support tickets, newest first, with shortened contacts",
        SupportHandlers.list_recent, OVERSEE, query=(LIMIT, CURSOR), tag="Support",
    ),
    Operation(
        "GET", "/admin/support/{id}", "Get a support ticket with its contact in full", SupportHandlers.get, ADMINISTER,
        tag="Support",
    ),
    Operation(
        "POST", "/admin/support/{id}/resolve", "Resolve a support ticket", SupportHandlers.resolve, ADMINISTER, JSON,
        bodies.Empty, tag="Support",
    ),
    *(
        Operation(
            "POST", path, "Receive a webhook event from Stripe", WebhookHandlers.receive, ALWAYS_OPEN, BodyKind.WEBHOOK,
            tag="Stripe", rate_limit=RateLimit.NONE,
        )
        for path in ("/api/webhooks/stripe", "/webhooks/stripe", "/api/payments/stripe-webhook")
    ),
    Operation(
        "GET", "/admin/dead-letters", "List webhook events that could not be applied",
        DeadLetterHandlers.list_dead_letters, ADMINISTER, query=(LIMIT, CURSOR), tag="Administration",
    ),
    Operation(
        "POST", "/admin/dead-letters/{id}/retry", "Apply a dead letter again", DeadLetterHandlers.retry, ADMINISTER,
        JSON, bodies.DeadLetterRetry, 202, tag="Administration",
    ),
    Operation(
        "GET", "/admin/dead-mails", "List mails that could not be sent, oldest first",
        DeadMailHandlers.list_dead_mails, ADMINISTER, query=(LIMIT, CURSOR), tag="Administration",
    ),
    Operation(
        "POST", "/admin/dead-mails/{id}/retry", "Send a dead mail again", DeadMailHandlers.retry, ADMINISTER, JSON,
        bodies.Empty, 202, tag="Administration",
    ),
    Operation(
        "GET", "/admin/access-log", "List the acts of administrators and the denied writes, newest first",
        AccessLogHandlers.list_access_log, OVERSEE, query=(LIMIT, CURSOR), tag="Administration",
    ),
    Operation(
        "GET", "/admin/projections", "List the read models and their positions", ProjectionHandlers.list_projections,
        ADMINISTER, tag="Administration",
    ),
    Operation(
        "POST", "/admin/projections/{name}/rebuild", "Rebuild a read model from the event log",
        ProjectionHandlers.rebuild, ADMINISTER, JSON, bodies.Empty, 202, tag="Administration",
    ),
    Operation(
        "POST", "/admin/donations/{donation_id}/refund", "Refund a donation", RefundHandlers.refund, ADMINISTER, JSON,
        RefundOrder, 202, idempotency_key=True, tag="Administration",
    ),
    Operation(
        "POST", "/admin/db/self-test", "Test reading and writing in transactions that are rolled back",
        SelfTestHandlers.run, DIAGNOSE, JSON, bodies.Empty, tag="Administration",
        other_responses={500: "application/json"},
    ),
    Operation(
        "POST", "/admin/profiles/{ticket_id}/approve-reset", "Give a ticket a new contact and a new access token",
        SupportHandlers.approve_reset, RESET, JSON, ProfileReset, idempotency_key=True, tag="Support",
    ),
    Operation(
        "POST", "/admin/knowledge/sources", "Add a text to the knowledge base; a text with a secret is refused",
        KnowledgeHandlers.add, ADMINISTER, JSON, NewSource, 201, idempotency_key=True, tag="Knowledge",
    ),
    Operation(
        "GET", "/admin/knowledge/sources", "List the texts of the knowledge base, newest first",
        KnowledgeHandlers.list_sources, ADMINISTER, query=(LIMIT, CURSOR), tag="Knowledge",
    ),
    Operation(
        "DELETE", "/admin/knowledge/sources/{source_id}", "Remove a text from the knowledge base",
        KnowledgeHandlers.remove, ADMINISTER, status=204, tag="Knowledge",
    ),
    Operation(
        "GET", "/admin/knowledge/search", "Search the knowledge base, best match first", KnowledgeHandlers.search,
        ADMINISTER, query=(SEARCH_TEXT, LIMIT, CURSOR), tag="Knowledge",
    ),
    Operation(
        "GET", "/d/{slug}", "Show the public page of a campaign", CampaignPageHandlers.show, OPEN,
        media_types=("text/html",), rate_limit=RateLimit.PAGE, other_responses=PAGE_UNAVAILABLE, tag="Public page",
    ),
    Operation(
        "POST", "/d/{slug}", "Open a checkout and redirect to it", CampaignPageHandlers.donate, DONATE, BodyKind.FORM,
        None, 303, media_types=("text/html",), idempotency_key=True, rate_limit=RateLimit.GIFT,
        other_responses={422: "text/html", **PAGE_UNAVAILABLE}, tag="Public page",
    ),
    Operation(
        "GET", "/d/{slug}/report", "Show the form that reports a campaign page", PageReportHandlers.show, OPEN,
        media_types=("text/html",), rate_limit=RateLimit.PAGE, other_responses=PAGE_UNAVAILABLE, tag="Public page",
    ),
    Operation(
        "POST", "/d/{slug}/report", "Report a campaign page, which opens a support ticket", PageReportHandlers.report,
        REPORT, BodyKind.JSON_OR_FORM, PageReport, 201, idempotency_key=True, rate_limit=RateLimit.REPORT,
        other_responses={303: "text/html", 422: "text/html", **PAGE_UNAVAILABLE}, tag="Public page",
    ),
    Operation(
        "GET", "/unsubscribe/{token}", "Ask for confirmation to unsubscribe from mails", UnsubscribeHandlers.show,
        ALWAYS_OPEN, media_types=("text/html",), other_responses=PAGE_NOT_FOUND, tag="Access",
    ),
    Operation(
        "POST", "/unsubscribe/{token}", "Unsubscribe from all mails that are not strictly necessary",
        UnsubscribeHandlers.unsubscribe, ALWAYS_OPEN, media_types=("text/html",), other_responses=PAGE_NOT_FOUND,
        tag="Access",
    ),
    *(
        Operation(
            "GET", path, summary, handler, ALWAYS_OPEN, tag="Health", rate_limit=RateLimit.NONE,
            other_responses=other_responses, monitoring=True,
        )
        for path, summary, handler, other_responses in (
            ("/health", "Check that the process runs; the same as /health/live", HealthHandlers.live, {}),
            ("/health/live", "Check that the process runs", HealthHandlers.live, {}),
            ("/health/db", "Check that the database answers", HealthHandlers.database, {503: "application/json"}),
            ("/health/ready", "Check that requests can be served", HealthHandlers.ready, {503: "application/json"}),
        )
    ),
    Operation(
        "GET", "/metrics", "Get the metrics for Prometheus", MetricsHandlers.metrics, METRICS,
        media_types=("text/plain",), tag="Health", rate_limit=RateLimit.NONE, other_responses=NOT_FOUND,
        monitoring=True,
    ),
    Operation(
        "GET", "/problems", "List the problem types", AboutHandlers.list_problems, ALWAYS_OPEN,
        media_types=("application/json", "text/html"), tag="About",
    ),
    Operation(
        "GET", "/problems/{name}", "Get the meaning of a problem type", AboutHandlers.problem, ALWAYS_OPEN,
        media_types=("application/json", "text/html"), tag="About",
    ),
    Operation("GET", "/openapi.json", "Get the OpenAPI document", AboutHandlers.openapi, ALWAYS_OPEN,
              tag="About"),
    Operation("GET", "/", "Show the home page", AboutHandlers.home, ALWAYS_OPEN, media_types=("text/html",),
              tag="About"),
    Operation("GET", "/docs", "Show the API reference", AboutHandlers.reference, ALWAYS_OPEN,
              media_types=("text/html",), tag="About"),
    *(
        Operation(
            "GET", path, "Get a file that the pages load", AboutHandlers.static_file, ALWAYS_OPEN,
            media_types=("text/css", "image/svg+xml"), rate_limit=RateLimit.NONE, hidden=True,
        )
        for path in ("/static/{name}", "/favicon.ico")
    ),
)  # fmt: skip

MONITORING_OPERATIONS = tuple(operation for operation in OPERATIONS if operation.monitoring)

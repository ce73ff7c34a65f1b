"""The table of operations: the HTTP interface, readable like a contents page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.values import Role
from entrypoints.http import bodies
from entrypoints.http import schemas as s
from entrypoints.http.handlers import (
    about,
    admin,
    campaign,
    donations,
    exports,
    health,
    history,
    knowledge,
    login_codes,
    metrics,
    support,
    tickets,
    unsubscribe,
)
from entrypoints.http.handlers.proofs import ProofHandlers
from entrypoints.http.operations import EVERYBODY, Access, Limit, Operation, Parameter, Takes
from entrypoints.http.problems import MEDIA_TYPE
from projections import ticket_totals

HOLDER, CLIENT, ADMIN, AUDITOR = Role.HOLDER, Role.CLIENT, Role.ADMIN, Role.AUDITOR

OPEN = Access(EVERYBODY)
CREATE = Access(EVERYBODY - {AUDITOR}, scope="tickets:write")
RETURN = Access(EVERYBODY - {AUDITOR})
ALWAYS_OPEN = Access(EVERYBODY, ignores_credentials=True)
GIVE = Access(EVERYBODY - {AUDITOR}, scope="payments:create")
READ = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="tickets:read", ticket=True)
READ_UNMASKED = Access(frozenset({HOLDER, CLIENT, ADMIN}), scope="tickets:read", ticket=True)
WRITE = Access(frozenset({HOLDER, CLIENT}), scope="tickets:write", ticket=True)
SEARCH = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="tickets:search")
PAY = Access(frozenset({HOLDER, CLIENT}), scope="payments:create", ticket=True)
LEDGER = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="donations:read", ticket=True)
TOTALS = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="donations:read", ticket=True, published=True)
HISTORY = Access(frozenset({HOLDER, ADMIN, AUDITOR}), ticket=True)
ADMINISTER = Access(frozenset({ADMIN}))
DIAGNOSE = Access(frozenset({ADMIN}), diagnostics=True)
OVERSEE = Access(frozenset({ADMIN, AUDITOR}))
RESET = Access(frozenset({ADMIN}), ticket=True)
MEASURE = Access(frozenset(), metrics=True)
EXPORT = Access(frozenset({CLIENT, ADMIN, AUDITOR}), scope="exports:read")

LIMIT = Parameter("limit", "How many to a page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20})
CURSOR = Parameter("cursor", "Where the last page ended: its `nextCursor`.")
CONTACT = Parameter("contact", "An e-mail address, a phone number, a handle or a web address.", required=True)
WORDS = Parameter("q", 'Words; `"a phrase"`, `or` and `-not` as people write them.', required=True)
AS_OF = Parameter("as_of", "As Stripe had it at this time.", s.TIME)
KNOWN_AT = Parameter("known_at", "As we knew it at this time.", s.TIME)

ONE = "/api/tickets/{ticket_id}"
NOT_YET: Mapping[int, tuple[str, Mapping[str, Any]]] = {404: (MEDIA_TYPE, {})}
NO_PAGE: Mapping[int, tuple[str, Mapping[str, Any]]] = {404: ("text/html", {})}
JSON, PATCH = Takes.JSON, Takes.MERGE_PATCH

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/api/tickets/create", "Open a ticket; its access token is given this once", tickets.create, CREATE,
        JSON, bodies.TicketOpening, 201, s.OPENED_TICKET, creates=True, limit=Limit.CREATE,
    ),
    Operation(
        "GET", "/api/tickets/search", "Find the tickets of a contact", tickets.search, SEARCH,
        gives=s.FOUND_TICKETS, query=(CONTACT, LIMIT, CURSOR),
    ),
    Operation(
        "GET", "/api/profiles/search", "Find the tickets of a contact, for profile pages", tickets.search_profiles,
        SEARCH, gives=s.FOUND_PROFILES, query=(CONTACT, LIMIT, CURSOR),
    ),
    Operation(
        "GET", ONE, "A ticket, with what is asked for besides", tickets.get, READ, gives=s.TICKET,
        query=(Parameter("include", f"A comma list of {', '.join(tickets.INCLUDES)}."),),
    ),
    Operation(
        "PATCH", ONE, "Change the display name", tickets.change, WRITE, PATCH, bodies.TicketChange, 200, s.TICKET,
    ),
    Operation("DELETE", ONE, "Erase the person: final", tickets.erase, WRITE, status=202, gives=s.ERASED),
    Operation(
        "POST", f"{ONE}/upload-audio", "Upload a recording of at most 50 MB", tickets.upload_audio, WRITE,
        Takes.AUDIO, None, 200, s.UPLOADED, creates=True,
    ),
    Operation(
        "POST", f"{ONE}/process", "Turn the recording into a transcript and a draft", tickets.process, WRITE,
        JSON, bodies.ProcessRequest, 202, s.PROCESSING, creates=True,
    ),
    Operation(
        "POST", f"{ONE}/retry", "Try again what failed", tickets.retry, WRITE, JSON, bodies.Empty, 202, s.PROCESSING,
        creates=True,
    ),
    Operation("GET", f"{ONE}/status", "How far the work is", tickets.get_status, READ, gives=s.STATUS),
    Operation(
        "POST", f"{ONE}/provide-info", "Say what the recording left out", tickets.provide_info, WRITE,
        JSON, bodies.InfoGiven, 200, s.STATUS,
    ),
    Operation(
        "PATCH", f"{ONE}/draft", "Write the draft by hand", tickets.change_draft, WRITE, PATCH, bodies.DraftChange,
        200, s.DRAFT,
    ),
    Operation(
        "POST", f"{ONE}/publish", "Show the page to everybody", tickets.publish, WRITE, JSON, bodies.Publication,
        200, s.PUBLISHED,
    ),
    Operation(
        "POST", f"{ONE}/unpublish", "Take the page down", tickets.unpublish, WRITE, JSON, bodies.Empty,
        200, s.PUBLISHED,
    ),
    Operation(
        "POST", f"{ONE}/generate-doc", "Make a Word file or a PDF", tickets.generate_document, WRITE, JSON,
        bodies.DocumentOrder, 201, s.DOCUMENT, creates=True, tag="Documents",
    ),
    Operation("GET", f"{ONE}/documents", "All documents, newest first", tickets.list_documents, READ,
              gives=s.DOCUMENTS, tag="Documents"),
    Operation(
        "GET", f"{ONE}/documents/{{document_id}}/download", "The document itself", tickets.download, READ_UNMASKED,
        gives_types=s.DOCUMENT_TYPES, tag="Documents", revalidates=True,
    ),
    Operation(
        "POST", f"{ONE}/create-payment", "A checkout for one gift", donations.create_payment, PAY, JSON,
        bodies.PaymentOrder, 201, s.CHECKOUT, creates=True, limit=Limit.PAYMENT, tag="Gifts",
    ),
    Operation(
        "GET", f"{ONE}/qr-code", "The QR code of the page, as JSON or as a picture", tickets.qr_code, READ,
        gives=s.QR_CODE, gives_types=("application/json", "image/png", "image/svg+xml"), tag="Documents",
    ),
    Operation(
        "GET", f"{ONE}/donations", "The ledger of gifts", donations.list_donations, LEDGER, gives=s.DONATIONS,
        query=(LIMIT, CURSOR, AS_OF, KNOWN_AT), tag="Gifts",
    ),
    Operation(
        "GET", f"{ONE}/donations/total", "What the gifts add up to", donations.totals, TOTALS, gives=s.TOTALS,
        query=(AS_OF, KNOWN_AT, Parameter("explain", "Add the entries that make the total.", {"type": "boolean"})),
        tag="Gifts", ticket_query=ticket_totals.ticket_with_totals,
    ),
    Operation(
        "GET", f"{ONE}/history", "Every event, or the ticket as it stood", history.history, HISTORY,
        gives=s.HISTORY, query=(LIMIT, CURSOR, Parameter("at", "A position or a time.")), tag="History",
    ),
    Operation(
        "GET", f"{ONE}/audit", "Every event with its proof, as `storyledger audit export` writes them",
        ProofHandlers.export, HISTORY, gives=s.AUDIT, tag="History",
    ),
    Operation("GET", "/checkpoint", "The newest signed checkpoint of the whole history", ProofHandlers.checkpoint,
              ALWAYS_OPEN, gives_types=("text/plain",), also=NOT_YET, tag="History"),
    Operation("GET", "/checkpoint/key", "The keys that sign checkpoints, the present one first", ProofHandlers.key,
              ALWAYS_OPEN, gives_types=("text/plain",), tag="History"),
    Operation("GET", "/checkpoint/checker", "The program that checks what we export, offline",
              ProofHandlers.check_program, ALWAYS_OPEN, gives_types=("text/plain",), tag="History"),
    Operation(
        "GET", "/checkpoint/consistency", "What proves that the history continues an older checkpoint",
        ProofHandlers.consistency, ALWAYS_OPEN, gives=s.CONSISTENCY,
        query=(Parameter("from", "The size of the older checkpoint.", s.COUNT, required=True),), also=NOT_YET,
        tag="History",
    ),
    Operation(
        "GET", "/api/exports/donations", "The ledger for accounting", exports.export, EXPORT,
        gives=s.EXPORT, gives_types=("text/csv", "application/json"),
        query=(
            Parameter("format", "", {"type": "string", "enum": ["csv", "json"], "default": "csv"}),
            Parameter("ticket", "Of one ticket only.", s.ID),
            Parameter("from", "Created from this day or time on."),
            Parameter("to", "Created until the end of this day, or this time."),
        ),
        tag="Gifts",
    ),
    Operation(
        "POST", "/api/access/request", "Ask for a code at one's contact", login_codes.request, RETURN, JSON,
        login_codes.LoginCodeRequest, 202, s.CODE_ON_ITS_WAY, creates=True, limit=Limit.CODE, tag="Access",
    ),
    Operation(
        "POST", "/api/access/verify", "The token of a session for the code", login_codes.verify, RETURN, JSON,
        login_codes.LoginCodeVerification, 200, s.SESSION, creates=True, tag="Access",
    ),
    Operation(
        "POST", "/api/support/ticket", "Ask for help", support.ask, CREATE, JSON, support.SupportRequest, 201,
        s.SUPPORT_OPENED, creates=True, limit=Limit.CREATE, tag="Support",
    ),
    Operation(
        "GET", "/api/support/recent", "Who asked for help, newest first, contacts masked", support.list_recent,
        OVERSEE, gives=s.SUPPORT_TICKETS, query=(LIMIT, CURSOR), tag="Support",
    ),
    Operation(
        "GET", "/admin/support/{id}", "A support ticket, with how to reach whoever wrote it", support.get, ADMINISTER,
        gives=s.SUPPORT_TICKET, tag="Support",
    ),
    Operation(
        "POST", "/admin/support/{id}/resolve", "Somebody has seen to it", support.resolve, ADMINISTER, JSON,
        bodies.Empty, 200, s.SUPPORT_TICKET, tag="Support",
    ),
    *(
        Operation(
            "POST", path, "Stripe's door", about.webhook, ALWAYS_OPEN, Takes.SIGNED, None, 200, s.RECEIVED,
            tag="Stripe", limit=Limit.NONE,
        )
        for path in ("/api/webhooks/stripe", "/webhooks/stripe", "/api/payments/stripe-webhook")
    ),
    Operation(
        "GET", "/admin/dead-letters", "Webhook events that a person must look at", admin.list_dead_letters, ADMINISTER,
        gives=s.DEAD_LETTERS, query=(LIMIT, CURSOR), tag="Administration",
    ),
    Operation(
        "POST", "/admin/dead-letters/{id}/retry", "Take a dead letter up again", admin.retry_dead_letter, ADMINISTER,
        JSON, bodies.Empty, 202, s.RETRIED_LETTER, tag="Administration",
    ),
    Operation(
        "GET", "/admin/dead-mails", "Mails that could not be sent, oldest first", admin.list_dead_mails, ADMINISTER,
        gives=s.DEAD_MAILS, query=(LIMIT, CURSOR), tag="Administration",
    ),
    Operation(
        "POST", "/admin/dead-mails/{id}/retry", "Try a dead mail again", admin.retry_dead_mail, ADMINISTER,
        JSON, bodies.Empty, 202, s.RETRIED_MAIL, tag="Administration",
    ),
    Operation(
        "GET", "/admin/access-log", "What administrators did and who was denied a write, newest first",
        admin.list_access_log, OVERSEE, gives=s.ACCESS_LOG, query=(LIMIT, CURSOR), tag="Administration",
    ),
    Operation(
        "GET", "/admin/projections", "How far each read model is", admin.list_projections, ADMINISTER,
        gives=s.PROJECTIONS, tag="Administration",
    ),
    Operation(
        "POST", "/admin/projections/{name}/rebuild", "Rebuild a read model from history", admin.rebuild_projection,
        ADMINISTER, JSON, bodies.Empty, 202, s.REBUILDING, tag="Administration",
    ),
    Operation(
        "POST", "/admin/donations/{donation_id}/refund", "Give money back", admin.refund, ADMINISTER, JSON,
        admin.RefundOrder, 202, s.ATTRIBUTION, creates=True, tag="Administration",
    ),
    Operation(
        "POST", "/admin/db/self-test", "Write and read everything once, and leave nothing behind", health.self_test,
        DIAGNOSE, JSON, bodies.Empty, 200, s.SELF_TEST, tag="Administration",
        also={500: ("application/json", s.SELF_TEST)},
    ),
    Operation(
        "POST", "/admin/profiles/{ticket_id}/approve-reset", "Give a ticket to whoever has the person's new address",
        support.approve_reset, RESET, JSON, support.ProfileReset, 200, s.TICKET, creates=True, tag="Support",
    ),
    Operation(
        "POST", "/admin/knowledge/sources", "Add a text to the knowledge base; one that holds a secret is refused",
        knowledge.add, ADMINISTER, JSON, knowledge.NewSource, 201, s.SOURCE_ADDED, creates=True, tag="Knowledge",
    ),
    Operation(
        "GET", "/admin/knowledge/sources", "The texts of the knowledge base, newest first", knowledge.list_sources,
        ADMINISTER, gives=s.SOURCES, query=(LIMIT, CURSOR), tag="Knowledge",
    ),
    Operation(
        "DELETE", "/admin/knowledge/sources/{source_id}", "Take a text out of the knowledge base", knowledge.remove,
        ADMINISTER, status=204, tag="Knowledge",
    ),
    Operation(
        "GET", "/admin/knowledge/search", "What the knowledge base says of something, best first", knowledge.search,
        ADMINISTER, gives=s.CHUNKS, query=(WORDS, LIMIT, CURSOR), tag="Knowledge",
    ),
    Operation("GET", "/d/{slug}", "The public page of a campaign", campaign.show, OPEN, gives_types=("text/html",),
              also=NO_PAGE, tag="Public page"),
    Operation("POST", "/d/{slug}", "Open a checkout and go there", campaign.give, GIVE, Takes.FORM, None, 303,
              creates=True, limit=Limit.PAYMENT, also={422: ("text/html", {}), **NO_PAGE}, tag="Public page"),
    Operation("GET", "/unsubscribe/{token}", "Ask whether no more mails are wanted", unsubscribe.show, ALWAYS_OPEN,
              gives_types=("text/html",), also=NO_PAGE, tag="Access"),
    Operation("POST", "/unsubscribe/{token}", "Want no more mails than must be", unsubscribe.leave, ALWAYS_OPEN,
              gives_types=("text/html",), also=NO_PAGE, tag="Access"),
    *(
        Operation("GET", path, meaning, handler, ALWAYS_OPEN, gives=gives, tag="Health", limit=Limit.NONE,
                  also={} if path == "/health/live" else {503: ("application/json", gives)}, asks_nobody=True)
        for path, meaning, handler, gives in (
            ("/health/live", "The process runs", health.live, s.LIVE),
            ("/health/db", "The database answers", health.database, s.DATABASE_HEALTH),
            ("/health/ready", "The service can serve", health.ready, s.READY),
        )
    ),
    Operation("GET", "/metrics", "What this process counts and all processes share, for Prometheus", metrics.metrics,
              MEASURE, gives_types=("text/plain",), tag="Health", limit=Limit.NONE, also=NOT_YET, asks_nobody=True),
    Operation("GET", "/problems/{name}", "What a problem means", about.problem, ALWAYS_OPEN, gives=s.PROBLEM_KIND,
              tag="About"),
    Operation("GET", "/openapi.json", "This interface, described", about.openapi, ALWAYS_OPEN, gives={"type": "object"},
              tag="About"),
    Operation("GET", "/", "What this is, for people", about.home, ALWAYS_OPEN, gives_types=("text/html",), tag="About"),
    Operation("GET", "/docs", "The same for people", about.docs, ALWAYS_OPEN, gives_types=("text/html",), tag="About"),
    *(
        Operation("GET", path, "What our pages load", about.static, ALWAYS_OPEN,
                  gives_types=("text/css", "image/svg+xml"), limit=Limit.NONE, hidden=True)
        for path in ("/static/{name}", "/favicon.ico")
    ),
)  # fmt: skip

# What every part of the service answers, where it is told a port.
HOW_IT_IS = tuple(operation for operation in OPERATIONS if operation.asks_nobody)

"""Every operation is tried by every kind of principal, on its own objects, on objects of others and on unknown ones."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from adapters.contacts import normalize_contact
from adapters.identity.credentials import SCOPES
from adapters.identity.tokens import digest
from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import SYSTEM, ContactType, Role
from entrypoints.http.operations import Operation
from entrypoints.http.table import OPERATIONS
from tests.client import RECORDING, Client, LiveService, Ticket, eventually
from tests.entrypoints.conftest import Deal
from tests.entrypoints.http.batches import batches, named
from tests.entrypoints.http.contract import problem
from tests.fakes.databases import recorded_statements
from tests.fakes.mailbox import files
from tests.fakes.photos import PDF
from tests.members import joined_member, new_address, signed_in

REFUND_REQUESTS = "/api/donations/{donation_id}/refund-requests"
TICKET_PATH = "/api/tickets/{ticket_id}"
CONTACT = {"contactType": "EMAIL", "contactValue": "matrix@example.com"}
# A method and a path with its parameters.
Call = tuple[str, str]


@dataclass(frozen=True)
class Rule:
    """Who may make a call about a ticket, and the status of an allowed call.

    `readers` are admins and auditors, who may read any ticket and the rest of an erased one, except auditors if
    `auditor` is false. `client` tells if API clients with the `scope` may call. `published` calls are open to everyone.
    A ticket allows a call `once` if a second one is answered differently.
    """

    allowed_status: int
    send: dict[str, Any] = field(default_factory=dict)
    scope: str | None = None
    readers: bool = False
    auditor: bool = True
    client: bool = True
    published: bool = False
    once: bool = False

    def status_of_member(self, role: MemberRole | None) -> int:
        """Return the status of a call by a member of the ticket's workspace with this role."""
        if role in CASEWORK or (role is not None and self.readers and self.auditor):
            return self.allowed_status
        return 403


CASEWORK = (MemberRole.OWNER, MemberRole.ADMIN, MemberRole.CASEWORKER)
# None is a session of an address that is a member of nothing.
MEMBERS: tuple[MemberRole | None, ...] = (*MemberRole, None)
FORM = {"data": {"press": "x"}}
READ = {"readers": True, "scope": "tickets:read"}
WRITE = {"scope": "tickets:write"}
TELLER = {"contact": "matrix@example.com", "consent": True}
UNKNOWN_ID = str(uuid7())
UPLOAD = {"headers": {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Offset": "0"}}
NEW_UPLOAD = {"headers": UPLOAD["headers"] | {"Upload-Metadata": "ticket {ticket_id}"}}
UPLOAD_PART = {"headers": UPLOAD["headers"] | {"Content-Type": "application/offset+octet-stream"}}
TICKET_RULES = {
    ("GET", TICKET_PATH): Rule(200, **READ),
    ("PATCH", TICKET_PATH): Rule(200, {"json": {"displayName": "Ada"}}, **WRITE),
    ("POST", f"{TICKET_PATH}/upload-audio"): Rule(
        200, {"files": {"audio": ("a.webm", RECORDING.read_bytes())}}, **WRITE
    ),
    ("GET", f"{TICKET_PATH}/recordings"): Rule(200, auditor=False, **READ),
    ("GET", f"{TICKET_PATH}/recordings/{{recording_id}}"): Rule(404, auditor=False, **READ),
    ("DELETE", f"{TICKET_PATH}/recordings/{{recording_id}}"): Rule(404, **WRITE),
    ("GET", f"{TICKET_PATH}/export"): Rule(200, auditor=False, **READ),
    ("POST", f"{TICKET_PATH}/process"): Rule(202, {"json": {}}, once=True, **WRITE),
    ("POST", f"{TICKET_PATH}/retry"): Rule(409, {"json": {}}, **WRITE),
    ("GET", f"{TICKET_PATH}/status"): Rule(200, **READ),
    ("GET", f"{TICKET_PATH}/events"): Rule(200, **READ),
    ("GET", f"{TICKET_PATH}/transcript"): Rule(409, auditor=False, **READ),
    ("PATCH", f"{TICKET_PATH}/transcript"): Rule(
        409, {"json": {"corrections": [{"segmentId": "none", "text": "Rain."}]}}, **WRITE
    ),
    ("GET", f"{TICKET_PATH}/transcript/versions"): Rule(200, auditor=False, **READ),
    ("POST", f"{TICKET_PATH}/transcript/restore"): Rule(409, {"json": {"version": 1}}, **WRITE),
    ("GET", f"{TICKET_PATH}/draft/versions"): Rule(200, **READ),
    ("POST", f"{TICKET_PATH}/draft/restore"): Rule(200, {"json": {"version": 1}}, **WRITE),
    ("POST", f"{TICKET_PATH}/provide-info"): Rule(409, {"json": {}}, **WRITE),
    ("PATCH", f"{TICKET_PATH}/draft"): Rule(200, {"json": {"title": "Help"}}, **WRITE),
    ("POST", f"{TICKET_PATH}/draft/findings"): Rule(
        422, {"json": {"decisions": [{"id": "none", "decision": "keep"}]}}, **WRITE
    ),
    ("POST", f"{TICKET_PATH}/publish"): Rule(200, {"json": {"consent": True}}, **WRITE),
    ("POST", f"{TICKET_PATH}/unpublish"): Rule(200, {"json": {}}, **WRITE),
    ("POST", f"{TICKET_PATH}/request-publication"): Rule(409, {"json": {"consent": True}}, **WRITE),
    ("GET", "/t/{ticket_id}/poster"): Rule(200, scope="tickets:write"),
    ("GET", f"{TICKET_PATH}/updates"): Rule(200, published=True, **READ),
    ("POST", f"{TICKET_PATH}/updates"): Rule(409, {"json": {"text": "The roof is back."}}, **WRITE),
    ("DELETE", f"{TICKET_PATH}/updates/{{update_id}}"): Rule(404, **WRITE),
    ("POST", f"{TICKET_PATH}/attachments"): Rule(201, {"files": {"file": ("letter.pdf", PDF)}}, **WRITE),
    ("GET", f"{TICKET_PATH}/attachments"): Rule(200, **READ),
    ("GET", f"{TICKET_PATH}/attachments/{{attachment_id}}"): Rule(404, auditor=False, **READ),
    ("DELETE", f"{TICKET_PATH}/attachments/{{attachment_id}}"): Rule(404, **WRITE),
    ("PUT", f"{TICKET_PATH}/picture"): Rule(
        422, {"json": {"attachmentId": str(uuid7()), "description": "A roof"}}, **WRITE
    ),
    ("DELETE", f"{TICKET_PATH}/picture"): Rule(204, **WRITE),
    ("GET", f"{TICKET_PATH}/voice"): Rule(404, **READ),
    ("PUT", f"{TICKET_PATH}/voice"): Rule(409, {"json": {"firstSegmentId": "a", "lastSegmentId": "b"}}, **WRITE),
    ("DELETE", f"{TICKET_PATH}/voice"): Rule(204, **WRITE),
    ("GET", f"{TICKET_PATH}/voice/sound"): Rule(404, auditor=False, **READ),
    ("GET", "/t/{ticket_id}/voice"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/voice"): Rule(303, {"data": {"do": "remove"}}, **WRITE),
    ("GET", f"{TICKET_PATH}/consents"): Rule(200, **READ),
    ("POST", f"{TICKET_PATH}/consents"): Rule(
        201, {"json": {"scopes": ["photo"], "textVersion": "1", "language": "en", "how": "typed"}}, **WRITE
    ),
    ("POST", f"{TICKET_PATH}/consents/withdraw"): Rule(200, {"json": {"scopes": ["photo"]}}, **WRITE),
    ("POST", f"{TICKET_PATH}/generate-doc"): Rule(201, {"json": {"docType": "GOFUNDME_DRAFT"}}, **WRITE),
    ("GET", f"{TICKET_PATH}/documents"): Rule(200, **READ),
    ("GET", f"{TICKET_PATH}/documents/{{document_id}}/download"): Rule(404, auditor=False, **READ),
    ("POST", f"{TICKET_PATH}/create-payment"): Rule(
        201, {"json": {"amount": 5, "currency": "USD"}}, scope="payments:create"
    ),
    ("GET", f"{TICKET_PATH}/qr-code"): Rule(200, **READ),
    ("GET", f"{TICKET_PATH}/donations"): Rule(200, scope="donations:read", readers=True),
    ("GET", f"{TICKET_PATH}/donations/total"): Rule(200, scope="donations:read", readers=True, published=True),
    ("GET", f"{TICKET_PATH}/history"): Rule(200, readers=True, client=False),
    ("GET", f"{TICKET_PATH}/audit"): Rule(200, readers=True, client=False),
    ("GET", "/tell/{ticket_id}"): Rule(200, **WRITE),
    ("POST", "/tell/{ticket_id}"): Rule(303, {"files": {"audio": ("a.webm", RECORDING.read_bytes())}}, **WRITE),
    # The header names the ticket.
    ("POST", "/api/uploads"): Rule(201, NEW_UPLOAD, **WRITE),
    ("HEAD", "/api/uploads/{ticket_id}/{upload_id}"): Rule(404, UPLOAD, **WRITE),
    ("PATCH", "/api/uploads/{ticket_id}/{upload_id}"): Rule(404, UPLOAD_PART, **WRITE),
    ("DELETE", "/api/uploads/{ticket_id}/{upload_id}"): Rule(404, UPLOAD, **WRITE),
    ("GET", "/audit/{ticket_id}"): Rule(200, readers=True, client=False),
    ("GET", "/audit/{ticket_id}/check"): Rule(200, readers=True, client=False),
    ("GET", "/t/{ticket_id}/recordings"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/recordings/{recording_id}/delete"): Rule(404, FORM, **WRITE),
    ("GET", f"{TICKET_PATH}/donations/{{donation_id}}/words"): Rule(404, scope="donations:read", readers=True),
    ("PATCH", f"{TICKET_PATH}/donations/{{donation_id}}/words"): Rule(404, {"json": {"hidden": True}}, **WRITE),
    ("GET", "/t/{ticket_id}/manage"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/manage/words"): Rule(404, FORM, **WRITE),
    ("POST", "/t/{ticket_id}/manage/unpublish"): Rule(303, **WRITE),
    ("POST", "/t/{ticket_id}/thanks"): Rule(422, {"data": {"text": ""}}, **WRITE),
    ("GET", "/t/{ticket_id}/recovery"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/recovery"): Rule(200, **WRITE),
    ("GET", "/t/{ticket_id}/contact"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/contact"): Rule(422, {"data": {"contact": "nowhere"}}, **WRITE),
    ("POST", "/t/{ticket_id}/contact/code"): Rule(422, {"data": {"code": "1"}}, **WRITE),
    ("GET", "/t/{ticket_id}/help"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/help"): Rule(422, {"data": {"text": ""}}, **WRITE),
    ("GET", "/t/{ticket_id}/help/{support_id}"): Rule(404, **WRITE),
    ("POST", "/t/{ticket_id}/help/{support_id}"): Rule(404, FORM, **WRITE),
    ("GET", "/t/{ticket_id}/news"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/news"): Rule(303, {"data": {"goal": "yes"}}, **WRITE),
    ("GET", "/t/{ticket_id}/erase"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/erase"): Rule(422, {"data": {"word": "no"}}, **WRITE),
    ("GET", "/t/{ticket_id}/story"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/story"): Rule(303, FORM, **WRITE),
    ("PUT", "/t/{ticket_id}/story"): Rule(200, FORM, **WRITE),
    ("POST", "/t/{ticket_id}/story/transcript"): Rule(409, FORM, **WRITE),
    ("POST", "/t/{ticket_id}/story/restore"): Rule(422, FORM, **WRITE),
    ("GET", "/t/{ticket_id}/listen"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/listen"): Rule(303, FORM, **WRITE),
    ("GET", "/t/{ticket_id}/preview"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/story/document"): Rule(303, FORM, **WRITE),
    ("GET", "/t/{ticket_id}/publish"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/publish"): Rule(422, {"data": {"note": "x"}}, **WRITE),
    ("GET", "/t/{ticket_id}/consent"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/consent"): Rule(303, {"data": {"scope": "photo"}}, **WRITE),
    ("GET", "/t/{ticket_id}/photo"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/photo"): Rule(422, {"files": {"file": ("roof.jpg", b"")}}, **WRITE),
    ("POST", "/t/{ticket_id}/photo/change"): Rule(303, {"data": {"do": "remove"}}, **WRITE),
    ("DELETE", TICKET_PATH): Rule(202, once=True, **WRITE),
    ("GET", "/t/{ticket_id}"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/start"): Rule(303, FORM, **WRITE),
    ("POST", "/t/{ticket_id}/retry"): Rule(303, FORM, **WRITE),
    ("GET", "/t/{ticket_id}/questions"): Rule(303, **WRITE),
    ("GET", "/t/{ticket_id}/questions/{question}"): Rule(404, **WRITE),
    ("POST", "/t/{ticket_id}/questions/{question}"): Rule(404, FORM, **WRITE),
    ("GET", "/t/{ticket_id}/answers"): Rule(200, **WRITE),
    ("GET", "/t/{ticket_id}/findings"): Rule(200, **WRITE),
    ("POST", "/t/{ticket_id}/findings"): Rule(303, FORM, **WRITE),
}

# Calls without a ticket in the path: the status for each kind of principal. Clients have every scope here.
# Visitor, holder, client, client without the scope, admin, auditor.
OPEN_RULES: dict[tuple[str, str], tuple[tuple[int, ...], dict[str, Any], str | None]] = {
    ("POST", "/api/tickets/create"): ((201, 201, 201, 403, 201, 403), {"json": CONTACT}, "tickets:write"),
    ("GET", "/api/tickets"): ((401, 403, 200, 403, 200, 200), {}, "tickets:read"),
    ("PATCH", f"{TICKET_PATH}/desk"): ((401, 403, 403, 403, 404, 403), {"json": {"labels": ["new"]}}, None),
    ("GET", f"{TICKET_PATH}/notes"): ((401, 403, 403, 403, 404, 404), {}, None),
    ("POST", f"{TICKET_PATH}/notes"): ((401, 403, 403, 403, 404, 403), {"json": {"text": "Call back."}}, None),
    ("GET", "/api/tickets/search"): (
        (401, 200, 200, 403, 200, 200),
        {"params": {"contact": "a@b.co"}},
        "tickets:search",
    ),
    ("GET", "/api/profiles/search"): (
        (401, 200, 200, 403, 200, 200),
        {"params": {"contact": "a@b.co"}},
        "tickets:search",
    ),
    ("POST", "/api/access/request"): ((202, 202, 202, 202, 202, 403), {"json": CONTACT}, None),
    ("POST", "/api/access/verify"): (
        (401, 401, 401, 401, 401, 403),
        {"json": {"requestId": str(uuid7()), "code": "1234 5678"}},
        None,
    ),
    ("GET", "/tell"): ((200,) * 6, {}, None),
    ("POST", "/tell"): ((201, 201, 201, 403, 201, 403), {"json": TELLER}, "tickets:write"),
    ("GET", "/tell/file"): ((200,) * 6, {}, None),
    ("POST", "/tell/file"): (
        (303, 303, 303, 403, 303, 403),
        {"data": TELLER | {"consent": "yes"}, "files": {"audio": ("a.webm", RECORDING.read_bytes())}},
        "tickets:write",
    ),
    ("GET", "/tell/write"): ((200,) * 6, {}, None),
    ("POST", "/tell/write"): (
        (303, 303, 303, 403, 303, 403),
        {"data": TELLER | {"consent": "yes", "story": "The roof fell in."}},
        "tickets:write",
    ),
    ("OPTIONS", "/api/uploads"): ((204,) * 6, {}, None),
    ("GET", "/find"): ((200,) * 6, {}, None),
    ("POST", "/find"): ((403,) * 6, {"data": {"contact": "matrix@example.com"}}, None),
    ("GET", "/find/code"): ((303,) * 6, {}, None),
    ("POST", "/find/code"): ((403,) * 6, {"data": {"code": "1234 5678"}}, None),
    ("GET", "/sign-in/{token}"): ((404,) * 6, {}, None),
    ("POST", "/sign-in/{token}"): ((404, 404, 404, 404, 404, 403), {"data": {}}, None),
    ("GET", "/recover/{token}"): ((404,) * 6, {}, None),
    ("POST", "/recover/{token}"): ((404,) * 6, {}, None),
    ("POST", "/sign-out"): ((303,) * 6, {"data": {}}, None),
    ("GET", "/api/donations"): ((401, 403, 200, 403, 200, 200), {}, "donations:read"),
    ("GET", "/api/donations/{donation_id}/refund-preview"): ((401, 403, 403, 403, 404, 403), {}, None),
    ("GET", "/desk/gifts"): ((401, 403, 200, 403, 200, 200), {}, "donations:read"),
    ("GET", "/api/disputes"): ((401, 403, 200, 403, 200, 200), {}, "donations:read"),
    ("GET", "/api/figures"): ((401, 403, 200, 403, 200, 200), {}, "donations:read"),
    ("GET", "/api/figures/campaigns"): ((401, 403, 200, 403, 200, 200), {}, "donations:read"),
    ("GET", "/desk/figures"): ((401, 403, 200, 403, 200, 200), {}, "donations:read"),
    ("GET", "/api/exports/donations"): ((401, 403, 200, 403, 200, 200), {}, "exports:read"),
    ("POST", "/api/support/ticket"): (
        (201, 201, 201, 403, 201, 403),
        {"json": {"category": "OTHER", "message": "Help me, please."}},
        "tickets:write",
    ),
    ("GET", "/api/support/recent"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("GET", "/admin/support/{id}"): ((401, 403, 403, 403, 404, 403), {}, None),
    ("POST", "/admin/support/{id}/resolve"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", "/admin/profiles/{ticket_id}/approve-reset"): (
        (401, 403, 403, 403, 404, 403),
        {"json": {"newContactValue": "new@example.com"}},
        None,
    ),
    ("POST", f"{TICKET_PATH}/suspend"): ((401, 403, 403, 403, 404, 403), {"json": {"reason": "Fraud."}}, None),
    ("POST", f"{TICKET_PATH}/reinstate"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", REFUND_REQUESTS): ((401, 403, 403, 403, 404, 403), {"json": {"reason": "asked for"}}, None),
    ("GET", REFUND_REQUESTS): ((401, 403, 403, 403, 404, 404), {}, None),
    ("GET", "/api/refund-requests"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("POST", f"{REFUND_REQUESTS}/{{request_id}}/approve"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", f"{REFUND_REQUESTS}/{{request_id}}/decline"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", f"{TICKET_PATH}/refund-all"): ((401, 403, 403, 403, 404, 403), {"json": {"reason": "Fraud."}}, None),
    ("GET", f"{TICKET_PATH}/refund-all"): ((401, 403, 403, 403, 404, 404), {}, None),
    ("POST", f"{TICKET_PATH}/approve"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", f"{TICKET_PATH}/request-changes"): ((401, 403, 403, 403, 404, 403), {"json": {"note": "More."}}, None),
    ("POST", "/admin/knowledge/sources"): (
        (401, 403, 403, 403, 201, 403),
        {"json": {"type": "NOTE", "title": "Gifts", "content": "Gifts are kind."}},
        None,
    ),
    ("GET", "/admin/knowledge/sources"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("DELETE", "/admin/knowledge/sources/{source_id}"): ((401, 403, 403, 403, 404, 403), {}, None),
    ("GET", "/admin/knowledge/search"): ((401, 403, 403, 403, 200, 403), {"params": {"q": "gifts"}}, None),
    ("GET", "/d/{slug}/picture"): ((404,) * 6, {}, None),
    ("GET", "/d/{slug}/logo"): ((404,) * 6, {}, None),
    ("GET", "/d/{slug}/voice"): ((404,) * 6, {}, None),
    ("GET", "/api/consent-texts/{version}"): ((404,) * 6, {}, None),
    ("GET", "/audit"): ((200,) * 6, {}, None),
    ("POST", "/audit"): (
        (422,) * 6,
        {"data": {"key": "slk_none"}, "headers": {"Sec-Fetch-Site": "same-origin"}},
        None,
    ),
    ("GET", "/verify"): ((200,) * 6, {}, None),
    ("POST", "/verify"): ((422,) * 6, {"data": {"text": ""}}, None),
    ("GET", "/checkpoint"): ((200,) * 6, {}, None),
    ("GET", "/checkpoint/key"): ((200,) * 6, {}, None),
    ("GET", "/checkpoint/checker"): ((200,) * 6, {}, None),
    ("GET", "/checkpoint/consistency"): ((200,) * 6, {"params": {"from": "1"}}, None),
    ("GET", "/d/{slug}"): ((404,) * 6, {}, None),
    ("GET", "/d/{slug}/total"): ((404,) * 6, {}, None),
    ("GET", "/d/{slug}/picture.png"): ((404,) * 6, {}, None),
    ("GET", "/d/{slug}/qr.svg"): ((404,) * 6, {}, None),
    ("GET", "/d/{slug}/receipt"): ((404,) * 6, {}, None),
    ("GET", "/imprint"): ((200,) * 6, {}, None),
    ("GET", "/privacy"): ((200,) * 6, {}, None),
    ("GET", "/d/{slug}/report"): ((404,) * 6, {}, None),
    ("POST", "/d/{slug}/report"): ((404, 404, 404, 404, 404, 403), {"json": {"reason": "Fraud."}}, None),
    ("GET", "/unsubscribe/{token}"): ((404,) * 6, {}, None),
    ("POST", "/unsubscribe/{token}"): ((404,) * 6, {}, None),
    ("POST", "/unsubscribe/{token}/choice"): ((404,) * 6, {"data": {"goal": "yes"}}, None),
    ("GET", "/forget/{token}"): ((404,) * 6, {}, None),
    ("POST", "/forget/{token}"): ((404,) * 6, {}, None),
    ("GET", "/api/donations/{donation_id}/receipt"): ((401, 403, 403, 403, 404, 403), {}, None),
    ("POST", "/api/donations/{donation_id}/forget-donor"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", "/d/{slug}"): ((404, 404, 404, 403, 404, 403), {"data": {"amount": "5"}}, "payments:create"),
    ("POST", "/api/webhooks/stripe"): ((400,) * 6, {"json": {}}, None),
    ("POST", "/webhooks/stripe"): ((400,) * 6, {"json": {}}, None),
    ("POST", "/api/payments/stripe-webhook"): ((400,) * 6, {"json": {}}, None),
    ("GET", "/metrics"): ((401,) * 6, {}, None),
    ("GET", "/health"): ((200,) * 6, {}, None),
    ("GET", "/health/live"): ((200,) * 6, {}, None),
    ("GET", "/health/db"): ((200,) * 6, {}, None),
    ("GET", "/health/ready"): ((200,) * 6, {}, None),
    ("GET", "/problems"): ((200,) * 6, {}, None),
    ("GET", "/problems/{name}"): ((404,) * 6, {}, None),
    ("GET", "/openapi.json"): ((200,) * 6, {}, None),
    ("GET", "/"): ((200,) * 6, {}, None),
    ("GET", "/docs"): ((200,) * 6, {}, None),
    ("GET", "/docs/{name}"): ((404,) * 6, {}, None),
    ("GET", "/static/{name}"): ((404,) * 6, {}, None),
    ("GET", "/favicon.ico"): ((200,) * 6, {}, None),
    ("GET", "/admin/dead-letters"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("GET", "/admin/dead-mails"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/admin/dead-mails/{id}/retry"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("GET", "/admin/access-log"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("POST", "/admin/dead-letters/{id}/retry"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("GET", "/admin/health/history"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("POST", "/admin/db/self-test"): ((401, 403, 403, 403, 200, 403), {"json": {}}, None),
    ("GET", "/admin/projections"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/admin/projections/{name}/rebuild"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", "/admin/donations/{donation_id}/refund"): (
        (401, 403, 403, 403, 404, 403),
        {"json": {"reason": "asked for"}},
        None,
    ),
}

WORKSPACE = "/api/workspaces/{workspace}"
DESK_GIFT = "/desk/gifts/{donation_id}"
DESK_PAGE = "/desk/tickets/{ticket_id}"
REFUSED = (401, 403, 403, 403, 403, 403)
MANAGED = (401, 403, 403, 403, 404, 403)
OVERSEEN = (401, 403, 403, 403, 404, 404)
OPEN_RULES |= {
    ("POST", "/api/session/code"): ((202, 202, 202, 202, 202, 403), {"json": {"email": "matrix@example.com"}}, None),
    ("POST", "/api/session"): (
        (401, 401, 401, 401, 401, 403),
        {"json": {"requestId": str(uuid7()), "code": "1234 5678"}},
        None,
    ),
    ("GET", "/api/session"): (REFUSED, {}, None),
    ("PATCH", "/api/session"): (REFUSED, {"json": {"workspace": "none"}}, None),
    ("DELETE", "/api/session"): (REFUSED, {}, None),
    ("DELETE", "/api/session/{session_id}"): (REFUSED, {}, None),
    ("GET", "/api/me"): (REFUSED, {}, None),
    ("PATCH", "/api/me"): (REFUSED, {"json": {"name": "Ada"}}, None),
    ("POST", "/api/invitations/{member_id}/accept"): (REFUSED, {"json": {}}, None),
    ("GET", WORKSPACE): (OVERSEEN, {}, None),
    ("PATCH", WORKSPACE): (MANAGED, {"json": {"name": "Shelter"}}, None),
    ("POST", f"{WORKSPACE}/close"): (MANAGED, {"json": {}}, None),
    ("GET", f"{WORKSPACE}/closing"): (MANAGED, {}, None),
    ("GET", f"{WORKSPACE}/due-erasures"): (OVERSEEN, {}, None),
    ("PUT", f"{WORKSPACE}/logo"): (MANAGED, {"files": {"file": ("logo.pdf", PDF)}}, None),
    ("GET", f"{WORKSPACE}/logo"): (OVERSEEN, {}, None),
    ("DELETE", f"{WORKSPACE}/logo"): (MANAGED, {}, None),
    ("GET", f"{WORKSPACE}/members"): (OVERSEEN, {}, None),
    ("PATCH", f"{WORKSPACE}/members/{{member_id}}"): (MANAGED, {"json": {"role": "admin"}}, None),
    ("DELETE", f"{WORKSPACE}/members/{{member_id}}"): (MANAGED, {}, None),
    ("GET", f"{WORKSPACE}/former-members"): (MANAGED, {}, None),
    ("DELETE", f"{WORKSPACE}/members/{{member_id}}/personal-data"): (MANAGED, {}, None),
    ("GET", f"{WORKSPACE}/invitations"): (MANAGED, {}, None),
    ("POST", f"{WORKSPACE}/invitations"): (MANAGED, {"json": {"email": "a@b.co", "role": "admin"}}, None),
    ("DELETE", f"{WORKSPACE}/invitations/{{member_id}}"): (MANAGED, {}, None),
    ("GET", f"{WORKSPACE}/keys"): (MANAGED, {}, None),
    ("GET", f"{WORKSPACE}/audit-log"): (OVERSEEN, {}, None),
    ("GET", f"{WORKSPACE}/security-events"): (OVERSEEN, {}, None),
    ("POST", f"{WORKSPACE}/security-events/{{event_id}}/seen"): (MANAGED, {"json": {}}, None),
    ("GET", f"{WORKSPACE}/audit-log/export"): (OVERSEEN, {}, None),
    ("POST", f"{WORKSPACE}/keys"): (MANAGED, {"json": {"scopes": ["tickets:read"]}}, None),
    ("POST", f"{WORKSPACE}/keys/{{key_id}}/replace"): (MANAGED, {"json": {}}, None),
    ("DELETE", f"{WORKSPACE}/keys/{{key_id}}"): (MANAGED, {}, None),
}

OPEN_RULES |= {
    ("GET", "/api/support/{id}"): (OVERSEEN, {}, None),
    ("POST", "/api/support/{id}/replies"): (MANAGED, {"json": {"text": "We have mended it."}}, None),
    ("PATCH", "/api/support/{id}"): (MANAGED, {"json": {"assignee": None}}, None),
    ("POST", "/api/support/{id}/resolve"): (MANAGED, {"json": {}}, None),
    ("GET", "/desk/support"): (REFUSED, {}, None),
    ("GET", "/desk/health"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("GET", "/desk/support/{id}"): (REFUSED, {}, None),
    ("POST", "/desk/support/{id}/replies"): (REFUSED, {"data": {"text": "We have mended it."}}, None),
    ("POST", "/desk/support/{id}/assignee"): (REFUSED, {"data": {"assignee": ""}}, None),
    ("POST", "/desk/support/{id}/resolve"): (REFUSED, {}, None),
    ("GET", "/desk/organisation"): (REFUSED, {}, None),
    ("POST", "/desk/organisation"): (REFUSED, {"data": {"currency": "XXX", "intake": "open"}}, None),
    ("POST", "/desk/organisation/logo"): (REFUSED, {"files": {"file": ("logo.pdf", PDF)}}, None),
    ("POST", "/desk/organisation/logo/remove"): (REFUSED, {}, None),
    ("GET", "/desk/retention"): (REFUSED, {}, None),
    ("POST", "/desk/retention"): (REFUSED, {"data": {"ticketDays": "0"}}, None),
    ("GET", "/desk/close"): (REFUSED, {}, None),
    ("POST", "/desk/close"): (REFUSED, {"data": {"name": "another"}}, None),
    ("POST", f"{DESK_PAGE}/approve"): (REFUSED, {"data": {"version": "1"}}, None),
    ("POST", f"{DESK_PAGE}/request-changes"): (REFUSED, {"data": {"note": "Shorter."}}, None),
    ("GET", "/desk/refund-requests"): (REFUSED, {}, None),
    ("GET", f"{DESK_PAGE}/refund-all"): (REFUSED, {}, None),
    ("POST", f"{DESK_PAGE}/refund-all"): (REFUSED, {"data": {"word": "refund", "reason": "Fraud."}}, None),
    ("GET", "/desk/disputes"): (REFUSED, {}, None),
    ("GET", DESK_GIFT): (REFUSED, {}, None),
    ("POST", f"{DESK_GIFT}/refund"): (REFUSED, {"data": {"reason": "Asked for."}}, None),
    ("POST", f"{DESK_GIFT}/requests"): (REFUSED, {"data": {"reason": "Asked for."}}, None),
    ("POST", f"{DESK_GIFT}/requests/{{request_id}}"): (REFUSED, {"data": {"do": "decline"}}, None),
    ("GET", "/desk/knowledge"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/desk/knowledge"): ((401, 403, 403, 403, 422, 403), {"data": {"title": "Refunds"}}, None),
    ("POST", "/desk/knowledge/{source_id}/remove"): (MANAGED, {}, None),
    ("GET", "/desk/audit-log"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("GET", "/desk/security-events"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("POST", "/desk/security-events"): ((401, 403, 403, 403, 303, 403), {"data": {"events": ""}}, None),
    ("GET", "/desk/keys"): (REFUSED, {}, None),
    ("POST", "/desk/keys"): (REFUSED, {"data": {"expires": ""}}, None),
    ("POST", "/desk/keys/{key_id}/revoke"): (REFUSED, {}, None),
    ("GET", "/api/jobs"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("GET", "/api/jobs/{id}"): (OVERSEEN, {}, None),
    ("POST", "/api/jobs/{id}/retry"): (MANAGED, {"json": {}}, None),
    ("GET", "/desk/jobs"): ((401, 403, 403, 403, 200, 200), {}, None),
    ("POST", "/desk/jobs/{id}/retry"): (MANAGED, {}, None),
    ("GET", "/desk/mails"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/desk/mails/{id}/retry"): ((401, 403, 403, 403, 404, 403), {}, None),
    ("GET", "/desk/dead-letters"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/desk/dead-letters/{id}/retry"): ((401, 403, 403, 403, 404, 403), {"data": {"do": "retry"}}, None),
    ("GET", "/desk"): ((401, 403, 403, 403, 303, 303), {}, None),
    ("GET", DESK_PAGE): (REFUSED, {}, None),
    ("POST", f"{DESK_PAGE}/desk"): (REFUSED, {"data": {"labels": "new"}}, None),
    ("POST", f"{DESK_PAGE}/notes"): (REFUSED, {"data": {"text": "Call."}}, None),
    ("POST", f"{DESK_PAGE}/suspend"): (REFUSED, {"data": {"reason": "Fraud."}}, None),
    ("POST", f"{DESK_PAGE}/reinstate"): (REFUSED, {}, None),
    ("GET", "/desk/sign-in"): ((200,) * 6, {}, None),
    ("POST", "/desk/sign-in"): ((403,) * 6, {"data": {"email": "matrix@example.com"}}, None),
    ("GET", "/desk/sign-in/code"): ((303,) * 6, {}, None),
    ("POST", "/desk/sign-in/code"): ((403,) * 6, {"data": {"code": "1234 5678"}}, None),
    ("GET", "/desk/sign-in/{token}"): ((404,) * 6, {}, None),
    ("POST", "/desk/sign-in/{token}"): ((404, 404, 404, 404, 404, 403), {"data": {}}, None),
    ("POST", "/desk/workspaces"): (REFUSED, {"data": {"workspace": "none"}}, None),
    ("GET", "/desk/account"): (REFUSED, {}, None),
    ("POST", "/desk/account"): (REFUSED, {"data": {"name": "Ada"}}, None),
    ("GET", "/desk/members"): (REFUSED, {}, None),
    ("POST", "/desk/members"): (REFUSED, {"data": {"email": "nobody", "role": "admin"}}, None),
    ("POST", "/desk/members/{member_id}"): (REFUSED, {"data": {"do": "revoke"}}, None),
    ("GET", "/desk/members/former"): (REFUSED, {}, None),
    ("POST", "/desk/members/{member_id}/erase"): (REFUSED, {"data": {"confirm": "yes"}}, None),
}

# The status of members for calls without a ticket in the path that are not alike for everybody: owner, admin,
# caseworker, accountant, auditor, and a session without a membership. A workspace that a path names is another one.
OF_CASEWORK = (201, 201, 201, 403, 403, 403)
OF_MANAGERS = (404, 404, 403, 403, 403, 403)
OF_STAFF = (404, 404, 404, 404, 404, 403)
OF_MONEY = (200, 200, 403, 200, 200, 403)
OF_NOBODY = (403,) * 6
OF_WORKERS = (404, 404, 404, 403, 403, 403)
SEEN_BY_STAFF = (200, 200, 200, 200, 200, 403)
MEMBER_RULES: dict[tuple[str, str], tuple[int, ...]] = {
    ("GET", "/api/tickets"): (200, 200, 200, 200, 200, 403),
    ("PATCH", f"{TICKET_PATH}/desk"): (404, 404, 404, 403, 403, 403),
    ("GET", f"{TICKET_PATH}/notes"): (404, 404, 404, 403, 404, 403),
    ("POST", f"{TICKET_PATH}/notes"): (404, 404, 404, 403, 403, 403),
    ("POST", "/api/tickets/create"): OF_CASEWORK,
    ("GET", "/api/tickets/search"): (200, 200, 200, 403, 200, 403),
    ("GET", "/api/profiles/search"): (200, 200, 200, 403, 200, 403),
    ("POST", "/api/access/request"): (202,) * 6,
    ("POST", "/api/access/verify"): (401,) * 6,
    ("POST", "/tell"): OF_CASEWORK,
    ("POST", "/tell/file"): (303, 303, 303, 403, 403, 403),
    ("POST", "/tell/write"): (303, 303, 303, 403, 403, 403),
    ("POST", "/sign-in/{token}"): (404,) * 6,
    ("GET", "/api/donations"): (200, 200, 200, 200, 200, 403),
    ("GET", "/api/donations/{donation_id}/refund-preview"): (404, 404, 403, 404, 403, 403),
    ("GET", "/desk/gifts"): SEEN_BY_STAFF,
    ("GET", "/api/disputes"): SEEN_BY_STAFF,
    ("GET", "/desk/disputes"): SEEN_BY_STAFF,
    ("GET", "/api/figures"): OF_MONEY,
    ("GET", "/api/figures/campaigns"): OF_MONEY,
    ("GET", "/desk/figures"): OF_MONEY,
    ("GET", "/desk/health"): (200, 200, 403, 403, 403, 403),
    ("GET", "/api/exports/donations"): OF_MONEY,
    ("GET", "/api/donations/{donation_id}/receipt"): (404, 404, 403, 404, 403, 403),
    ("POST", "/api/donations/{donation_id}/forget-donor"): OF_MANAGERS,
    ("POST", "/api/support/ticket"): OF_CASEWORK,
    ("POST", "/admin/profiles/{ticket_id}/approve-reset"): OF_MANAGERS,
    ("POST", f"{TICKET_PATH}/suspend"): OF_MANAGERS,
    ("POST", f"{TICKET_PATH}/reinstate"): OF_MANAGERS,
    ("POST", REFUND_REQUESTS): (404, 404, 403, 404, 403, 403),
    ("GET", REFUND_REQUESTS): (404, 404, 403, 404, 403, 403),
    ("GET", "/api/refund-requests"): (200, 200, 403, 200, 403, 403),
    ("GET", "/desk/refund-requests"): (200, 200, 403, 200, 403, 403),
    ("POST", f"{REFUND_REQUESTS}/{{request_id}}/approve"): OF_MANAGERS,
    ("POST", f"{REFUND_REQUESTS}/{{request_id}}/decline"): OF_MANAGERS,
    ("POST", f"{TICKET_PATH}/refund-all"): OF_MANAGERS,
    ("GET", f"{TICKET_PATH}/refund-all"): (404, 404, 403, 404, 404, 403),
    ("POST", "/admin/donations/{donation_id}/refund"): OF_MANAGERS,
    ("POST", f"{TICKET_PATH}/approve"): OF_MANAGERS,
    ("POST", f"{TICKET_PATH}/request-changes"): OF_MANAGERS,
    ("POST", "/d/{slug}/report"): (404, 404, 404, 404, 403, 404),
    ("POST", "/d/{slug}"): (404, 404, 404, 404, 403, 404),
    ("POST", "/api/session/code"): (202,) * 6,
    ("POST", "/api/session"): (401,) * 6,
    ("GET", "/api/session"): (200,) * 6,
    ("PATCH", "/api/session"): (404,) * 6,
    ("DELETE", "/api/session/{session_id}"): (404,) * 6,
    ("GET", "/api/me"): (200,) * 6,
    ("PATCH", "/api/me"): (200, 200, 200, 200, 200, 404),
    ("POST", "/api/invitations/{member_id}/accept"): (404,) * 6,
    ("POST", "/desk/sign-in/{token}"): (404,) * 6,
    ("GET", "/api/support/recent"): (200, 200, 200, 403, 200, 403),
    ("GET", "/api/support/{id}"): (404, 404, 404, 403, 404, 403),
    ("POST", "/api/support/{id}/replies"): OF_WORKERS,
    ("PATCH", "/api/support/{id}"): OF_WORKERS,
    ("POST", "/api/support/{id}/resolve"): OF_WORKERS,
    ("GET", "/desk/support"): (200, 200, 200, 403, 200, 403),
    ("GET", "/desk/support/{id}"): (404, 404, 404, 403, 404, 403),
    ("POST", "/desk/support/{id}/replies"): OF_WORKERS,
    ("POST", "/desk/support/{id}/assignee"): OF_WORKERS,
    ("POST", "/desk/support/{id}/resolve"): OF_WORKERS,
    ("GET", "/desk/organisation"): SEEN_BY_STAFF,
    ("POST", "/desk/organisation"): (422, 422, 403, 403, 403, 403),
    ("POST", "/desk/organisation/logo"): (422, 422, 403, 403, 403, 403),
    ("POST", "/desk/organisation/logo/remove"): (303, 303, 403, 403, 403, 403),
    ("GET", "/desk/retention"): SEEN_BY_STAFF,
    ("POST", "/desk/retention"): (422, 422, 403, 403, 403, 403),
    ("GET", "/desk/close"): (200, 403, 403, 403, 403, 403),
    ("POST", "/desk/close"): (422, 403, 403, 403, 403, 403),
    ("POST", f"{DESK_PAGE}/approve"): OF_MANAGERS,
    ("POST", f"{DESK_PAGE}/request-changes"): OF_MANAGERS,
    ("GET", f"{DESK_PAGE}/refund-all"): (404, 404, 403, 404, 404, 403),
    ("POST", f"{DESK_PAGE}/refund-all"): OF_MANAGERS,
    ("GET", DESK_GIFT): (404, 404, 403, 404, 403, 403),
    ("POST", f"{DESK_GIFT}/refund"): OF_MANAGERS,
    ("POST", f"{DESK_GIFT}/requests"): (404, 404, 403, 404, 403, 403),
    ("POST", f"{DESK_GIFT}/requests/{{request_id}}"): OF_MANAGERS,
    ("GET", "/desk/audit-log"): (200, 200, 403, 403, 200, 403),
    ("GET", "/desk/security-events"): (200, 200, 403, 403, 200, 403),
    ("POST", "/desk/security-events"): (303, 303, 403, 403, 403, 403),
    ("GET", "/desk/keys"): (200, 200, 403, 403, 403, 403),
    ("POST", "/desk/keys"): (422, 422, 403, 403, 403, 403),
    ("POST", "/desk/keys/{key_id}/revoke"): OF_MANAGERS,
    ("GET", "/admin/dead-mails"): (200, 200, 403, 403, 403, 403),
    ("POST", "/admin/dead-mails/{id}/retry"): OF_MANAGERS,
    ("GET", "/api/jobs"): (200, 200, 200, 403, 200, 403),
    ("GET", "/api/jobs/{id}"): (404, 404, 404, 403, 404, 403),
    ("POST", "/api/jobs/{id}/retry"): OF_WORKERS,
    ("GET", "/desk/jobs"): (200, 200, 200, 403, 200, 403),
    ("POST", "/desk/jobs/{id}/retry"): OF_WORKERS,
    ("GET", "/desk/mails"): (200, 200, 403, 403, 403, 403),
    ("POST", "/desk/mails/{id}/retry"): OF_MANAGERS,
    ("GET", "/desk"): (200, 200, 200, 200, 200, 303),
    ("GET", DESK_PAGE): OF_STAFF,
    ("POST", f"{DESK_PAGE}/desk"): (404, 404, 404, 403, 403, 403),
    ("POST", f"{DESK_PAGE}/notes"): (404, 404, 404, 403, 403, 403),
    ("POST", f"{DESK_PAGE}/suspend"): OF_MANAGERS,
    ("POST", f"{DESK_PAGE}/reinstate"): OF_MANAGERS,
    ("POST", "/desk/workspaces"): (404,) * 6,
    ("GET", "/desk/account"): SEEN_BY_STAFF,
    ("POST", "/desk/account"): (303, 303, 303, 303, 303, 403),
    ("GET", "/desk/members"): SEEN_BY_STAFF,
    ("POST", "/desk/members"): (422, 422, 403, 403, 403, 403),
    ("POST", "/desk/members/{member_id}"): OF_STAFF,
    ("GET", "/desk/members/former"): (200, 200, 403, 403, 403, 403),
    ("POST", "/desk/members/{member_id}/erase"): OF_MANAGERS,
    ("GET", WORKSPACE): OF_STAFF,
    ("PATCH", WORKSPACE): OF_MANAGERS,
    ("POST", f"{WORKSPACE}/close"): (404, 403, 403, 403, 403, 403),
    ("GET", f"{WORKSPACE}/closing"): (404, 403, 403, 403, 403, 403),
    ("GET", f"{WORKSPACE}/due-erasures"): OF_STAFF,
    ("PUT", f"{WORKSPACE}/logo"): OF_MANAGERS,
    ("GET", f"{WORKSPACE}/logo"): OF_STAFF,
    ("DELETE", f"{WORKSPACE}/logo"): OF_MANAGERS,
    ("GET", f"{WORKSPACE}/members"): OF_STAFF,
    ("PATCH", f"{WORKSPACE}/members/{{member_id}}"): OF_MANAGERS,
    ("DELETE", f"{WORKSPACE}/members/{{member_id}}"): OF_STAFF,
    ("GET", f"{WORKSPACE}/former-members"): OF_MANAGERS,
    ("DELETE", f"{WORKSPACE}/members/{{member_id}}/personal-data"): OF_MANAGERS,
    ("GET", f"{WORKSPACE}/invitations"): OF_MANAGERS,
    ("POST", f"{WORKSPACE}/invitations"): OF_MANAGERS,
    ("DELETE", f"{WORKSPACE}/invitations/{{member_id}}"): OF_MANAGERS,
    ("GET", f"{WORKSPACE}/keys"): OF_MANAGERS,
    ("GET", f"{WORKSPACE}/audit-log"): (404, 404, 403, 403, 404, 403),
    ("GET", f"{WORKSPACE}/security-events"): (404, 404, 403, 403, 404, 403),
    ("POST", f"{WORKSPACE}/security-events/{{event_id}}/seen"): OF_MANAGERS,
    ("GET", f"{WORKSPACE}/audit-log/export"): (404, 404, 403, 403, 404, 403),
    ("POST", f"{WORKSPACE}/keys"): OF_MANAGERS,
    ("POST", f"{WORKSPACE}/keys/{{key_id}}/replace"): OF_MANAGERS,
    ("DELETE", f"{WORKSPACE}/keys/{{key_id}}"): OF_MANAGERS,
}
# This call ends the sessions that the other calls are made with; `test_members` has it.
ENDS_SESSIONS = ("DELETE", "/api/session")


def statuses_of_members(method: str, path: str) -> tuple[int, ...]:
    """Return the status of each of MEMBERS for a call without a ticket."""
    statuses, _, _ = OPEN_RULES[method, path]
    if (method, path) in MEMBER_RULES:
        return MEMBER_RULES[method, path]
    alike = len(set(statuses)) == 1
    return (statuses[0],) * len(MEMBERS) if alike else OF_NOBODY


def test_every_operation_has_its_rule():
    operations_with_rule = {*TICKET_RULES, *OPEN_RULES}
    missing = [named(o) for o in OPERATIONS if (o.method, o.path) not in operations_with_rule]
    assert missing == [], "who may call these? add a row for each to TICKET_RULES or OPEN_RULES"


class People:
    """Clients of every kind of principal, and the tickets that they call about."""

    def __init__(self, live: LiveService, stack: ExitStack) -> None:
        self._live, self._stack = live, stack
        self._clients: dict[tuple[frozenset[str], str], Client] = {}
        self.workspace, self.foreign = (f"w-{uuid7().hex[-12:]}" for _ in range(2))
        self.visitor = self._in(live.client())
        self.admin = self._in(live.client_with_key(Role.ADMIN))
        self.auditor = self._in(live.client_with_key(Role.AUDITOR))
        self.opener = self.client("tickets:write")
        self.contact, self.strangers_contact = (f"{uuid7().hex[-12:]}@example.com" for _ in range(2))
        self.members = {role: self.member(role) for role in MEMBERS}
        self.foreign_members = {role: self.member(role, self.foreign) for role in MemberRole}
        self.stranger = self.open_ticket(self.strangers_contact)
        self.erased, self.reset, first = (self.open_ticket() for _ in range(3))
        self.returned, self.expired = self._came_back(self.contact), self._came_back(self.contact)
        self.returned_stranger = self._came_back(self.strangers_contact)
        assert self.returned.get(first.path).status_code == 200
        with live.service.database.connection() as connection:
            token = self.expired.headers["authorization"].removeprefix("Bearer ")
            connection.execute("UPDATE access_sessions SET expires_at = now() WHERE digest = %s", (digest(token),))
        self.erased.http.delete(self.erased.path)
        self._give_away(self.reset)
        # There are events, so the first checkpoint is signed within a second or two.
        eventually(lambda: self.visitor.get("/checkpoint").status_code == 200)

    def _in(self, client: Client) -> Client:
        return self._stack.enter_context(client)

    def client(self, *scopes: str, workspace: str | None = None) -> Client:
        """Return a client with exactly these scopes, the same one each time."""
        key = frozenset(scopes), workspace or self.workspace
        if key not in self._clients:
            self._clients[key] = self._in(self._live.client_with_key(Role.CLIENT, *scopes, workspace=key[1]))
        return self._clients[key]

    def member(self, role: MemberRole | None, workspace: str | None = None) -> Client:
        """Return a client with a session of a member, or of an address that is a member of nothing."""
        if role is None:
            return self._in(signed_in(self._live, new_address()))
        return self._in(joined_member(self._live, workspace or self.workspace, role))

    def open_ticket(self, contact: str | None = None) -> Ticket:
        return self.opener.open_ticket(contactValue=contact or self.contact)

    def _came_back(self, contact: str) -> Client:
        """Return a client with the session that a login code for this contact opens."""
        request = self.visitor.post("/api/access/request", json={"contactType": "EMAIL", "contactValue": contact})
        self._live.service.access.login_codes.run_all()
        self._live.service.mail.sender.run_all()
        mail = files(self._live.settings.outbox, contact)[-1]
        verification = {"requestId": request.json()["requestId"], "code": mail["Subject"].partition(" is ")[0]}
        verified = self.visitor.post("/api/access/verify", json=verification)
        return self._in(self._live.client(verified.json()["accessToken"]))

    def _give_away(self, ticket: Ticket) -> None:
        """Reset the ticket to another contact with another token."""
        contact = normalize_contact(ContactType.EMAIL, "somebody.else@example.com")
        service = self._live.service
        service.aggregates.tickets.change(
            UUID(ticket.id),
            lambda t: t.change_contact(
                SYSTEM, contact, service.access.contact_index.of(contact), digest("tkt_another")
            ),
        )

    def ticket(self, *, published: bool = False) -> Ticket:
        """Return a ticket that accepts every write."""
        ticket = self.open_ticket()
        ticket.write_draft()
        ticket.upload(RECORDING.read_bytes())
        if published:
            ticket.publish()
        return ticket

    def ticket_for(self, method: str, rule: Rule, unchanged: Ticket) -> Ticket:
        """Return a ticket that accepts the call: a new one if the call changes it."""
        return unchanged if method == "GET" or rule.allowed_status >= 400 else self.ticket()


@pytest.fixture(scope="module")
def people(shared_live: LiveService) -> Iterator[People]:
    with ExitStack() as stack:
        yield People(shared_live, stack)


@pytest.fixture(scope="module")
def unchanged(people: People) -> Ticket:
    """Return a ticket that tests only read, or about which they make calls that are refused."""
    return people.ticket()


@pytest.fixture(scope="module")
def published(people: People) -> Ticket:
    """Return a published ticket that tests only read, or about which they make calls that are refused."""
    return people.ticket(published=True)


def send_request(client: Client, method: str, path: str, ticket: str, send: dict[str, Any]) -> httpx2.Response:
    place = re.sub(r"{\w+}", lambda part: ticket if part[0] == "{ticket_id}" else UNKNOWN_ID, path)
    encoded = b64encode(ticket.encode()).decode()
    headers = {name: value.replace("{ticket_id}", encoded) for name, value in send.get("headers", {}).items()}
    return client.request(method, place, **send | {"headers": headers})


@dataclass(frozen=True)
class Answer:
    """The status of the answer to a call, and the status that the rule of its operation expects."""

    call: Call
    caller: object
    status: int
    expected: int
    about: str = ""


def unexpected(answers: Iterable[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.status != answer.expected]


@pytest.mark.parametrize("calls", batches(TICKET_RULES, " ".join))
def test_a_ticket_is_open_to_its_holder_its_workspace_admins_and_auditors(
    people: People, unchanged: Ticket, dealt: Deal, calls: list[Call]
):
    assert (
        unexpected(answer for call in calls for answer in answers_about_a_ticket(people, unchanged, dealt, call)) == []
    )


def answers_about_a_ticket(people: People, unchanged: Ticket, dealt: Deal, call: Call) -> Iterator[Answer]:
    (method, path), rule = call, TICKET_RULES[call]
    own, absent, erased, reset = unchanged, str(uuid7()), people.erased.id, people.reset.id
    other_scopes = {scope for scope in SCOPES if scope != rule.scope}
    with_all_scopes, without_scope = people.client(*SCOPES), people.client(*other_scopes)
    with_this_scope_only = people.client(*([rule.scope] if rule.scope else []))
    foreign = people.client(*SCOPES, workspace=people.foreign)
    reader, auditor = (
        rule.allowed_status if rule.readers else 403,
        rule.allowed_status if rule.readers and rule.auditor else 403,
    )
    client, hidden = (rule.allowed_status, 404) if rule.client else (403, 403)
    unread = 404 if rule.readers else 403
    unaudited = 404 if rule.readers and rule.auditor else 403
    # The status of each caller for each of these tickets. None marks permitted calls, which are made further below.
    places = (own.id, absent, "no-id", erased, reset)
    statuses_of_callers: list[tuple[str, Client, tuple[int | None, ...]]] = [
        ("visitor", people.visitor, (401,) * 5),
        ("expired session", people.expired, (401,) * 5),
        ("erased holder", people.erased.http, (401,) * 5),
        ("holder before the contact was reset", people.reset.http, (401,) * 5),
        ("another holder", people.stranger.http, (404,) * 5),
        ("another returning holder", people.returned_stranger, (404,) * 5),
        ("client without any scope", people.client(), (403,) * 5),
        ("client with every scope but this", without_scope, (403,) * 5),
        ("client of another workspace", foreign, (hidden,) * 5),
        ("holder", own.http, (None, 404, 404, 404, 404)),
        ("returning holder", people.returned, (None, 404, 404, 404, 404)),
        ("client", with_all_scopes, (None, hidden, hidden, hidden, None)),
        ("admin", people.admin, (reader, unread, unread, reader, reader)),
        ("auditor", people.auditor, (auditor, unaudited, unaudited, auditor, auditor)),
    ]
    number_of_rule = list(TICKET_RULES).index((method, path))
    expected = [
        (caller, asker, place, status)
        for number, (caller, asker, statuses) in enumerate(statuses_of_callers, start=number_of_rule)
        # Each caller is tried at every third place, or fifth if refused everywhere; other operations try the others.
        for place, status in dealt(
            list(zip(places, statuses, strict=True)), number, 5 if len(set(statuses)) == 1 else 3
        )
        if status is not None
    ]
    for caller, asker, about, status in expected:
        yield Answer(call, caller, send_request(asker, method, path, about, rule.send).status_code, status, about)
    ticket: Ticket | None = None
    permitted_clients = [("client", with_all_scopes), ("client with this scope alone", with_this_scope_only)]
    for caller, client_or_holder, status in (
        *((name, asker, client) for name, asker in dealt(permitted_clients, number_of_rule, 2)),
        ("returning holder", people.returned, rule.allowed_status),
        ("holder", None, rule.allowed_status),
    ):
        ticket = people.ticket_for(method, rule, own) if ticket is None or rule.once else ticket
        answer = send_request(client_or_holder or ticket.http, method, path, ticket.id, rule.send)
        yield Answer(call, caller, answer.status_code, status)


@pytest.mark.parametrize("calls", batches(TICKET_RULES, " ".join))
def test_a_ticket_is_open_to_the_members_of_its_workspace_as_far_as_their_roles_allow(
    people: People, unchanged: Ticket, dealt: Deal, calls: list[Call]
):
    assert unexpected(answer for call in calls for answer in answers_to_members(people, unchanged, dealt, call)) == []


def answers_to_members(people: People, unchanged: Ticket, dealt: Deal, call: Call) -> Iterator[Answer]:
    (method, path), rule, number = call, TICKET_RULES[call], list(TICKET_RULES).index(call)
    permitted = [role for role in MEMBERS if rule.status_of_member(role) != 403]
    refused = [role for role in MEMBERS if rule.status_of_member(role) == 403]
    for role in dealt(permitted, number, len(permitted)):
        ticket = people.ticket_for(method, rule, unchanged)
        answer = send_request(people.members[role], method, path, ticket.id, rule.send)
        yield Answer(call, role, answer.status_code, rule.allowed_status)
    # What is left of an erased ticket may be read by whom an audit concerns.
    erased = rule.allowed_status if rule.readers and rule.auditor else 404
    for role in dealt(permitted, number + 1, len(permitted)):
        answer = send_request(people.members[role], method, path, people.erased.id, rule.send)
        yield Answer(call, role, answer.status_code, erased, "an erased ticket")
    for role in dealt([role for role in permitted if role], number + 2, len(permitted)):
        answer = send_request(people.foreign_members[role], method, path, unchanged.id, rule.send)
        yield Answer(call, role, answer.status_code, 404, "a ticket of another workspace")
    for role in dealt(refused, number, 2):
        answer = send_request(people.members[role], method, path, unchanged.id, rule.send)
        yield Answer(call, role, answer.status_code, 403)


@pytest.mark.parametrize("calls", batches(TICKET_RULES, " ".join))
def test_publishing_opens_the_totals_and_nothing_else(people: People, published: Ticket, calls: list[Call]):
    assert unexpected(answer for call in calls for answer in answers_about_a_campaign(people, published, call)) == []


def answers_about_a_campaign(people: People, published: Ticket, call: Call) -> Iterator[Answer]:
    (method, path), rule, ticket = call, TICKET_RULES[call], published
    foreign = people.client(*SCOPES, workspace=people.foreign)
    without_scope = people.client(*(scope for scope in SCOPES if scope != rule.scope), workspace=people.foreign)
    hidden = 404 if rule.client else 403
    statuses = (200, 200, 403) if rule.published else (401, hidden, 403 if rule.scope else hidden)
    of_others = 200 if rule.published else 404
    for caller, asker, status in (
        ("visitor", people.visitor, statuses[0]),
        ("client of another workspace", foreign, statuses[1]),
        ("client of another workspace without the scope", without_scope, statuses[2]),
        ("another holder", people.stranger.http, of_others),
        ("another returning holder", people.returned_stranger, of_others),
        ("expired session", people.expired, 401),
    ):
        answer = send_request(asker, method, path, ticket.id, rule.send)
        yield Answer(call, caller, answer.status_code, status)


@pytest.mark.parametrize("calls", batches(OPEN_RULES, " ".join))
def test_operations_without_a_ticket_are_open_to_the_roles_of_the_table(people: People, dealt: Deal, calls: list[Call]):
    assert unexpected(answer for call in calls for answer in answers_by_role(people, dealt, call)) == []


def answers_by_role(people: People, dealt: Deal, call: Call) -> Iterator[Answer]:
    (method, path), (statuses, send, scope) = call, OPEN_RULES[call]
    visitor, holder, client, lacks, admin, auditor = statuses
    without_scope = people.client(*(other_scope for other_scope in SCOPES if other_scope != scope))
    ignores = next(o for o in OPERATIONS if (o.method, o.path) == call).access.ignores_credentials
    expected_statuses = [
        ("visitor", people.visitor, visitor),
        ("holder", people.stranger.http, holder),
        ("client", people.client(*SCOPES), client),
        ("client without the scope", without_scope, lacks),
        ("admin", people.admin, admin),
        ("auditor", people.auditor, auditor),
    ]
    # Callers who are treated like one of these, or like nobody, are tried with every third operation.
    similar_callers = [
        ("returning holder", people.returned, holder),
        ("client with this scope alone", people.client(*([scope] if scope else [])), client),
        ("client of another workspace", people.client(*SCOPES, workspace=people.foreign), client),
        ("client without any scope", people.client(), lacks),
        ("expired session", people.expired, visitor if ignores else 401),
    ]
    expected_statuses += dealt(similar_callers, list(OPEN_RULES).index(call), 3)
    place = re.sub(r"{(\w+)}", lambda part: str(uuid7()) if part[1].endswith("_id") else "none", path)
    # A page may sign its visitor in.
    people.visitor.cookies.clear()
    for caller, asker, status in expected_statuses:
        yield Answer(call, caller, asker.request(method, place, **send).status_code, status)
    people.visitor.cookies.clear()


@pytest.mark.parametrize("calls", batches((rule for rule in OPEN_RULES if rule != ENDS_SESSIONS), " ".join))
def test_operations_without_a_ticket_are_open_to_the_roles_of_members(people: People, calls: list[Call]):
    answers = []
    for method, path in calls:
        _, send, _ = OPEN_RULES[method, path]
        place = re.sub(r"{(\w+)}", lambda part: str(uuid7()) if part[1].endswith("_id") else "none", path)
        for role, status in zip(MEMBERS, statuses_of_members(method, path), strict=True):
            answer = people.members[role].request(method, place, **send)
            answers.append(Answer((method, path), role, answer.status_code, status))
    assert unexpected(answers) == []


def test_only_an_admin_may_perform_admin_acts_whether_the_object_exists_or_not(people: People, dealt: Deal):
    """Other callers cannot learn from the answer if an object exists."""
    ticket = people.ticket()
    donation = ticket.pay(5)["donationId"]
    support_ticket = ticket.http.post(
        "/api/support/ticket", json={"category": "OTHER", "message": "Help me, please."}
    ).json()
    existing_ids = {"donation_id": donation, "name": "ticket_status", "ticket_id": ticket.id}
    absent = {"donation_id": str(uuid7()), "name": "none", "ticket_id": str(uuid7()), "source_id": str(uuid7())}
    acts = [(o.method, o.path) for o in OPERATIONS if o.path.startswith("/admin/")]
    assert len(acts) >= 5
    for number, (method, path) in enumerate(acts):
        readers = (people.auditor,) if OPEN_RULES[method, path][0][5] == 200 else ()
        forbidden = (
            ticket.http, people.stranger.http, people.returned, people.client(*SCOPES),
            people.client(*SCOPES, workspace=people.foreign), *({people.auditor} - {*readers}),
        )  # fmt: skip
        askers = [(401, people.visitor), (401, people.expired), *((403, asker) for asker in forbidden)]
        for status, asker in dealt(askers, number, 3):
            problems = []
            for values in (absent | existing_ids | {"id": support_ticket["id"]}, absent | {"id": str(uuid7())}):
                place = re.sub(r"{(\w+)}", lambda part, values=values: values[part[1]], path)
                answer = asker.request(method, place, **OPEN_RULES[method, path][1])
                assert answer.status_code == status, (method, path)
                problems.append(answer.json() | {"requestId": "", "instance": ""})
            assert problems[0] == problems[1]


BAD = {
    "garbage": "garbage",
    "an unknown key": "slk_" + "x" * 43,
    "an unknown token": "tkt_" + "x" * 64,
    "a token that is no base64": "tkt_!",
    "an unknown session": "ses_" + "x" * 43,
    "a session of nothing": "ses_",
    "very long": "slk_" + "x" * 10_000,
}


@pytest.fixture(scope="module")
def invalid_authorizations(shared_live: LiveService) -> list[str]:
    """Return values of the header Authorization that authenticate nobody."""
    credentials = shared_live.service.access.credentials
    revoked, key = credentials.create(Role.ADMIN)
    credentials.revoke(revoked.id)
    _, expired = credentials.create(Role.ADMIN, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    return [
        *(f"Bearer {credential}" for credential in (*BAD.values(), key, expired)),
        *("Basic YTpi", key, "Bearer", "bearer\t" + expired),
    ]


def test_an_invalid_credential_is_refused_except_where_credentials_are_ignored(
    people: People, invalid_authorizations: list[str], dealt: Deal
):
    for number, operation in enumerate(OPERATIONS):
        path = re.sub(r"{\w+}", str(uuid7()), operation.path)
        ignored = operation.access.ignores_credentials
        for header in dealt(invalid_authorizations, number, 6):
            answer = people.visitor.request(operation.method, path, headers={"Authorization": header})
            assert (answer.status_code == 401) is not ignored, (named(operation), header, answer.status_code)
            if not ignored and operation.method != "HEAD":
                problem(answer, 401, "unauthenticated")
                assert answer.headers["www-authenticate"] == "Bearer", named(operation)


def test_a_credential_in_the_query_string_is_ignored(live: LiveService, ticket: Ticket):
    with live.client() as client:
        for name in ("access_token", "token", "accessToken", "authorization", "key"):
            problem(client.get(ticket.path, params={name: ticket.token}), 401, "unauthenticated")
            problem(client.get(ticket.path, params={name: f"Bearer {ticket.token}"}), 401, "unauthenticated")


def test_the_scheme_may_be_written_in_any_case(live: LiveService, ticket: Ticket):
    with live.client() as client:
        assert client.get(ticket.path, headers={"Authorization": f"bEARER {ticket.token}"}).status_code == 200


def test_another_holders_ticket_gets_exactly_the_same_answer_as_an_unknown_one(
    people: People, unchanged: Ticket, live: LiveService, dealt: Deal
):
    own = unchanged
    for number, ((method, path), rule) in enumerate(TICKET_RULES.items()):
        foreign = people.client(*SCOPES, workspace=people.foreign)
        # The first call with a key records the time of its last use.
        foreign.get("/api/tickets/search", params={"contact": "a@b.co"})
        for asker in dealt((people.stranger.http, people.returned_stranger, foreign), number, 3):
            answers, statements_by_id = [], []
            for id in (own.id, people.erased.id, people.reset.id, str(uuid7())):
                with recorded_statements(live.service.database) as statements:
                    answer = send_request(asker, method, path, id, rule.send)
                statements_by_id.append(list(statements))
                text = answer.text.replace(id, "ID").replace(answer.headers["x-request-id"], "REQUEST")
                headers = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date", "ratelimit")}
                answers.append((answer.status_code, text.partition("/documents/")[0], headers))
            assert all(answer_without_ids == answers[0] for answer_without_ids in answers), (method, path)
            # The statements are the same, so response times reveal nothing either.
            assert [executed for executed in statements_by_id if executed != statements_by_id[0]] == [], (method, path)
            assert statements_by_id[0]


def test_ticket_ids_are_accepted_only_in_their_canonical_form(ticket: Ticket):
    for id in (ticket.id.replace("-", ""), "{" + ticket.id + "}", f"urn:uuid:{ticket.id}"):
        problem(ticket.http.get(f"/api/tickets/{id}"), 404, "not-found")


def test_donations_are_not_shown_without_their_scope(people: People, ticket: Ticket):
    own = people.ticket()
    reader = people.client("tickets:read")
    assert reader.get(own.path, params={"include": "draft,documents,qr,transcriptions,support"}).status_code == 200
    problem(reader.get(own.path, params={"include": "attributions"}), 403, "forbidden")
    both = people.client("tickets:read", "donations:read")
    assert both.get(own.path, params={"include": "attributions"}).status_code == 200


# The OpenAPI document, the table and the checks agree.

SCHEMES = {"metricsToken", "ticketToken", "session", "memberSession", "apiKey"}


def ways(people: People, live: LiveService, operation: Operation) -> list[tuple[dict[str, list[str]], Client]]:
    """Return a client for every kind of credential, with the security requirement that describes it."""
    scope = operation.access.scope
    return [
        ({}, people.visitor),
        ({"ticketToken": []}, people.stranger.http),
        ({"session": []}, people.returned),
        ({"apiKey": ["client", *([scope] if scope else [])]}, people.client(*([scope] if scope else []))),
        ({"apiKey": ["admin"]}, people.admin),
        ({"apiKey": ["auditor"]}, people.auditor),
    ]


@pytest.mark.parametrize("operations", batches((o for o in OPERATIONS if not o.hidden), named))
def test_the_openapi_document_describes_the_access(
    people: People, live: LiveService, dealt: Deal, operations: list[Operation]
):
    for operation in operations:
        described = live.openapi["paths"][operation.path][operation.method.lower()]["security"]
        if operation.access.ignores_credentials:
            assert described == [], named(operation)
            continue
        if operation.access.metrics_token:
            # Its token is no API credential; see test_metrics.
            assert described == [{"metricsToken": []}], named(operation)
            continue
        schemes = live.openapi["components"]["securitySchemes"]
        assert {name for way in described for name in way} <= SCHEMES == set(schemes), named(operation)
        published = people.ticket(published=True).id if operation.access.open_if_published else str(uuid7())
        ids = {"ticket_id": published}
        place = re.sub(r"{(\w+)}", lambda part, ids=ids: ids.get(part[1]) or str(uuid7()), operation.path)
        for way, asker in dealt(ways(people, live, operation), OPERATIONS.index(operation), 3):
            # Permitted callers get the error of their invalid request, and every request here is invalid.
            status = asker.request(operation.method, place, params={"limit": "0"}).status_code
            let_in = status not in (401, 403) or (operation.path == "/api/access/verify" and status == 401)
            assert (named(operation), way, let_in) == (named(operation), way, way in described)

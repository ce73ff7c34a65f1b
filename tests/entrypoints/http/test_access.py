"""Who may call what: every operation, for every principal, on objects of their own, of others, and of nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from adapters.access import SCOPES
from adapters.ids import uuid7
from domain.values import Role
from entrypoints.http.operations import Operation
from entrypoints.http.table import OPERATIONS
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem

ONE = "/api/tickets/{ticket_id}"
CONTACT = {"contactType": "EMAIL", "contactValue": "matrix@example.com"}


@dataclass(frozen=True)
class Rule:
    """Who may make a call about a ticket, and what it answers when it is `done`.

    `readers` are admin and auditor, who may read any ticket and also what remains of an erased one, but for what an
    `auditor` may not; `client` is whether API clients may at all, with the `scope`; `published` is for everybody.
    """

    done: int
    send: dict[str, Any] = field(default_factory=dict)
    scope: str | None = None
    readers: bool = False
    auditor: bool = True
    client: bool = True
    published: bool = False


READ = {"readers": True, "scope": "tickets:read"}
WRITE = {"scope": "tickets:write"}
TICKET_RULES = {
    ("GET", ONE): Rule(200, **READ),
    ("PATCH", ONE): Rule(200, {"json": {"displayName": "Ada"}}, **WRITE),
    ("POST", f"{ONE}/upload-audio"): Rule(200, {"files": {"audio": ("a.webm", RECORDING.read_bytes())}}, **WRITE),
    ("POST", f"{ONE}/process"): Rule(202, {"json": {}}, **WRITE),
    ("POST", f"{ONE}/retry"): Rule(409, {"json": {}}, **WRITE),
    ("GET", f"{ONE}/status"): Rule(200, **READ),
    ("POST", f"{ONE}/provide-info"): Rule(409, {"json": {}}, **WRITE),
    ("PATCH", f"{ONE}/draft"): Rule(200, {"json": {"title": "Help"}}, **WRITE),
    ("POST", f"{ONE}/publish"): Rule(200, {"json": {"consent": True}}, **WRITE),
    ("POST", f"{ONE}/unpublish"): Rule(200, {"json": {}}, **WRITE),
    ("POST", f"{ONE}/generate-doc"): Rule(201, {"json": {"docType": "GOFUNDME_DRAFT"}}, **WRITE),
    ("GET", f"{ONE}/documents"): Rule(200, **READ),
    ("GET", f"{ONE}/documents/{{document_id}}/download"): Rule(404, auditor=False, **READ),
    ("POST", f"{ONE}/create-payment"): Rule(201, {"json": {"amount": 5, "currency": "USD"}}, scope="payments:create"),
    ("GET", f"{ONE}/qr-code"): Rule(200, **READ),
    ("GET", f"{ONE}/donations"): Rule(200, scope="donations:read", readers=True),
    ("GET", f"{ONE}/donations/total"): Rule(200, scope="donations:read", readers=True, published=True),
    ("GET", f"{ONE}/history"): Rule(200, readers=True, client=False),
    ("DELETE", ONE): Rule(202, **WRITE),
}

# Calls about no ticket of the path: the status for each kind of principal; clients have every scope here.
# Visitor, holder, client, client without the scope, admin, auditor.
OPEN_RULES: dict[tuple[str, str], tuple[tuple[int, ...], dict[str, Any], str | None]] = {
    ("POST", "/api/tickets/create"): ((201, 201, 201, 403, 201, 403), {"json": CONTACT}, "tickets:write"),
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
    ("POST", "/admin/knowledge/sources"): (
        (401, 403, 403, 403, 201, 403),
        {"json": {"type": "NOTE", "title": "Gifts", "content": "Gifts are kind."}},
        None,
    ),
    ("GET", "/admin/knowledge/sources"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("DELETE", "/admin/knowledge/sources/{source_id}"): ((401, 403, 403, 403, 404, 403), {}, None),
    ("GET", "/admin/knowledge/search"): ((401, 403, 403, 403, 200, 403), {"params": {"q": "gifts"}}, None),
    ("GET", "/d/{slug}"): ((404,) * 6, {}, None),
    ("POST", "/d/{slug}"): ((404, 404, 404, 403, 404, 403), {"data": {"amount": "5"}}, "payments:create"),
    ("POST", "/api/webhooks/stripe"): ((400,) * 6, {"json": {}}, None),
    ("POST", "/webhooks/stripe"): ((400,) * 6, {"json": {}}, None),
    ("POST", "/api/payments/stripe-webhook"): ((400,) * 6, {"json": {}}, None),
    ("GET", "/health/live"): ((200,) * 6, {}, None),
    ("GET", "/health/db"): ((200,) * 6, {}, None),
    ("GET", "/health/ready"): ((200,) * 6, {}, None),
    ("GET", "/problems/{name}"): ((404,) * 6, {}, None),
    ("GET", "/openapi.json"): ((200,) * 6, {}, None),
    ("GET", "/docs"): ((200,) * 6, {}, None),
    ("GET", "/static/{name}"): ((404,) * 6, {}, None),
    ("GET", "/favicon.ico"): ((200,) * 6, {}, None),
    ("GET", "/admin/dead-letters"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/admin/dead-letters/{id}/retry"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", "/admin/db/self-test"): ((401, 403, 403, 403, 200, 403), {"json": {}}, None),
    ("GET", "/admin/projections"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/admin/projections/{name}/rebuild"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("POST", "/admin/donations/{donation_id}/refund"): (
        (401, 403, 403, 403, 404, 403),
        {"json": {"reason": "asked for"}},
        None,
    ),
}


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def test_every_operation_has_its_rule():
    known = {*TICKET_RULES, *OPEN_RULES}
    missing = [named(o) for o in OPERATIONS if (o.method, o.path) not in known]
    assert missing == [], "who may call these? add a row for each to TICKET_RULES or OPEN_RULES"


class People:
    """Clients of everybody who may call, and the tickets they call about."""

    def __init__(self, live: LiveService, stack: ExitStack) -> None:
        self._live, self._stack = live, stack
        self.workspace, self.foreign = (f"w-{uuid7().hex[-12:]}" for _ in range(2))
        self.visitor = self._in(live.client())
        self.admin = self._in(live.client_with_key(Role.ADMIN))
        self.auditor = self._in(live.client_with_key(Role.AUDITOR))
        self.opener = self.client("tickets:write")
        self.stranger = self.opener.open_ticket()
        erased = self.opener.open_ticket()
        erased.http.delete(erased.path)
        self.erased = erased

    def _in(self, client: Client) -> Client:
        return self._stack.enter_context(client)

    def client(self, *scopes: str, workspace: str | None = None) -> Client:
        return self._in(self._live.client_with_key(Role.CLIENT, *scopes, workspace=workspace or self.workspace))

    def ticket(self, *, published: bool = False) -> Ticket:
        """One that any write may be made to."""
        ticket = self.opener.open_ticket()
        ticket.write_draft()
        ticket.upload(RECORDING.read_bytes())
        if published:
            ticket.publish()
        return ticket


@pytest.fixture(scope="module")
def people(shared_live: LiveService) -> Iterator[People]:
    with ExitStack() as stack:
        yield People(shared_live, stack)


def ask(client: Client, method: str, path: str, ticket: str, send: dict[str, Any]) -> httpx2.Response:
    return client.request(method, path.replace("{ticket_id}", ticket).replace("{document_id}", str(uuid7())), **send)


@pytest.mark.parametrize(("method", "path"), TICKET_RULES)
def test_a_ticket_is_for_its_holder_its_workspace_and_who_may_read_any(people: People, method: str, path: str):
    rule = TICKET_RULES[method, path]
    own, absent = people.ticket(), str(uuid7())
    others = {scope for scope in SCOPES if scope != rule.scope}
    every, lacking = people.client(*SCOPES), people.client(*others)
    foreign = people.client(*SCOPES, workspace=people.foreign)
    reads = 200 if rule.readers and rule.done != 404 else rule.done
    reader = reads if rule.readers else 403
    client = rule.done if rule.client else 403
    # Who asks, about which ticket, and what they get.
    expected = [
        ("visitor", people.visitor, own.id, 401),
        ("visitor", people.visitor, absent, 401),
        ("visitor", people.visitor, people.erased.id, 401),
        ("visitor", people.visitor, "no-id", 401),
        ("another holder", people.stranger.http, own.id, 404),
        ("holder", own.http, absent, 404),
        ("holder", own.http, people.erased.id, 404),
        ("holder", own.http, "no-id", 404),
        ("erased holder", people.erased.http, people.erased.id, 401),
        ("client without the scope", lacking, own.id, 403 if rule.scope else client),
        ("client without the scope", lacking, absent, 403 if rule.scope else client),
        ("client without any scope", people.client(), own.id, 403),
        ("client of another workspace", foreign, own.id, 404 if rule.client else 403),
        ("client", every, absent, 404 if rule.client else 403),
        ("client", every, people.erased.id, 404 if rule.client else 403),
        ("admin", people.admin, own.id, reader),
        ("admin", people.admin, people.erased.id, reader),
        ("admin", people.admin, absent, 404 if rule.readers else 403),
        ("auditor", people.auditor, own.id, reader if rule.auditor else 403),
        ("auditor", people.auditor, people.erased.id, reader if rule.auditor else 403),
        ("auditor", people.auditor, absent, 404 if rule.readers and rule.auditor else 403),
        ("client", every, own.id, client),
        ("holder", own.http if method != "DELETE" else people.ticket().http, own.id, rule.done),
    ]
    if method == "DELETE":
        another = people.ticket()
        expected[-1] = ("holder", another.http, another.id, rule.done)
    if path.endswith("/process"):
        # The client has started it.
        expected[-1] = ("holder", own.http, own.id, 409)
    got = [(who, about, ask(asker, method, path, about, rule.send).status_code) for who, asker, about, _ in expected]
    assert got == [(who, about, status) for who, _, about, status in expected]


@pytest.mark.parametrize(("method", "path"), TICKET_RULES)
def test_publishing_opens_the_totals_and_nothing_else(people: People, method: str, path: str):
    rule = TICKET_RULES[method, path]
    ticket = people.ticket(published=True)
    foreign = people.client(*SCOPES, workspace=people.foreign)
    lacking = people.client(*(scope for scope in SCOPES if scope != rule.scope), workspace=people.foreign)
    hidden = 404 if rule.client else 403
    got = [ask(one, method, path, ticket.id, rule.send).status_code for one in (people.visitor, foreign, lacking)]
    assert got == ([200, 200, 403] if rule.published else [401, hidden, 403 if rule.scope else hidden])
    another = ask(people.stranger.http, method, path, ticket.id, rule.send).status_code
    assert another == (200 if rule.published else 404)


@pytest.mark.parametrize(("method", "path"), OPEN_RULES)
def test_what_is_about_no_ticket_is_for_whom_the_table_says(people: People, method: str, path: str):
    statuses, send, scope = OPEN_RULES[method, path]
    lacking = people.client(*(one for one in SCOPES if one != scope))
    askers = [
        people.visitor, people.stranger.http, people.client(*SCOPES), lacking, people.admin, people.auditor,
    ]  # fmt: skip
    place = re.sub(r"{(\w+)}", lambda part: str(uuid7()) if part[1].endswith("_id") else "none", path)
    assert tuple(asker.request(method, place, **send).status_code for asker in askers) == statuses


BAD = {
    "garbage": "garbage",
    "a key nobody has": "slk_" + "x" * 43,
    "a token nobody has": "tkt_" + "x" * 64,
    "a token that is no base64": "tkt_!",
    "very long": "slk_" + "x" * 10_000,
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_credential_that_is_none_opens_nothing_but_what_ignores_it(live: LiveService, operation: Operation):
    path = re.sub(r"{\w+}", str(uuid7()), operation.path)
    ignored = operation.access.ignores_credentials
    revoked, key = live.service.credentials.create(Role.ADMIN)
    live.service.credentials.revoke(revoked.id)
    past = datetime.now(UTC) - timedelta(seconds=1)
    _, expired = live.service.credentials.create(Role.ADMIN, expires_at=past)
    with live.client() as client:
        for credential in (*BAD.values(), key, expired):
            answer = client.request(operation.method, path, headers={"Authorization": f"Bearer {credential}"})
            assert (answer.status_code == 401) is not ignored
            if not ignored and operation.method != "HEAD":
                problem(answer, 401, "unauthenticated")
                assert answer.headers["www-authenticate"] == "Bearer"
        for header in ("Basic YTpi", key, "Bearer", "bearer\t" + expired):
            answer = client.request(operation.method, path, headers={"Authorization": header})
            assert (answer.status_code == 401) is not ignored


def test_a_credential_in_the_query_string_counts_for_nothing(live: LiveService, ticket: Ticket):
    with live.client() as client:
        for name in ("access_token", "token", "accessToken", "authorization", "key"):
            problem(client.get(ticket.path, params={name: ticket.token}), 401, "unauthenticated")
            problem(client.get(ticket.path, params={name: f"Bearer {ticket.token}"}), 401, "unauthenticated")


def test_the_scheme_may_be_written_in_any_case(live: LiveService, ticket: Ticket):
    with live.client() as client:
        assert client.get(ticket.path, headers={"Authorization": f"bEARER {ticket.token}"}).status_code == 200


def test_a_strangers_ticket_is_answered_for_exactly_as_one_that_never_was(people: People):
    own = people.ticket()
    for (method, path), rule in TICKET_RULES.items():
        for asker in (people.stranger.http, people.client(*SCOPES, workspace=people.foreign)):
            said = []
            for id in (own.id, people.erased.id, str(uuid7())):
                answer = ask(asker, method, path, id, rule.send)
                text = answer.text.replace(id, "ID").replace(answer.headers["x-request-id"], "REQUEST")
                headers = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")}
                said.append((answer.status_code, text.partition("/documents/")[0], headers))
            assert said[0] == said[1] == said[2], (method, path)


def test_the_ids_of_tickets_are_read_in_their_one_form_only(ticket: Ticket):
    for id in (ticket.id.replace("-", ""), "{" + ticket.id + "}", f"urn:uuid:{ticket.id}"):
        problem(ticket.http.get(f"/api/tickets/{id}"), 404, "not-found")


def test_donations_are_not_to_be_had_without_their_scope(people: People, ticket: Ticket):
    own = people.ticket()
    reader = people.client("tickets:read")
    assert reader.get(own.path, params={"include": "draft,documents,qr,transcriptions,support"}).status_code == 200
    problem(reader.get(own.path, params={"include": "attributions"}), 403, "forbidden")
    both = people.client("tickets:read", "donations:read")
    assert both.get(own.path, params={"include": "attributions"}).status_code == 200

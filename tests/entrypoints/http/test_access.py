"""Who may call what: every operation, for every principal, on objects of their own, of others, and of nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
from domain.values import SYSTEM, ContactType, Role
from entrypoints.http.operations import Operation
from entrypoints.http.table import OPERATIONS
from tests.client import RECORDING, Client, LiveService, Ticket, eventually
from tests.entrypoints.http.contract import problem
from tests.fakes.databases import recorded_statements
from tests.fakes.mailbox import files

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
    ("GET", f"{ONE}/audit"): Rule(200, readers=True, client=False),
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
    ("POST", "/api/access/request"): ((202, 202, 202, 202, 202, 403), {"json": CONTACT}, None),
    ("POST", "/api/access/verify"): (
        (401, 401, 401, 401, 401, 403),
        {"json": {"requestId": str(uuid7()), "code": "1234 5678"}},
        None,
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
    ("GET", "/checkpoint"): ((200,) * 6, {}, None),
    ("GET", "/checkpoint/key"): ((200,) * 6, {}, None),
    ("GET", "/checkpoint/checker"): ((200,) * 6, {}, None),
    ("GET", "/checkpoint/consistency"): ((200,) * 6, {"params": {"from": "1"}}, None),
    ("GET", "/d/{slug}"): ((404,) * 6, {}, None),
    ("GET", "/unsubscribe/{token}"): ((404,) * 6, {}, None),
    ("POST", "/unsubscribe/{token}"): ((404,) * 6, {}, None),
    ("POST", "/d/{slug}"): ((404, 404, 404, 403, 404, 403), {"data": {"amount": "5"}}, "payments:create"),
    ("POST", "/api/webhooks/stripe"): ((400,) * 6, {"json": {}}, None),
    ("POST", "/webhooks/stripe"): ((400,) * 6, {"json": {}}, None),
    ("POST", "/api/payments/stripe-webhook"): ((400,) * 6, {"json": {}}, None),
    ("GET", "/metrics"): ((401,) * 6, {}, None),
    ("GET", "/health/live"): ((200,) * 6, {}, None),
    ("GET", "/health/db"): ((200,) * 6, {}, None),
    ("GET", "/health/ready"): ((200,) * 6, {}, None),
    ("GET", "/problems/{name}"): ((404,) * 6, {}, None),
    ("GET", "/openapi.json"): ((200,) * 6, {}, None),
    ("GET", "/"): ((200,) * 6, {}, None),
    ("GET", "/docs"): ((200,) * 6, {}, None),
    ("GET", "/static/{name}"): ((404,) * 6, {}, None),
    ("GET", "/favicon.ico"): ((200,) * 6, {}, None),
    ("GET", "/admin/dead-letters"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("GET", "/admin/dead-mails"): ((401, 403, 403, 403, 200, 403), {}, None),
    ("POST", "/admin/dead-mails/{id}/retry"): ((401, 403, 403, 403, 404, 403), {"json": {}}, None),
    ("GET", "/admin/access-log"): ((401, 403, 403, 403, 200, 200), {}, None),
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
        self._clients: dict[tuple[frozenset[str], str], Client] = {}
        self.workspace, self.foreign = (f"w-{uuid7().hex[-12:]}" for _ in range(2))
        self.visitor = self._in(live.client())
        self.admin = self._in(live.client_with_key(Role.ADMIN))
        self.auditor = self._in(live.client_with_key(Role.AUDITOR))
        self.opener = self.client("tickets:write")
        self.contact, self.strangers_contact = (f"{uuid7().hex[-12:]}@example.com" for _ in range(2))
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
        # Something has happened, so it is signed within a second or two.
        eventually(lambda: self.visitor.get("/checkpoint").status_code == 200)

    def _in(self, client: Client) -> Client:
        return self._stack.enter_context(client)

    def client(self, *scopes: str, workspace: str | None = None) -> Client:
        """A client with exactly these scopes, the same each time."""
        key = frozenset(scopes), workspace or self.workspace
        if key not in self._clients:
            self._clients[key] = self._in(self._live.client_with_key(Role.CLIENT, *scopes, workspace=key[1]))
        return self._clients[key]

    def open_ticket(self, contact: str | None = None) -> Ticket:
        return self.opener.open_ticket(contactValue=contact or self.contact)

    def _came_back(self, contact: str) -> Client:
        """Whoever has this contact, by a code from their mail."""
        request = self.visitor.post("/api/access/request", json={"contactType": "EMAIL", "contactValue": contact})
        self._live.service.access.login_codes.run_all()
        self._live.service.mail.sender.run_all()
        sent = files(self._live.settings.outbox, contact)[-1]
        given = {"requestId": request.json()["requestId"], "code": sent["Subject"].partition(" is ")[0]}
        verified = self.visitor.post("/api/access/verify", json=given)
        return self._in(self._live.client(verified.json()["accessToken"]))

    def _give_away(self, ticket: Ticket) -> None:
        """The ticket gets another contact, and its holder another token."""
        contact = normalize_contact(ContactType.EMAIL, "somebody.else@example.com")
        service = self._live.service
        service.aggregates.tickets.change(
            UUID(ticket.id),
            lambda t: t.change_contact(
                SYSTEM, contact, service.access.contact_index.of(contact), digest("tkt_another")
            ),
        )

    def ticket(self, *, published: bool = False) -> Ticket:
        """One that any write may be made to."""
        ticket = self.open_ticket()
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
def test_a_ticket_is_open_to_its_holder_its_workspace_admins_and_auditors(people: People, method: str, path: str):
    rule = TICKET_RULES[method, path]
    own, absent, erased, reset = people.ticket(), str(uuid7()), people.erased.id, people.reset.id
    others = {scope for scope in SCOPES if scope != rule.scope}
    every, lacking = people.client(*SCOPES), people.client(*others)
    exactly = people.client(*([rule.scope] if rule.scope else []))
    foreign = people.client(*SCOPES, workspace=people.foreign)
    reader, auditor = rule.done if rule.readers else 403, rule.done if rule.readers and rule.auditor else 403
    client, hidden = (rule.done, 404) if rule.client else (403, 403)
    unread = 404 if rule.readers else 403
    unaudited = 404 if rule.readers and rule.auditor else 403
    # Who asks, and what they get for each of these tickets; None is what may be done, further below.
    places = (own.id, absent, "no-id", erased, reset)
    asked: list[tuple[str, Client, tuple[int | None, ...]]] = [
        ("visitor", people.visitor, (401,) * 5),
        ("expired session", people.expired, (401,) * 5),
        ("erased holder", people.erased.http, (401,) * 5),
        ("holder before the contact was reset", people.reset.http, (401,) * 5),
        ("another holder", people.stranger.http, (404,) * 5),
        ("another returning holder", people.returned_stranger, (404,) * 5),
        ("client without any scope", people.client(), (403,) * 5),
        ("client with every scope but this", lacking, (403,) * 5),
        ("client of another workspace", foreign, (hidden,) * 5),
        ("holder", own.http, (None, 404, 404, 404, 404)),
        ("returning holder", people.returned, (None, 404, 404, 404, 404)),
        ("client", every, (None, hidden, hidden, hidden, None)),
        ("admin", people.admin, (reader, unread, unread, reader, reader)),
        ("auditor", people.auditor, (auditor, unaudited, unaudited, auditor, auditor)),
    ]
    expected = [
        (who, asker, place, status)
        for who, asker, statuses in asked
        for place, status in zip(places, statuses, strict=True)
        if status is not None
    ]
    got = [(who, about, ask(asker, method, path, about, rule.send).status_code) for who, asker, about, _ in expected]
    assert got == [(who, about, status) for who, _, about, status in expected]
    for who, one, status in (
        ("client", every, client),
        ("client with this scope alone", exactly, client),
        ("returning holder", people.returned, rule.done),
        ("holder", None, rule.done),
    ):
        # A read leaves the ticket as it was.
        ticket = own if method == "GET" else people.ticket()
        answer = ask(one or ticket.http, method, path, ticket.id, rule.send)
        assert (who, answer.status_code) == (who, status)


@pytest.mark.parametrize(("method", "path"), TICKET_RULES)
def test_publishing_opens_the_totals_and_nothing_else(people: People, method: str, path: str):
    rule = TICKET_RULES[method, path]
    ticket = people.ticket(published=True)
    foreign = people.client(*SCOPES, workspace=people.foreign)
    lacking = people.client(*(scope for scope in SCOPES if scope != rule.scope), workspace=people.foreign)
    hidden = 404 if rule.client else 403
    got = [ask(one, method, path, ticket.id, rule.send).status_code for one in (people.visitor, foreign, lacking)]
    assert got == ([200, 200, 403] if rule.published else [401, hidden, 403 if rule.scope else hidden])
    for another in (people.stranger.http, people.returned_stranger):
        assert ask(another, method, path, ticket.id, rule.send).status_code == (200 if rule.published else 404)
    assert ask(people.expired, method, path, ticket.id, rule.send).status_code == 401


@pytest.mark.parametrize(("method", "path"), OPEN_RULES)
def test_operations_without_a_ticket_are_open_to_the_roles_of_the_table(people: People, method: str, path: str):
    statuses, send, scope = OPEN_RULES[method, path]
    visitor, holder, client, lacks, admin, auditor = statuses
    lacking = people.client(*(one for one in SCOPES if one != scope))
    ignores = next(o for o in OPERATIONS if (o.method, o.path) == (method, path)).access.ignores_credentials
    asked = [
        ("visitor", people.visitor, visitor),
        ("holder", people.stranger.http, holder),
        ("returning holder", people.returned, holder),
        ("client", people.client(*SCOPES), client),
        ("client with this scope alone", people.client(*([scope] if scope else [])), client),
        ("client of another workspace", people.client(*SCOPES, workspace=people.foreign), client),
        ("client without the scope", lacking, lacks),
        ("client without any scope", people.client(), lacks),
        ("admin", people.admin, admin),
        ("auditor", people.auditor, auditor),
        ("expired session", people.expired, visitor if ignores else 401),
    ]
    place = re.sub(r"{(\w+)}", lambda part: str(uuid7()) if part[1].endswith("_id") else "none", path)
    got = [(who, asker.request(method, place, **send).status_code) for who, asker, _ in asked]
    assert got == [(who, status) for who, _, status in asked]


def test_an_admin_act_is_an_admins_alone_whatever_it_is_about(people: People, live: LiveService):
    """Nobody else learns, by another answer, whether there is such a thing."""
    ticket = people.ticket()
    donation = ticket.pay(5)["donationId"]
    asked = ticket.http.post("/api/support/ticket", json={"category": "OTHER", "message": "Help me, please."}).json()
    there = {"donation_id": donation, "name": "ticket_status", "ticket_id": ticket.id}
    absent = {"donation_id": str(uuid7()), "name": "none", "ticket_id": str(uuid7()), "source_id": str(uuid7())}
    acts = [(o.method, o.path) for o in OPERATIONS if o.path.startswith("/admin/")]
    assert len(acts) >= 5
    for method, path in acts:
        readers = (people.auditor,) if OPEN_RULES[method, path][0][5] == 200 else ()
        others = {
            401: (people.visitor, people.expired),
            403: (
                ticket.http, people.stranger.http, people.returned, people.client(*SCOPES),
                people.client(*SCOPES, workspace=people.foreign), *({people.auditor} - {*readers}),
            ),
        }  # fmt: skip
        for status, askers in others.items():
            for asker in askers:
                told = []
                for values in (absent | there | {"id": asked["id"]}, absent | {"id": str(uuid7())}):
                    place = re.sub(r"{(\w+)}", lambda part, values=values: values[part[1]], path)
                    answer = asker.request(method, place, **OPEN_RULES[method, path][1])
                    assert answer.status_code == status, (method, path)
                    told.append(answer.json() | {"requestId": "", "instance": ""})
                assert told[0] == told[1]


BAD = {
    "garbage": "garbage",
    "a key nobody has": "slk_" + "x" * 43,
    "a token nobody has": "tkt_" + "x" * 64,
    "a token that is no base64": "tkt_!",
    "a session nobody has": "ses_" + "x" * 43,
    "a session of nothing": "ses_",
    "very long": "slk_" + "x" * 10_000,
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_an_invalid_credential_is_refused_except_where_credentials_are_ignored(live: LiveService, operation: Operation):
    path = re.sub(r"{\w+}", str(uuid7()), operation.path)
    ignored = operation.access.ignores_credentials
    revoked, key = live.service.access.credentials.create(Role.ADMIN)
    live.service.access.credentials.revoke(revoked.id)
    past = datetime.now(UTC) - timedelta(seconds=1)
    _, expired = live.service.access.credentials.create(Role.ADMIN, expires_at=past)
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


def test_a_strangers_ticket_is_answered_for_exactly_as_one_that_never_was(people: People, live: LiveService):
    own = people.ticket()
    for (method, path), rule in TICKET_RULES.items():
        foreign = people.client(*SCOPES, workspace=people.foreign)
        # The first call of a key writes down when it was.
        foreign.get("/api/tickets/search", params={"contact": "a@b.co"})
        for asker in (people.stranger.http, people.returned_stranger, foreign):
            said, done = [], []
            for id in (own.id, people.erased.id, people.reset.id, str(uuid7())):
                with recorded_statements(live.service.database) as statements:
                    answer = ask(asker, method, path, id, rule.send)
                done.append(list(statements))
                text = answer.text.replace(id, "ID").replace(answer.headers["x-request-id"], "REQUEST")
                headers = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")}
                said.append((answer.status_code, text.partition("/documents/")[0], headers))
            assert all(one == said[0] for one in said), (method, path)
            # The same is asked of the database: time does not tell either.
            assert [one for one in done if one != done[0]] == [], (method, path)
            assert done[0]


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


# The description, the table and the checks are one.

SCHEMES = {"metricsToken", "ticketToken", "session", "apiKey"}


def ways(people: People, live: LiveService, operation: Operation) -> list[tuple[dict[str, list[str]], Client]]:
    """Every way to be let in that there is at all, and somebody who comes by it."""
    scope = operation.access.scope
    return [
        ({}, people.visitor),
        ({"ticketToken": []}, people.stranger.http),
        ({"session": []}, people.returned),
        ({"apiKey": ["client", *([scope] if scope else [])]}, people.client(*([scope] if scope else []))),
        ({"apiKey": ["admin"]}, people.admin),
        ({"apiKey": ["auditor"]}, people.auditor),
    ]


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if not o.hidden], ids=named)
def test_the_openapi_document_describes_the_access(people: People, live: LiveService, operation: Operation):
    described = live.openapi["paths"][operation.path][operation.method.lower()]["security"]
    if operation.access.ignores_credentials:
        assert described == []
        return
    if operation.access.metrics_token:
        # Its token is nobody's credential: see test_metrics.
        assert described == [{"metricsToken": []}]
        return
    assert {name for way in described for name in way} <= SCHEMES == set(live.openapi["components"]["securitySchemes"])
    published = people.ticket(published=True).id if operation.access.open_if_published else str(uuid7())
    place = re.sub(r"{(\w+)}", lambda part: published if part[1] == "ticket_id" else str(uuid7()), operation.path)
    for way, asker in ways(people, live, operation):
        # Whoever is let in hears what is wrong with what they ask; here something always is.
        status = asker.request(operation.method, place, params={"limit": "0"}).status_code
        let_in = status not in (401, 403) or (operation.path == "/api/access/verify" and status == 401)
        assert (way, let_in) == (way, way in described)

"""Valid and invalid requests that schemathesis generates from the OpenAPI document, by every kind of caller."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.generation.feedback import NO_FEEDBACK

from adapters.identity.credentials import SCOPES
from adapters.ids import uuid7
from domain.values import Role
from tests.client import RECORDING, WAIT_SECONDS, Client, LiveService, Ticket
from tests.entrypoints.http.contract import LEAKS, Contract
from tests.entrypoints.http.test_login_codes import returned

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

SEED = 20_261_121
IN_THE_SUITE, IN_A_SOAK = 2, 60
PRINCIPALS = ("visitor", "holder", "returning holder", "client", "admin", "auditor")
# These operations would delete the objects that other requests are about.
FINAL = {("DELETE", "/api/tickets/{ticket_id}"), ("POST", "/admin/profiles/{ticket_id}/approve-reset")}


@dataclass(frozen=True)
class Caller:
    """A caller's credential, and the ids of existing objects by the names of path parameters."""

    authorization: str | None
    existing_ids: dict[str, list[str]]


@pytest.fixture(scope="module")
def callers(shared_live: LiveService) -> Iterator[dict[str, Caller]]:
    """Return every kind of caller, with a ticket that has objects of every kind."""
    with ExitStack() as stack:
        live, workspace = shared_live, f"workspace-{uuid7().hex[-12:]}"
        client = stack.enter_context(live.client_with_key(Role.CLIENT, *SCOPES, workspace=workspace))
        visitor = stack.enter_context(live.client())
        contact = f"{uuid7().hex[-12:]}@example.com"
        tickets = {principal: _busy(opener, contact) for principal, opener in (("client", client), ("holder", visitor))}
        admin = stack.enter_context(live.client_with_key(Role.ADMIN))
        clients = {
            "visitor": visitor,
            "holder": tickets["holder"].http,
            "returning holder": stack.enter_context(returned(live, visitor, contact)),
            "client": client,
            "admin": admin,
            "auditor": stack.enter_context(live.client_with_key(Role.AUDITOR)),
        }
        note = {"type": "NOTE", "title": "Opening hours", "content": "We are open on Monday."}
        shared = {
            "source_id": [admin.post("/admin/knowledge/sources", json=note).json()["id"]],
            "name": ["ticket_status", "invalid"],
        }
        yield {
            principal: Caller(
                http_client.headers.get("authorization"),
                shared | _ids_of_objects(tickets.get(principal, tickets["holder"])),
            )
            for principal, http_client in clients.items()
        }


def _busy(opener: Client, contact: str) -> Ticket:
    ticket = opener.open_ticket(contactValue=contact)
    ticket.publish()
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"})
    ticket.pay(5)
    ticket.http.post("/api/support/ticket", json={"category": "OTHER", "message": "Help me, please."})
    return ticket


def _ids_of_objects(ticket: Ticket) -> dict[str, list[str]]:
    ticket_body = ticket.get(params={"include": "documents,attributions,qr,support"}).json()
    return {
        "ticket_id": [ticket.id],
        "document_id": [item["documentId"] for item in ticket_body["documents"]],
        "donation_id": [item["id"] for item in ticket_body["attributions"]],
        "id": [item["id"] for item in ticket_body["supportTickets"]],
        "slug": [ticket_body["qrCode"]["targetUrl"].rpartition("/")[2]],
    }


def cases(operation: APIOperation[Any, Any, Any, Any]) -> st.SearchStrategy[Case]:
    """Return strategies for valid requests, and for invalid ones if the operation can have any."""
    # Without `feedback`, it would first read the whole program for constants.
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE, feedback=NO_FEEDBACK)
    if operation.definition.raw.get("requestBody") or any(p.location != "path" for p in operation.iter_parameters()):
        return fitting | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, feedback=NO_FEEDBACK)
    return fitting


class Fuzz:
    """Sends requests of one caller and checks each answer against the OpenAPI document."""

    def __init__(self, live: LiveService, caller: Caller) -> None:
        self._live, self._caller = live, caller
        self._contract = Contract(live.openapi)
        self._session = requests.Session()
        self.statuses: Counter[int] = Counter()

    def send(self, case: Case, about_known: bool) -> None:
        if about_known and (case.operation.method.upper(), case.operation.path) not in FINAL:
            for name in case.path_parameters or {}:
                if existing_ids := self._caller.existing_ids.get(name):
                    case.path_parameters[name] = existing_ids[0]
        arguments = case.as_transport_kwargs(base_url=self._live.base_url)
        arguments["headers"] = {
            name: value for name, value in arguments["headers"].items() if name.lower() != "authorization"
        }
        if self._caller.authorization is not None:
            arguments["headers"]["Authorization"] = self._caller.authorization
        try:
            answer = self._session.request(**arguments, allow_redirects=False, timeout=WAIT_SECONDS, stream=True)
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                # It has no end.
                answer._content = next(answer.iter_content(None))
                answer.close()
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            # No HTTP client can send this request.
            return
        self.statuses[answer.status_code] += 1
        assert answer.status_code < 500, (arguments, answer.text)
        converted_answer = httpx2.Response(
            answer.status_code,
            # The content is already decoded.
            headers=[(n, v) for n, v in answer.headers.items() if n.lower() not in ("transfer-encoding",)],
            content=answer.content,
            request=httpx2.Request(arguments["method"], answer.url),
        )
        self._contract.check(converted_answer)
        if "/checkpoint/checker" not in answer.url:
            assert not LEAKS.search(answer.text), (arguments, answer.text)


@pytest.fixture(scope="module")
def strategies(shared_live: LiveService) -> list[st.SearchStrategy[Case]]:
    """Return the strategies of every operation."""
    described = schemathesis.openapi.from_dict(shared_live.openapi)
    return [cases(operation.ok()) for operation in described.get_all_operations()]


def fuzz(live: LiveService, caller: Caller, strategies: list[st.SearchStrategy[Case]], examples: int) -> Counter[int]:
    """Send this many requests to every operation and return how often each status was answered."""
    fuzz = Fuzz(live, caller)
    for strategy in strategies:

        @seed(SEED)
        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy, about_known=st.integers(0, 3).map(bool))
        def send(case: Case, about_known: bool) -> None:
            fuzz.send(case, about_known)

        send()
    return fuzz.statuses


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_no_generated_request_causes_an_internal_error(
    shared_live: LiveService, callers: dict[str, Caller], strategies: list[st.SearchStrategy[Case]], principal: str
):
    # Each operation is called by one caller. In a soak run, every caller calls all of them.
    chosen = strategies[PRINCIPALS.index(principal) :: len(PRINCIPALS)]
    statuses = fuzz(shared_live, callers[principal], chosen, IN_THE_SUITE)
    assert statuses.total() > len(chosen)
    assert len(statuses) > 2


@pytest.mark.soak
@pytest.mark.parametrize("principal", PRINCIPALS)
def test_none_of_thousands_of_generated_requests_causes_an_internal_error(
    shared_live: LiveService, callers: dict[str, Caller], strategies: list[st.SearchStrategy[Case]], principal: str
):
    statuses = fuzz(shared_live, callers[principal], strategies, IN_A_SOAK)
    sys.stdout.write(f"{principal}: {statuses.total()} requests, {dict(sorted(statuses.items()))}\n")
    assert statuses.total() > 1_000

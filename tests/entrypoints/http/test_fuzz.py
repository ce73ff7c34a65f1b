"""Requests that schemathesis makes from our own description, fitting and unfitting, of everybody who may call."""

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

SEED = 20_261_121
IN_THE_SUITE, IN_A_SOAK = 2, 60
PRINCIPALS = ("visitor", "holder", "returning holder", "client", "admin", "auditor")
# After these there would be nothing left to ask about.
FINAL = {("DELETE", "/api/tickets/{ticket_id}"), ("POST", "/admin/profiles/{ticket_id}/approve-reset")}


@dataclass(frozen=True)
class Caller:
    """Somebody who calls, and what there is that they may know of, by the names of the paths' parts."""

    authorization: str | None
    known: dict[str, list[str]]


@pytest.fixture(scope="module")
def callers(shared_live: LiveService) -> Iterator[dict[str, Caller]]:
    """Each with a ticket that has been through everything, as far as this is for them to see."""
    with ExitStack() as stack:
        live, workspace = shared_live, f"workspace-{uuid7().hex[-12:]}"
        client = stack.enter_context(live.client_with_key(Role.CLIENT, *SCOPES, workspace=workspace))
        visitor = stack.enter_context(live.client())
        contact = f"{uuid7().hex[-12:]}@example.com"
        tickets = {who: _busy(opener, contact) for who, opener in (("client", client), ("holder", visitor))}
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
            who: Caller(one.headers.get("authorization"), shared | _known(tickets.get(who, tickets["holder"])))
            for who, one in clients.items()
        }


def _busy(opener: Client, contact: str) -> Ticket:
    ticket = opener.open_ticket(contactValue=contact)
    ticket.publish()
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"})
    ticket.pay(5)
    ticket.http.post("/api/support/ticket", json={"category": "OTHER", "message": "Help me, please."})
    return ticket


def _known(ticket: Ticket) -> dict[str, list[str]]:
    told = ticket.get(params={"include": "documents,attributions,qr,support"}).json()
    return {
        "ticket_id": [ticket.id],
        "document_id": [one["documentId"] for one in told["documents"]],
        "donation_id": [one["id"] for one in told["attributions"]],
        "id": [one["id"] for one in told["supportTickets"]],
        "slug": [told["qrCode"]["targetUrl"].rpartition("/")[2]],
    }


def cases(operation: APIOperation[Any, Any, Any, Any]) -> st.SearchStrategy[Case]:
    """Requests that fit the description, and those that do not where anything can be unfitting."""
    # Without `feedback` it would read the whole program for constants first.
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE, feedback=NO_FEEDBACK)
    if operation.definition.raw.get("requestBody") or any(p.location != "path" for p in operation.iter_parameters()):
        return fitting | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, feedback=NO_FEEDBACK)
    return fitting


class Fuzz:
    """Sends cases of one caller, each answer of which is held against the description."""

    def __init__(self, live: LiveService, caller: Caller) -> None:
        self._live, self._caller = live, caller
        self._contract = Contract(live.openapi)
        self._session = requests.Session()
        self.statuses: Counter[int] = Counter()

    def send(self, case: Case, about_known: bool) -> None:
        if about_known and (case.operation.method.upper(), case.operation.path) not in FINAL:
            for name in case.path_parameters or {}:
                if known := self._caller.known.get(name):
                    case.path_parameters[name] = known[0]
        asked = case.as_transport_kwargs(base_url=self._live.base_url)
        asked["headers"] = {name: value for name, value in asked["headers"].items() if name.lower() != "authorization"}
        if self._caller.authorization is not None:
            asked["headers"]["Authorization"] = self._caller.authorization
        try:
            answer = self._session.request(**asked, allow_redirects=False, timeout=WAIT_SECONDS)
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            # Nothing that a client would send.
            return
        self.statuses[answer.status_code] += 1
        assert answer.status_code < 500, (asked, answer.text)
        said = httpx2.Response(
            answer.status_code,
            # The content is decoded already.
            headers=[(n, v) for n, v in answer.headers.items() if n.lower() not in ("transfer-encoding",)],
            content=answer.content,
            request=httpx2.Request(asked["method"], answer.url),
        )
        self._contract.check(said)
        if "/checkpoint/checker" not in answer.url:
            assert not LEAKS.search(answer.text), (asked, answer.text)


@pytest.fixture(scope="module")
def strategies(shared_live: LiveService) -> list[st.SearchStrategy[Case]]:
    """For each operation."""
    described = schemathesis.openapi.from_dict(shared_live.openapi)
    return [cases(operation.ok()) for operation in described.get_all_operations()]


def fuzz(live: LiveService, caller: Caller, strategies: list[st.SearchStrategy[Case]], examples: int) -> Counter[int]:
    """So many requests to every operation; how often each status was answered."""
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


@pytest.mark.parametrize("who", PRINCIPALS)
def test_no_request_made_from_the_description_is_a_fault_of_ours(
    shared_live: LiveService, callers: dict[str, Caller], strategies: list[st.SearchStrategy[Case]], who: str
):
    # Each caller is given every other operation, so that each operation is asked for by three of them.
    asked_for = strategies[PRINCIPALS.index(who) % 2 :: 2]
    statuses = fuzz(shared_live, callers[who], asked_for, IN_THE_SUITE)
    assert statuses.total() > 40
    assert len(statuses) > 3


@pytest.mark.soak
@pytest.mark.parametrize("who", PRINCIPALS)
def test_nor_is_any_of_some_thousands(
    shared_live: LiveService, callers: dict[str, Caller], strategies: list[st.SearchStrategy[Case]], who: str
):
    statuses = fuzz(shared_live, callers[who], strategies, IN_A_SOAK)
    sys.stdout.write(f"{who}: {statuses.total()} requests, {dict(sorted(statuses.items()))}\n")
    assert statuses.total() > 1_000

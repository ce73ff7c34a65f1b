"""The number of queries does not depend on secrets, so response times do not reveal them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from adapters.identity.credentials import ticket_token
from adapters.ids import uuid7
from domain.values import Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem
from tests.fakes.databases import recorded_statements


def done(live: LiveService, method: str, path: str, credential: str, **sent: Any) -> tuple[list[str], str]:
    """The statements that a denied request costs, and what was answered but for its ids."""
    with live.client(credential) as guesser, recorded_statements(live.service.database) as statements:
        answer = guesser.request(method, path, **sent)
    problem(answer, 401, "unauthenticated")
    said = answer.text.replace(answer.headers["x-request-id"], "REQUEST").replace(path, "PATH")
    return list(statements), said


WRITES = [
    ("GET", "/status", {}),
    ("PATCH", "/draft", {"json": {"title": "x"}}),
    ("DELETE", "", {}),
    ("POST", "/process", {}),
]


@pytest.mark.parametrize(("method", "rest", "sent"), WRITES)
def test_a_token_with_a_wrong_secret_costs_the_same_queries_as_an_unknown_one(
    live: LiveService, ticket: Ticket, method: str, rest: str, sent: dict[str, Any]
):
    wrong = ticket_token(UUID(ticket.id), b"x" * 32)
    nowhere = str(uuid7())
    unknown = ticket_token(UUID(nowhere), b"x" * 32)
    costs = [
        done(live, method, f"/api/tickets/{id}{rest}", token, **sent)
        for id, token in ((ticket.id, wrong), (nowhere, wrong), (nowhere, unknown), (ticket.id, unknown))
    ]
    assert costs == [costs[0]] * 4
    assert costs[0][0]


@pytest.mark.parametrize(("method", "rest", "sent"), WRITES)
def test_a_revoked_key_costs_the_same_queries_as_an_unknown_one(
    live: LiveService, ticket: Ticket, method: str, rest: str, sent: dict[str, Any]
):
    revoked, key = live.service.access.credentials.create(Role.CLIENT, scopes=("tickets:write",))
    live.service.access.credentials.revoke(revoked.id)
    path = f"/api/tickets/{ticket.id}{rest}"
    costs = [done(live, method, path, credential, **sent) for credential in (key, "slk_" + "x" * 43)]
    assert costs[0] == costs[1]
    sessions = [done(live, method, path, "ses_" + letter * 43, **sent) for letter in "xy"]
    assert sessions[0] == sessions[1]


def test_writes_to_objects_of_others_cost_the_same_queries_as_writes_to_absent_objects(
    live: LiveService, client: Client, ticket: Ticket
):
    """Where a body names something: a donation, or the ticket that help is asked for."""
    other = client.open_ticket()
    donation = other.pay(5)["donationId"]
    told = []
    for id in (donation, str(uuid7())):
        with recorded_statements(live.service.database) as statements:
            answer = ticket.post("/generate-doc", {"docType": "RECEIPT", "donationId": id})
        told.append((answer.status_code, list(statements)))
    assert told[0] == told[1]
    asked = {"category": "OTHER", "message": "Help me, please."}
    told = []
    for id in (other.id, str(uuid7())):
        with recorded_statements(live.service.database) as statements:
            answer = ticket.http.post("/api/support/ticket", json=asked | {"ticketId": id})
        # How often a write looks whether the read models have seen it is the machine's doing.
        told.append((answer.status_code, [said for said in statements if "min(position)" not in said]))
    assert told[0] == told[1]
    assert told[0][0] == 201

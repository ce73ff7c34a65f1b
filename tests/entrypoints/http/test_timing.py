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


def statements_and_answer(
    live: LiveService, method: str, path: str, credential: str, **request_arguments: Any
) -> tuple[list[str], str]:
    """Return the statements of a denied request, and its answer without ids."""
    with live.client(credential) as guesser, recorded_statements(live.service.database) as statements:
        answer = guesser.request(method, path, **request_arguments)
    problem(answer, 401, "unauthenticated")
    text = answer.text.replace(answer.headers["x-request-id"], "REQUEST").replace(path, "PATH")
    return list(statements), text


WRITES = [
    ("GET", "/status", {}),
    ("PATCH", "/draft", {"json": {"title": "x"}}),
    ("DELETE", "", {}),
    ("POST", "/process", {}),
]


@pytest.mark.parametrize(("method", "subpath", "request_arguments"), WRITES)
def test_a_token_with_a_wrong_secret_costs_the_same_queries_as_an_unknown_one(
    live: LiveService, ticket: Ticket, method: str, subpath: str, request_arguments: dict[str, Any]
):
    wrong = ticket_token(UUID(ticket.id), b"x" * 32)
    nowhere = str(uuid7())
    unknown = ticket_token(UUID(nowhere), b"x" * 32)
    costs = [
        statements_and_answer(live, method, f"/api/tickets/{id}{subpath}", token, **request_arguments)
        for id, token in ((ticket.id, wrong), (nowhere, wrong), (nowhere, unknown), (ticket.id, unknown))
    ]
    assert costs == [costs[0]] * 4
    assert costs[0][0]


@pytest.mark.parametrize(("method", "subpath", "request_arguments"), WRITES)
def test_a_revoked_key_costs_the_same_queries_as_an_unknown_one(
    live: LiveService, ticket: Ticket, method: str, subpath: str, request_arguments: dict[str, Any]
):
    revoked, key = live.service.access.credentials.create(Role.CLIENT, scopes=("tickets:write",))
    live.service.access.credentials.revoke(revoked.id)
    path = f"/api/tickets/{ticket.id}{subpath}"
    costs = [
        statements_and_answer(live, method, path, credential, **request_arguments)
        for credential in (key, "slk_" + "x" * 43)
    ]
    assert costs[0] == costs[1]
    sessions = [statements_and_answer(live, method, path, "ses_" + letter * 43, **request_arguments) for letter in "xy"]
    assert sessions[0] == sessions[1]


def test_writes_to_objects_of_others_cost_the_same_queries_as_writes_to_absent_objects(
    live: LiveService, client: Client, ticket: Ticket
):
    """The body names the object: a donation, or the ticket of a support ticket."""
    other = client.open_ticket()
    donation = other.pay(5)["donationId"]
    costs_by_object = []
    for id in (donation, str(uuid7())):
        with recorded_statements(live.service.database) as statements:
            answer = ticket.post("/generate-doc", {"docType": "RECEIPT", "donationId": id})
        costs_by_object.append((answer.status_code, list(statements)))
    assert costs_by_object[0] == costs_by_object[1]
    support_request = {"category": "OTHER", "message": "Help me, please."}
    costs_by_object = []
    for id in (other.id, str(uuid7())):
        with recorded_statements(live.service.database) as statements:
            answer = ticket.http.post("/api/support/ticket", json=support_request | {"ticketId": id})
        # How often a write checks the read models depends on the speed of the machine.
        costs_by_object.append(
            (answer.status_code, [statement for statement in statements if "min(position)" not in statement])
        )
    assert costs_by_object[0] == costs_by_object[1]
    assert costs_by_object[0][0] == 201

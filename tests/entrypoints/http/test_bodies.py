"""All faults of a body are reported at once, each with a pointer, a stable code and a text."""

from __future__ import annotations

from typing import Any

import pytest

from domain.values import Role
from entrypoints.http.problems import MAX_ERRORS
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem

CREATE = "/api/tickets/create"


def codes(answer: Any) -> dict[str, str]:
    """Return the code for the pointer of each fault."""
    return {fault["pointer"]: fault["code"] for fault in problem(answer, 422, "invalid")["errors"]}


def test_all_faults_of_a_new_ticket_are_reported(client: Client):
    body = {"contactType": "EMAIL", "contactValue": "nobody", "displayName": "\n", "colour": "red"}
    answer = client.post(CREATE, json=body)
    assert codes(answer) == {
        "/contactValue": "invalid_contact",
        "/displayName": "several_lines",
        "/colour": "unknown_field",
    }
    assert {fault["detail"] for fault in answer.json()["errors"]} == {
        "is not an e-mail address",
        "must be a single line",
        "is not a known field",
    }
    assert codes(client.post(CREATE, json={"contactType": "FAX"})) == {
        "/contactType": "unknown_value",
        "/contactValue": "required",
    }
    assert codes(client.post(CREATE, json=[])) == {"": "wrong_type"}
    assert codes(client.post(CREATE, json={"contactType": 5, "contactValue": "x" * 400, "displayName": "a\0"})) == {
        "/contactType": "unknown_value",
        "/contactValue": "too_long",
        "/displayName": "not_text",
    }


@pytest.mark.parametrize(
    ("order", "faults"),
    [
        ({"amount": 0.5, "currency": "usd"}, {"/amount": "out_of_range"}),
        ({"amount": "1.001", "currency": "USD"}, {"/amount": "too_many_decimals"}),
        ({"amount": 10.5, "currency": "JPY"}, {"/amount": "too_many_decimals"}),
        ({"amount": "ten", "currency": "XXX"}, {"/amount": "wrong_type", "/currency": "unknown_currency"}),
        ({"amount": True}, {"/amount": "wrong_type", "/currency": "required"}),
        ({"amount": 10**20, "currency": "USD"}, {"/amount": "out_of_range"}),
        ({"amount": 5, "currency": "US"}, {"/currency": "too_short"}),
    ],
)
def test_the_faults_of_a_payment_are_reported_together_with_others(
    ticket: Ticket, order: dict[str, Any], faults: dict[str, str]
):
    others = {"description": " ", "note": 1}
    expected = faults | {"/description": "blank", "/note": "unknown_field"}
    assert codes(ticket.post("/create-payment", order)) == faults
    assert codes(ticket.post("/create-payment", order | others)) == expected


def test_the_faults_of_a_draft_are_reported_together(ticket: Ticket):
    draft = {
        "title": "x" * 121, "goalAmount": 0.5, "currency": "EUR", "breakdown": ["a\nb", ""], "story": 5,
        "status": "READY",
    }  # fmt: skip
    assert codes(ticket.patch("/draft", draft)) == {
        "/title": "too_long",
        "/goalAmount": "out_of_range",
        "/breakdown/0": "several_lines",
        "/breakdown/1": "blank",
        "/story": "wrong_type",
        "/status": "unknown_field",
    }
    # Without a currency the goal is in that of the draft.
    ticket.write_draft(goalAmount=1000, currency="JPY")
    assert codes(ticket.patch("/draft", {"goalAmount": 12.5})) == {"/goalAmount": "too_many_decimals"}
    assert codes(ticket.patch("/draft", {"goalAmount": 0})) == {"/goalAmount": "out_of_range"}
    assert ticket.patch("/draft", {"goalAmount": 12.5, "currency": "USD"}).status_code == 200


def test_the_faults_of_other_bodies_have_codes(ticket: Ticket, live: LiveService, client: Client, admin: Client):
    assert codes(ticket.post("/publish", {"consent": False, "now": 1})) == {
        "/consent": "consent_missing",
        "/now": "unknown_field",
    }
    assert codes(ticket.post("/publish", {"consent": "yes"})) == {"/consent": "wrong_type"}
    assert codes(ticket.post("/generate-doc", {"docType": "RECEIPT", "format": "odt"})) == {
        "/format": "unknown_value",
        "/donationId": "required",
    }
    assert codes(client.post("/api/access/request", json={"contactType": "PHONE", "contactValue": "1", "x": 1})) == {
        "/contactValue": "invalid_contact",
        "/x": "unknown_field",
    }
    assert codes(client.post("/api/support/ticket", json={"category": "X", "message": "", "contact": "a b"})) == {
        "/category": "unknown_value",
        "/message": "blank",
        "/contact": "invalid_contact",
    }
    reset = f"/admin/profiles/{ticket.id}/approve-reset"
    assert codes(admin.post(reset, json={"newContactType": "PHONE", "newContactValue": "", "x": 1})) == {
        "/newContactType": "unknown_value",
        "/newContactValue": "blank",
        "/x": "unknown_field",
    }
    assert codes(admin.post(reset, json={"newContactValue": "nobody"})) == {"/newContactValue": "invalid_contact"}
    donation = f"/admin/donations/{ticket.pay(5)['donationId']}/refund"
    assert codes(admin.post(donation, json={"amount": 0})) == {"/amount": "out_of_range", "/reason": "required"}
    password = "password = hunter2-hunter2-hunter2"
    source = {"type": "NOTE", "title": f"AKIA{'ABCDEFGHIJKLMNOP'}", "content": f"Note.\n{password}"}
    assert codes(admin.post("/admin/knowledge/sources", json=source)) == {
        "/title": "secret_found",
        "/content": "secret_found",
    }


def test_a_reused_idempotency_key_and_query_parameters_have_codes(client: Client, live: LiveService):
    headers = {"Idempotency-Key": "codes"}
    body = {"contactType": "EMAIL", "contactValue": "ada@example.com"}
    client.post(CREATE, json=body, headers=headers)
    other = client.post(CREATE, json=body | {"displayName": "Ada"}, headers=headers)
    assert codes(other) == {"": "key_reused"}
    with live.client_with_key(Role.ADMIN) as admin:
        assert codes(admin.get("/admin/access-log", params={"limit": "0"})) == {"/limit": "out_of_range"}
        assert codes(admin.get("/api/tickets/search")) == {"/contact": "required"}


def test_very_many_faults_are_counted_and_the_first_ones_listed(client: Client):
    answer = client.post(CREATE, json={f"field{number}": 1 for number in range(500)})
    body = problem(answer, 422, "invalid")
    assert len(body["errors"]) == MAX_ERRORS
    assert body["detail"] == f"The request has 502 invalid values; the first {MAX_ERRORS} are listed."

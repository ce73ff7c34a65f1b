"""Tickets are opened, read, found, changed and erased over HTTP."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from domain.values import Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import pointers, problem

CREATE = "/api/tickets/create"
FIELDS = {
    "id", "contactType", "contactValue", "displayName", "status", "contentStatus", "fundingStatus", "createdAt",
    "updatedAt", "version",
}  # fmt: skip


# Opened.


def test_opening_a_ticket_returns_the_ticket_its_token_and_its_location(client: Client):
    answer = client.post(
        CREATE, json={"contactType": "EMAIL", "contactValue": "Ada@Example.COM", "displayName": " Ada "}
    )
    assert answer.status_code == 201
    opened = answer.json()
    assert set(opened) == FIELDS | {"accessToken"}
    assert (opened["contactValue"], opened["displayName"]) == ("ada@example.com", "Ada")
    assert (opened["status"], opened["contentStatus"], opened["fundingStatus"]) == ("DRAFT", "DRAFT", "NONE")
    assert opened["id"][14] == "7"
    assert opened["createdAt"].endswith("Z")
    assert opened["accessToken"].startswith("tkt_")
    assert answer.headers["location"] == f"/api/tickets/{opened['id']}"
    with Client(base_url=client.base_url, headers={"Authorization": f"Bearer {opened['accessToken']}"}) as holder:
        ticket_body = holder.get(answer.headers["location"]).json()
        assert ticket_body == {name: value for name, value in opened.items() if name != "accessToken"}


@pytest.mark.parametrize(
    ("type", "typed", "normal"),
    [
        ("EMAIL", "  Ada.L+x@EXAMPLE.com ", "ada.l+x@example.com"),
        ("PHONE", "(415) 555-0132", "+14155550132"),
        ("PHONE", "+49 30 901820", "+4930901820"),
        ("SOCIAL", "@Ada.Lovelace", "@ada.lovelace"),
        ("SOCIAL", "https://social.example/Ada/", "https://social.example/Ada"),
    ],
)
def test_a_contact_is_stored_normalised(client: Client, type: str, typed: str, normal: str):
    opened = client.post(CREATE, json={"contactType": type, "contactValue": typed}).json()
    assert opened["contactValue"] == normal


@pytest.mark.parametrize(
    ("type", "typed"),
    [
        ("EMAIL", "ada"), ("EMAIL", "ada@"), ("EMAIL", "a b@example.com"), ("EMAIL", "a@b@c.com"),
        ("EMAIL", "@example.com"),
        ("PHONE", "12"), ("PHONE", "call me"), ("PHONE", "+0"), ("SOCIAL", "two words"),
        ("SOCIAL", "javascript:alert(1)"),
        ("SOCIAL", "ftp://x.example/a"), ("SOCIAL", "https://"), ("SOCIAL", "https://u:p@x.example"), ("SOCIAL", "@"),
        ("SOCIAL", "https://["),
    ],
)  # fmt: skip
def test_an_invalid_contact_is_refused(client: Client, type: str, typed: str):
    answer = client.post(CREATE, json={"contactType": type, "contactValue": typed})
    assert pointers(answer) == ["/contactValue"]


# Read.


def test_a_ticket_shows_only_the_included_parts(ticket: Ticket):
    assert set(ticket.get().json()) == FIELDS
    full_ticket = ticket.get(params={"include": "draft,documents,attributions,qr,transcriptions,support"}).json()
    assert (full_ticket["donationDraft"], full_ticket["documents"], full_ticket["attributions"]) == (None, [], [])
    assert (full_ticket["transcriptions"], full_ticket["supportTickets"]) == ([], [])
    assert set(full_ticket["qrCode"]) == {"qrCodeData", "targetUrl", "createdAt"}
    assert set(ticket.get(params={"include": "draft"}).json()) == FIELDS | {"donationDraft"}
    assert pointers(ticket.get(params={"include": "draft,everything"})) == ["/include"]


def test_attributions_carry_stripes_ids_and_the_donors_keyed_hash(live: LiveService, ticket: Ticket):
    donate_in_sandbox(live, ticket)
    [gift] = ticket.get(params={"include": "attributions"}).json()["attributions"]
    assert gift["paymentIntentId"].startswith("pi_")
    assert gift["chargeId"].startswith("ch_")
    assert gift["donorEmailHash"]
    assert "grace@example.com" not in str(gift)


# Found.


def test_a_search_by_contact_finds_the_workspaces_tickets_newest_first(live: LiveService, workspace: str):
    with live.client_with_key(Role.CLIENT, "tickets:write", "tickets:search", workspace=workspace) as client:
        contact = f"{workspace}@example.com"
        opened = [client.open_ticket(contactValue=contact).id for _ in range(3)]
        live.client().open_ticket(contactValue=contact)
        answer = client.get("/api/tickets/search", params={"contact": contact.upper()})
        assert [found_ticket["id"] for found_ticket in answer.json()["tickets"]] == opened[::-1]
        assert set(answer.json()) == {"tickets", "nextCursor"}
        assert answer.json()["tickets"][0]["donationDraft"] is None
        profiles = client.get("/api/profiles/search", params={"contact": contact}).json()
        assert (profiles["success"], profiles["count"]) == (True, 3)
        assert client.get("/api/tickets/search", params={"contact": "nobody@x.co"}).json()["tickets"] == []
    with live.client_with_key(Role.ADMIN) as admin:
        assert len(admin.get("/api/tickets/search", params={"contact": contact}).json()["tickets"]) == 4


def test_a_holder_finds_only_their_own_ticket_when_others_share_the_contact(
    live: LiveService, client: Client, workspace: str
):
    contact = f"{workspace}@example.com"
    own_ticket = client.open_ticket(contactValue=contact)
    for _ in range(3):
        client.open_ticket(contactValue=contact)
    answer = own_ticket.http.get("/api/tickets/search", params={"contact": contact, "limit": "2"}).json()
    assert [found_ticket["id"] for found_ticket in answer["tickets"]] == [own_ticket.id]
    assert answer["nextCursor"] is None


def test_a_found_ticket_shows_a_summary_of_its_draft(ticket: Ticket, client: Client, workspace: str):
    own_ticket = client.open_ticket(contactValue=f"{workspace}@example.com")
    own_ticket.write_draft()
    [found_ticket] = own_ticket.http.get("/api/tickets/search", params={"contact": f"{workspace}@example.com"}).json()[
        "tickets"
    ]
    assert found_ticket["donationDraft"] == {
        "title": "Help Ada",
        "goalAmount": 1500,
        "goalAmountMinor": 150_000,
        "currency": "USD",
    }


def test_a_phone_number_is_found_with_and_without_an_escaped_plus_sign(live: LiveService, workspace: str):
    client = live.client_with_key(Role.CLIENT, "tickets:write", "tickets:search", workspace=workspace)
    opened = client.open_ticket(contactType="PHONE", contactValue="+47 22 22 55 55")
    for typed in ("+4722225555", "%2B4722225555", "+47%2022225555"):
        found_ticket = client.get(f"/api/tickets/search?contact={typed}").json()["tickets"]
        assert [row["id"] for row in found_ticket] == [opened.id]


def test_includes_may_be_listed_in_one_parameter_or_in_several(ticket: Ticket):
    for query in ("include=draft,documents", "include=draft&include=documents", "include=draft,%20documents,"):
        body = ticket.get(f"?{query}").json()
        assert (body["donationDraft"], body["documents"]) == (None, [])
    assert pointers(ticket.get("?include=draft&include=nothing")) == ["/include"]


def test_a_search_needs_a_contact(ticket: Ticket):
    for query in ({}, {"contact": ""}, {"contact": "  "}):
        assert pointers(ticket.http.get("/api/tickets/search", params=query)) == ["/contact"]


def test_result_pages_are_stable_while_tickets_are_added(live: LiveService, workspace: str):
    with live.client_with_key(Role.CLIENT, "tickets:write", "tickets:search", workspace=workspace) as client:
        contact = f"{workspace}@example.com"
        opened = [client.open_ticket(contactValue=contact).id for _ in range(5)]
        listed_ids: list[str] = []
        address: Any = f"/api/tickets/search?contact={contact}&limit=2"
        while address:
            answer = client.get(address)
            listed_ids += [found_ticket["id"] for found_ticket in answer.json()["tickets"]]
            client.open_ticket(contactValue=contact)
            assert (answer.json()["nextCursor"] is None) is ("link" not in answer.headers)
            address = answer.links["next"]["url"] if "link" in answer.headers else None
        assert listed_ids == opened[::-1]


@pytest.mark.parametrize("path", ["/api/tickets/search?contact=a@b.co", "{}/donations?", "{}/history?"])
def test_invalid_limits_and_cursors_are_refused(ticket: Ticket, path: str):
    address = path.replace("{}", ticket.path)
    for limit in ("1", "100"):
        assert ticket.http.get(f"{address}&limit={limit}").status_code == 200
    for limit in ("0", "101", "-1", "x", "", "1.5", "9" * 30, "٣"):
        assert pointers(ticket.http.get(f"{address}&limit={limit}")) == ["/limit"]
    crafted = [
        "[]",
        "null",
        "[0]x",
        '["2026-01-01T00:00:00Z"]',
        '[0, "2026-01-01T00:00:00Z", "x"]',
        "[-1]",
        "[1e9]",
        "[true]",
    ]
    for cursor in ("x", "", "!", "é", "a" * 600, *(base64.urlsafe_b64encode(c.encode()).decode() for c in crafted)):
        assert pointers(
            ticket.http.get(address, params=dict(cursor=cursor, **({"contact": "a@b.co"} if "contact" in path else {})))
        ) == ["/cursor"]


# Changed.


def test_a_display_name_may_be_changed_and_cleared(ticket: Ticket):
    assert ticket.patch("", {"displayName": "Grace"}).json()["displayName"] == "Grace"
    assert ticket.patch("", {"displayName": None}).json()["displayName"] is None
    assert pointers(ticket.patch("", {})) == ["/displayName"]


def test_a_client_can_set_neither_status_nor_contact(ticket: Ticket):
    for field, value in (("status", "PUBLISHED"), ("contentStatus", "READY"), ("contactValue", "x@y.co"), ("id", "1")):
        assert pointers(ticket.patch("", {"displayName": "Ada", field: value})) == [f"/{field}"]
    assert ticket.get().json()["status"] == "DRAFT"


# Erased.


def test_after_an_erasure_the_holder_can_read_nothing(ticket: Ticket, admin: Client):
    ticket.publish()
    url = ticket.get("/qr-code").json()["targetUrl"]
    answer = ticket.http.delete(ticket.path)
    assert (answer.status_code, answer.json()) == (202, {"ticketId": ticket.id, "status": "ERASED"})
    problem(ticket.get(), 401, "unauthenticated")
    problem(admin.get(url), 404, "not-found")
    remaining = admin.get(ticket.path, params={"include": "draft,documents,qr,transcriptions"}).json()
    assert (remaining["contactValue"], remaining["displayName"], remaining["donationDraft"]) == (None, None, None)

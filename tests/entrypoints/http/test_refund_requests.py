"""Refunds that were asked for, over all gifts of a workspace: as a list and as a page of the desk."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Contact, Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.members import joined_member, new_address

FIELDS = {
    "id", "donationId", "ticketId", "workspace", "campaign", "state", "amountMinor", "currency", "reason", "askedBy",
    "askedAt", "decidedBy", "decidedAt",
}  # fmt: skip


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER, owner_address)


@pytest.fixture
def own(live: LiveService, workspace: str) -> Ticket:
    """Return a published ticket of the workspace."""
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as opener:
        ticket = opener.open_ticket()
    ticket.write_draft()
    ticket.publish()
    return ticket


def asked(client: Client, donation: str, **order: Any) -> str:
    answer = client.post(f"/api/donations/{donation}/refund-requests", json={"reason": "A mistake."} | order)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def listed(client: Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/refund-requests", params=query)
    assert answer.status_code == 200, answer.text
    requests: list[dict[str, Any]] = answer.json()["refundRequests"]
    return requests


def test_requests_over_all_gifts_are_listed_with_what_became_of_them(
    live: LiveService, owner: Client, workspace: str, own: Ticket
):
    first, second = donate_in_sandbox(live, own), donate_in_sandbox(live, own, 20, "EUR")
    with joined_member(live, workspace, MemberRole.ACCOUNTANT) as accountant:
        open_one, declined = asked(accountant, first, amount=10), asked(accountant, second)
        decide = f"/api/donations/{second}/refund-requests/{declined}/decline"
        assert owner.post(decide, json={}).status_code == 200
        assert [request["id"] for request in listed(accountant)] == [declined, open_one]
        [shown] = listed(accountant, status="open")
        asker = accountant.get("/api/me").json()["member"]["id"]
    assert set(shown) == FIELDS
    assert (shown["donationId"], shown["ticketId"], shown["workspace"]) == (first, own.id, workspace)
    assert (shown["amountMinor"], shown["currency"], shown["reason"]) == (1_000, "USD", "A mistake.")
    assert (shown["askedBy"], shown["decidedBy"], shown["decidedAt"]) == (f"member:{asker}", None, None)
    assert shown["campaign"] == own.get("").json().get("title", shown["campaign"])
    [decided] = listed(owner, status="declined")
    me = owner.get("/api/me").json()["member"]["id"]
    assert (decided["id"], decided["decidedBy"], decided["amountMinor"]) == (declined, f"member:{me}", None)
    assert listed(owner, status="approved") == []
    assert pointers(owner.get("/api/refund-requests", params={"status": "OPEN"})) == ["/status"]


def test_pages_of_requests_follow_each_other(live: LiveService, owner: Client, own: Ticket):
    gift = donate_in_sandbox(live, own)
    ids = [asked(owner, gift, amount=amount) for amount in (1, 2, 3)]
    page = owner.get("/api/refund-requests", params={"limit": 2, "status": "open"})
    assert [request["id"] for request in page.json()["refundRequests"]] == ids[:0:-1]
    rest = owner.get(page.links["next"]["url"]).json()
    assert ([request["id"] for request in rest["refundRequests"]], rest["nextCursor"]) == (ids[:1], None)


def test_requests_of_another_workspace_are_neither_listed_nor_counted(
    live: LiveService, owner: Client, own: Ticket, admin: Client, auditor: Client, workspace: str
):
    request = asked(owner, donate_in_sandbox(live, own))
    address = new_address()
    joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER, address)
    stranger = browser_of(live, address)
    assert listed(stranger) == []
    problem(stranger.get("/api/refund-requests", params={"workspace": workspace}), 404, "not-found")
    assert "for a decision" not in stranger.get("/desk/gifts").text
    assert request not in stranger.get("/desk/refund-requests").text
    assert [each["id"] for each in listed(admin, workspace=workspace)] == [request]
    [masked] = listed(auditor, workspace=workspace)
    assert (masked["id"], masked["reason"], masked["campaign"]) == (request, "[masked]", "[masked]")


def test_the_reason_is_gone_with_the_person(live: LiveService, owner: Client, own: Ticket):
    asked(owner, donate_in_sandbox(live, own))
    own.http.delete(own.path)
    [shown] = listed(owner)
    assert (shown["reason"], shown["campaign"]) == ("[erased]", None)


def test_managers_see_that_requests_wait_and_find_them_on_a_page(
    live: LiveService, owner: Client, owner_address: Contact, workspace: str, own: Ticket
):
    gift, address = donate_in_sandbox(live, own), new_address()
    joined_member(live, workspace, MemberRole.ACCOUNTANT, address)
    accountant, manager = browser_of(live, address), browser_of(live, owner_address)
    assert "No refund waits for a decision." in manager.get("/desk/refund-requests").text
    assert "for a decision" not in manager.get("/desk/gifts").text
    request = asked(accountant, gift, amount=10)
    assert "1 refund request waits for a decision" in manager.get("/desk/gifts").text
    assert "waits for a decision" not in accountant.get("/desk/gifts").text
    page = manager.get("/desk/refund-requests").text
    assert all(part in page for part in (f'href="/desk/gifts/{gift}"', f'href="/desk/tickets/{own.id}"', "A mistake."))
    assert "Look at the gift and decide" in page
    assert "You asked for this refund" in accountant.get("/desk/refund-requests").text
    done = manager.post(f"/desk/gifts/{gift}/requests/{request}", data={"do": "decline"})
    assert done.status_code == 303, done.text
    assert gift not in manager.get("/desk/refund-requests").text
    assert gift in manager.get("/desk/refund-requests?status=declined").text
    assert manager.get("/desk/refund-requests?status=none").status_code == 422

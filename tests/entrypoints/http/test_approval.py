"""A workspace that approves pages: its holders ask, its owners and admins decide, and nobody publishes before."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_manage_pages import browser_of, page
from tests.fakes.mailbox import files, text_of
from tests.members import joined_member

NOTE = "Leave out the name of the street."
CONSENT = {"consent": True}
FORM = {"story": "yes", "name": "yes", "others": "nobody"}


@pytest.fixture
def workspace(live: LiveService) -> str:
    """Return a new workspace that approves pages."""
    name = f"w-{uuid7().hex[-12:]}"
    owner = joined_member(live, name, MemberRole.OWNER)
    assert owner.patch(f"/api/workspaces/{name}", json={"publishing": "approval"}).status_code == 200
    owner.close()
    return name


@pytest.fixture
def manager(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.ADMIN)


@pytest.fixture
def address() -> str:
    return f"{uuid7().hex[-12:]}@example.com"


@pytest.fixture
def own(live: LiveService, workspace: str, address: str) -> Ticket:
    """Return a ticket of the workspace with a complete draft."""
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as opener:
        ticket = opener.open_ticket(contactValue=address)
    ticket.write_draft()
    return ticket


def decide(manager: Client, ticket: Ticket, act: str, **body: Any) -> dict[str, Any]:
    answer = manager.post(f"{ticket.path}/{act}", json=body)
    assert answer.status_code == 200, answer.text
    decided: dict[str, Any] = answer.json()
    return decided


def test_a_page_is_published_once_an_admin_has_approved_it(client: Client, manager: Client, own: Ticket):
    assert "approval" not in own.get().json()
    assert "Ask for approval" in problem(own.post("/publish", CONSENT), 409, "conflict")["detail"]
    answer = own.post("/request-publication", CONSENT)
    assert answer.json()["approval"] == {"state": "requested", "note": None}
    problem(own.post("/publish", CONSENT), 409, "conflict")
    assert decide(manager, own, "approve")["approval"]["state"] == "approved"
    published = own.post("/publish", {})
    assert published.status_code == 200
    assert client.get(published.json()["publicUrl"]).status_code == 200
    refused = problem(own.patch("/draft", {"title": "Another title"}), 409, "conflict")
    assert "Take it down to change it" in refused["detail"]
    assert own.post("/unpublish").status_code == 200
    assert own.patch("/draft", {"title": "Another title"}).status_code == 200
    problem(own.post("/publish", {}), 409, "conflict")


def test_each_decision_is_in_the_history_as_that_of_the_member(manager: Client, own: Ticket):
    [me] = [member["memberId"] for member in manager.get("/api/me").json()["workspaces"]]
    own.post("/request-publication", CONSENT)
    decide(manager, own, "request-changes", note=NOTE)
    own.post("/request-publication", {})
    decide(manager, own, "approve")
    entries = {e["type"]: e for e in own.get("/history").json()["events"]}
    assert entries["PublicationRequested"]["actor"].startswith("holder")
    for kind in ("ChangesRequested", "Approved"):
        assert entries[kind]["actor"] == f"member:{me}"
    assert entries["ChangesRequested"]["data"]["note"] == NOTE


def test_the_holder_hears_of_both_decisions(live: LiveService, manager: Client, own: Ticket, address: str):
    own.post("/request-publication", CONSENT)
    decide(manager, own, "request-changes", note=f"{NOTE}\nBcc: all@example.com")
    own.post("/request-publication", {})
    decide(manager, own, "approve")
    live.service.mail.sender.run_all()
    mails = files(live.settings.outbox, address)
    assert [mail["Subject"] for mail in mails] == ["Please change something on your page", "Your page is approved"]
    assert NOTE in text_of(mails[0])
    assert mails[0]["Bcc"] is None


def test_a_stale_version_approves_nothing(manager: Client, own: Ticket):
    own.post("/request-publication", CONSENT)
    stale = {"If-Match": '"1"'}
    problem(manager.post(f"{own.path}/approve", json={}, headers=stale), 412, "stale-version")
    problem(manager.post(f"{own.path}/request-changes", json={"note": NOTE}, headers=stale), 412, "stale-version")


def test_the_list_says_which_pages_wait_for_an_approval(manager: Client, own: Ticket):
    def waiting() -> tuple[list[tuple[str, str]], int]:
        listed = manager.get("/api/tickets", params={"approval": "requested"}).json()
        return [(ticket["id"], ticket["approval"]) for ticket in listed["tickets"]], listed["approvalsRequested"]

    assert waiting() == ([], 0)
    own.post("/request-publication", CONSENT)
    assert waiting() == ([(own.id, "requested")], 1)
    decide(manager, own, "request-changes", note=NOTE)
    assert waiting() == ([], 0)
    [ticket] = manager.get("/api/tickets", params={"approval": "changes_requested"}).json()["tickets"]
    assert ticket["id"] == own.id
    assert pointers(manager.get("/api/tickets", params={"approval": "maybe"})) == ["/approval"]


def test_a_change_after_asking_must_be_asked_for_again(manager: Client, own: Ticket):
    own.post("/request-publication", CONSENT)
    own.patch("/draft", {"title": "Another title"})
    assert "approval" not in own.get().json()
    problem(manager.post(f"{own.path}/approve", json={}), 409, "conflict")


def test_nobody_asks_without_consent_or_with_an_incomplete_draft(live: LiveService, workspace: str, own: Ticket):
    problem(own.post("/request-publication", {}), 422, "invalid")
    problem(own.post("/request-publication", {"consent": False}), 422, "invalid")
    own.patch("/draft", {"story": None})
    problem(own.post("/request-publication", CONSENT), 409, "conflict")


def test_a_workspace_that_publishes_freely_is_not_asked(ticket: Ticket):
    ticket.write_draft()
    problem(ticket.post("/request-publication", CONSENT), 409, "conflict")


def test_an_auditor_does_not_read_the_note(live: LiveService, manager: Client, auditor: Client, own: Ticket):
    own.post("/request-publication", CONSENT)
    decide(manager, own, "request-changes", note=NOTE)
    assert NOTE not in auditor.get(f"{own.path}/history").text
    assert NOTE not in auditor.get(own.path).text


def test_the_page_asks_and_publishes_what_was_approved(live: LiveService, manager: Client, own: Ticket):
    with browser_of(live, own.token) as browser:
        form = browser.get(page(own, "publish")).text
        assert "Ask for approval" in form
        answer = browser.post(page(own, "publish"), data=FORM)
        assert answer.headers["location"] == f"/t/{own.id}/manage?done=asked"
        assert "You asked us to look at your page." in browser.get(answer.headers["location"]).text
        assert "If you change something now, ask us again." in browser.get(page(own, "publish")).text
        assert "We look at your page before it is public." in browser.get(f"/t/{own.id}").text

        decide(manager, own, "request-changes", note=NOTE)
        for path in (page(own, "manage"), page(own, "publish"), f"/t/{own.id}"):
            assert NOTE in browser.get(path).text
        assert browser.post(page(own, "publish"), data=FORM).status_code == 303
        decide(manager, own, "approve")
        for path in (page(own, "manage"), f"/t/{own.id}"):
            assert "Your page is approved. You can publish it now." in browser.get(path).text
        assert "Ask for approval" not in browser.get(page(own, "publish")).text
        published = browser.post(page(own, "publish"), data={"do": "publish", "version": own.get().json()["version"]})
        assert published.headers["location"] == f"/t/{own.id}/manage?done=published"
        assert "Take it down to change it" in browser.get(page(own, "publish")).text
    assert own.get().json()["contentStatus"] == "PUBLISHED"


def test_the_page_does_not_publish_what_was_not_approved(live: LiveService, own: Ticket):
    with browser_of(live, own.token) as browser:
        answer = browser.post(page(own, "publish"), data={"do": "publish"})
    assert answer.status_code == 422
    assert "Something changed meanwhile." in answer.text

"""The staff of a workspace answer requests for help; replies are kept, mailed once, and erased with the person."""

from __future__ import annotations

import re

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_login_codes import address, mails
from tests.entrypoints.http.test_support import open_support_ticket
from tests.fakes.mailbox import text_of
from tests.members import joined_member, new_address

ANSWER = "We have mended your recording."


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def caseworker(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.CASEWORKER)


def test_a_reply_is_kept_and_mailed_once(live: LiveService, caseworker: Client):
    email = address()
    ticket = caseworker.open_ticket(contactValue=email)
    asked = open_support_ticket(ticket.http, ticketId=ticket.id)
    path, key = f"/api/support/{asked['id']}", {"Idempotency-Key": uuid7().hex}
    for _ in range(2):
        answer = caseworker.post(f"{path}/replies", json={"text": ANSWER}, headers=key)
        assert answer.status_code == 201, answer.text
    [reply] = caseworker.get(path).json()["replies"]
    assert (reply["text"], reply["actor"].partition(":")[0]) == (ANSWER, "member")
    live.service.mail.sender.run_all()
    assert [ANSWER in text_of(mail) for mail in mails(live, email)].count(True) == 1
    assert caseworker.post(f"{path}/resolve", json={}).json()["status"] == "RESOLVED"


def test_a_request_without_an_e_mail_address_is_answered_in_another_way(caseworker: Client):
    ticket = caseworker.open_ticket(contactType="SOCIAL", contactValue="@ada")
    asked = open_support_ticket(ticket.http, ticketId=ticket.id)
    problem(caseworker.post(f"/api/support/{asked['id']}/replies", json={"text": ANSWER}), 409, "conflict")


def test_the_staff_see_the_requests_about_the_tickets_of_their_workspace_only(
    live: LiveService, caseworker: Client, client: Client
):
    ticket = caseworker.open_ticket(contactValue=address())
    own = open_support_ticket(ticket.http, ticketId=ticket.id)
    foreign = open_support_ticket(client)
    assert [each["id"] for each in caseworker.get("/api/support/recent").json()["supportTickets"]] == [own["id"]]
    assert caseworker.get("/api/support/recent?status=RESOLVED").json()["supportTickets"] == []
    for path in (f"/api/support/{foreign['id']}", f"/desk/support/{foreign['id']}"):
        assert caseworker.get(path).status_code == 404
    problem(caseworker.post(f"/api/support/{foreign['id']}/replies", json={"text": ANSWER}), 404, "not-found")
    problem(caseworker.post(f"/api/support/{foreign['id']}/resolve", json={}), 404, "not-found")
    with joined_member(live, "public", MemberRole.CASEWORKER) as public:
        assert public.get(f"/api/support/{foreign['id']}").status_code == 200


def test_an_erased_person_takes_the_replies_along(caseworker: Client):
    ticket = caseworker.open_ticket(contactValue=address())
    asked = open_support_ticket(ticket.http, ticketId=ticket.id)
    caseworker.post(f"/api/support/{asked['id']}/replies", json={"text": ANSWER})
    assert ticket.http.delete(ticket.path).status_code == 202
    left = caseworker.get(f"/api/support/{asked['id']}").json()
    assert (left["erased"], left["message"], left["replies"]) == (True, None, [])


def test_the_inbox_is_worked_through_by_pages(live: LiveService, workspace: str):
    email = new_address()
    joined_member(live, workspace, MemberRole.CASEWORKER, email)
    browser = browser_of(live, email)
    told = browser.post("/tell/write", data={"contact": address(), "consent": "yes", "story": "The roof fell in."})
    ticket = told.headers["location"].removeprefix("/t/")
    asked = open_support_ticket(browser, ticketId=ticket, contact=address())
    assert f"/desk/support/{asked['id']}" in browser.get("/desk/support").text
    path = f"/desk/support/{asked['id']}"
    empty = browser.post(f"{path}/replies", data={"text": ""})
    assert (empty.status_code, 'id="error-summary"' in empty.text) == (422, True)
    assert browser.post(f"{path}/replies", data={"text": ANSWER}).status_code == 303
    assert ANSWER in browser.get(path).text
    assert browser.post(f"{path}/resolve").status_code == 303
    assert not re.search(asked["id"], browser.get("/desk/support").text)
    assert asked["id"] in browser.get("/desk/support?status=RESOLVED").text

"""The staff of a workspace answer requests for help; replies are kept, mailed once, and erased with the person."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_codes_by_text import number, texts
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
    question = open_support_ticket(ticket.http, ticketId=ticket.id)
    path, key = f"/api/support/{question['id']}", {"Idempotency-Key": uuid7().hex}
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
    question = open_support_ticket(ticket.http, ticketId=ticket.id)
    problem(caseworker.post(f"/api/support/{question['id']}/replies", json={"text": ANSWER}), 409, "conflict")


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
    question = open_support_ticket(ticket.http, ticketId=ticket.id)
    caseworker.post(f"/api/support/{question['id']}/replies", json={"text": ANSWER})
    assert ticket.http.delete(ticket.path).status_code == 202
    left = caseworker.get(f"/api/support/{question['id']}").json()
    assert (left["erased"], left["message"], left["replies"]) == (True, None, [])


def test_the_inbox_is_worked_through_by_pages(live: LiveService, workspace: str):
    email = new_address()
    joined_member(live, workspace, MemberRole.CASEWORKER, email)
    browser = browser_of(live, email)
    answer = browser.post("/tell/write", data={"contact": address(), "consent": "yes", "story": "The roof fell in."})
    ticket = answer.headers["location"].removeprefix("/t/")
    question = open_support_ticket(browser, ticketId=ticket, contact=address())
    assert f"/desk/support/{question['id']}" in browser.get("/desk/support").text
    path = f"/desk/support/{question['id']}"
    empty = browser.post(f"{path}/replies", data={"text": ""})
    assert (empty.status_code, 'id="error-summary"' in empty.text) == (422, True)
    assert browser.post(f"{path}/replies", data={"text": ANSWER}).status_code == 303
    assert ANSWER in browser.get(path).text
    assert browser.post(f"{path}/resolve").status_code == 303
    assert not re.search(question["id"], browser.get("/desk/support").text)
    assert question["id"] in browser.get("/desk/support?status=RESOLVED").text


def conversation(ticket: Ticket, asked: dict[str, Any]) -> str:
    return f"/t/{ticket.id}/help/{asked['id']}"


def test_a_person_reads_the_answers_on_the_own_page_and_writes_again(caseworker: Client):
    ticket = caseworker.open_ticket(contactValue=address())
    answer = ticket.http.post(f"/t/{ticket.id}/help", data={"text": "The <b>sound</b>\r\nis missing."})
    assert answer.status_code == 303
    page = answer.headers["location"].partition("?")[0]
    id = page.rpartition("/")[2]
    assert caseworker.post(f"/api/support/{id}/replies", json={"text": ANSWER}).status_code == 201
    caseworker.post(f"/api/support/{id}/resolve", json={})
    shown = ticket.http.get(page).text
    assert all(text in shown for text in ("The &lt;b&gt;sound&lt;/b&gt;\nis missing.", ANSWER, "Done"))
    assert page in ticket.http.get(f"/t/{ticket.id}/help").text
    for text in ("", "a" * 2_001):
        assert ticket.http.post(page, data={"text": text}).status_code == 422
    assert ticket.http.post(page, data={"text": "It is still missing."}).status_code == 303
    request = caseworker.get(f"/api/support/{id}").json()
    assert (request["status"], request["resolvedAt"]) == ("OPEN", None)
    assert [(reply["text"], reply["byAuthor"]) for reply in request["replies"]] == [
        (ANSWER, False),
        ("It is still missing.", True),
    ]


def test_a_person_sees_only_the_requests_from_who_belongs_to_the_story(caseworker: Client, client: Client):
    ticket, other = caseworker.open_ticket(contactValue=address()), caseworker.open_ticket(contactValue=address())
    of_stranger = open_support_ticket(client, ticketId=ticket.id, message="I know where you live.")
    of_other = open_support_ticket(other.http, ticketId=other.id)
    assert "I know where you live." not in ticket.http.get(f"/t/{ticket.id}/help").text
    for asked in (of_stranger, of_other, {"id": ticket.id}, {"id": "none"}):
        assert ticket.http.get(conversation(ticket, asked)).status_code == 404
        assert ticket.http.post(conversation(ticket, asked), data={"text": "Mine."}).status_code == 404


def test_a_person_with_only_a_phone_gets_the_beginning_as_a_text_and_the_link_to_all_of_it(
    live: LiveService, caseworker: Client
):
    phone = number()
    ticket = caseworker.open_ticket(contactType="PHONE", contactValue=phone)
    question = open_support_ticket(ticket.http, ticketId=ticket.id)
    path, long = f"/api/support/{question['id']}/replies", f"{ANSWER}\n\n{'We are sorry. ' * 40}"
    for answer in (ANSWER, long):
        assert caseworker.post(path, json={"text": answer}).status_code == 201
    short, beginning = [received.text for received in texts(live, phone)]
    assert ANSWER in short
    assert re.search(rf"{ANSWER} We are sorry\..*\.\.\. http\S+/t/{ticket.id}/help$", beginning)
    assert long.strip() in ticket.http.get(conversation(ticket, question)).text


def test_an_answer_to_a_visitor_with_a_phone_is_short_and_the_staff_learn_if_it_is_not_sent(live: LiveService):
    email, phone = new_address(), number()
    joined_member(live, "public", MemberRole.CASEWORKER, email)
    with closing(browser_of(live, email)) as browser, live.client() as visitor:
        path = f"/desk/support/{open_support_ticket(visitor, contact=phone)['id']}"
        refused = browser.post(f"{path}/replies", data={"text": "a" * 300})
        assert (refused.status_code, "no page to read a long answer on" in refused.text) == (409, True)
        done = [
            browser.post(f"{path}/replies", data={"text": f"Answer {count}"}).headers["location"].partition("=")[2]
            for count in range(9)
        ]
        assert (done[0], done[-1]) == ("replied", "kept")
        assert "it is not sent" in browser.get(f"{path}?done=kept").text
    assert len(texts(live, phone)) == done.count("replied")


def test_the_inbox_is_filtered_by_category_and_by_who_takes_care(live: LiveService, workspace: str, caseworker: Client):
    email = new_address()
    joined_member(live, workspace, MemberRole.ADMIN, email)
    browser = browser_of(live, email)
    own_id = browser.get("/api/me").json()["member"]["id"]
    ticket = caseworker.open_ticket(contactValue=address())
    mine, theirs = (
        open_support_ticket(ticket.http, ticketId=ticket.id, category=category)["id"]
        for category in ("PAYMENT", "DOCUMENT")
    )
    assigned = browser.post(f"/desk/support/{mine}/assignee", data={"assignee": own_id})
    assert (assigned.status_code, assigned.headers["location"]) == (303, f"/desk/support/{mine}?done=assigned")
    for query, ids in (
        ("", {mine, theirs}),
        ("&assignee=me", {mine}),
        (f"&assignee={own_id}", {mine}),
        ("&assignee=none", {theirs}),
        ("&category=DOCUMENT", {theirs}),
        ("&category=DOCUMENT&assignee=me", set()),
    ):
        listed = caseworker if "me" not in query else browser
        support_tickets = listed.get(f"/api/support/recent?limit=10{query}").json()["supportTickets"]
        assert {each["id"] for each in support_tickets} == ids
        page = browser.get(f"/desk/support?status=OPEN{query}").text
        assert {*re.findall(r'href="/desk/support/([^"?]+)"', page)} == ids
    assert browser.post(f"/desk/support/{mine}/assignee", data={"assignee": ticket.id}).status_code == 422
    assert browser.post(f"/desk/support/{mine}/assignee", data={"assignee": ""}).status_code == 303
    assert caseworker.get(f"/api/support/{mine}").json()["assignee"] is None
    types = {event["type"]: event["data"] for event in ticket.get("/history").json()["events"]}
    # The person learns that somebody takes care, and not who.
    assert types["SupportAssigned"] == {}

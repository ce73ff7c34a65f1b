"""The language and the currency of a workspace, where nobody says another one."""

from __future__ import annotations

import re
from email.message import EmailMessage

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from tests.client import Client, LiveService
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.test_login_codes import mails
from tests.members import joined_member, new_address

PAGE = {"Accept": "text/html"}


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def path(workspace: str) -> str:
    return f"/api/workspaces/{workspace}"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


def language_of(page: str) -> str:
    match = re.search(r'<html lang="([^"]+)"', page)
    assert match
    return match[1]


def html_language(mail: EmailMessage) -> str:
    html = mail.get_body(("html",))
    assert html is not None
    return language_of(html.get_content())


# Currency.


def test_a_goal_without_a_currency_is_in_that_of_the_workspace_and_a_stated_one_wins(owner: Client, path: str):
    before = owner.open_ticket()
    assert before.patch("/draft", {"goalAmount": 500}).json()["currency"] == "USD"
    owner.patch(path, json={"currency": "EUR"})
    ticket = owner.open_ticket()
    assert ticket.patch("/draft", {"goalAmount": 500}).json()["currency"] == "EUR"
    assert ticket.patch("/draft", {"goalAmount": 700, "currency": "GBP"}).json()["currency"] == "GBP"
    assert ticket.patch("/draft", {"goalAmount": 800}).json()["currency"] == "GBP"
    assert ticket.patch("/draft", {"currency": None}).json()["currency"] == "EUR"
    assert owner.open_ticket().patch("/draft", {"goalAmount": 5, "currency": "USD"}).json()["currency"] == "USD"
    # A ticket keeps the currency of its time.
    owner.patch(path, json={"currency": "JPY"})
    assert before.patch("/draft", {"goalAmount": 600}).json()["currency"] == "USD"
    assert owner.open_ticket().patch("/draft", {"goalAmount": 60_000}).json()["currency"] == "JPY"


def test_the_form_in_which_staff_write_a_story_names_the_currency(live: LiveService, owner: Client, path: str):
    english = PAGE | {"Accept-Language": "en"}
    assert "in US dollars?" in owner.get("/tell/write", headers=english).text
    owner.patch(path, json={"currency": "JPY"})
    assert "in JPY?" in owner.get("/tell/write", headers=english).text
    form = {"contact": "ada@example.com", "story": "The roof fell in.", "goalAmount": "100.50", "consent": "yes"}
    own_page = english | {"Sec-Fetch-Site": "same-origin"}
    refused = owner.post("/tell/write", data=form, headers=own_page)
    assert refused.status_code == 422
    assert 'href="#goalAmount"' in refused.text
    opened = owner.post("/tell/write", data=form | {"goalAmount": "60000"}, headers=own_page)
    assert opened.status_code == 303, opened.text
    ticket = owner.get(f"/api{opened.headers['location'].replace('/t/', '/tickets/')}?include=draft").json()
    assert (ticket["donationDraft"]["goalAmountMinor"], ticket["donationDraft"]["currency"]) == (60_000, "JPY")


# Language.


def test_pages_are_in_the_language_of_the_workspace_if_the_reader_names_none(
    live: LiveService, owner: Client, workspace: str, path: str
):
    owner.patch(path, json={"language": "es"})
    ticket = owner.open_ticket()
    ticket.write_draft(title="Ada", story="1, 2, 3.", beneficiary="Ada")
    published = ticket.post("/publish", {"consent": True})
    slug = published.json()["publicUrl"].rpartition("/")[2]
    with live.client() as visitor:
        for headers, language in ((PAGE, "es"), (PAGE | {"Accept-Language": "fr"}, "fr")):
            assert language_of(visitor.get(f"/d/{slug}", headers=headers).text) == language
        assert language_of(visitor.get(f"/d/{slug}?lang=en", headers=PAGE).text) == "en"
    for page in (f"/t/{ticket.id}/manage", "/desk"):
        assert language_of(owner.get(page, headers=PAGE).text) == "es"
        assert language_of(owner.get(page, headers=PAGE | {"Accept-Language": "en"}).text) == "en"


def test_invitations_and_codes_of_members_are_in_the_language_of_the_workspace(
    live: LiveService, owner: Client, path: str
):
    owner.patch(path, json={"language": "es"})
    address = new_address()
    assert owner.post(f"{path}/invitations", json={"email": address.value, "role": "admin"}).status_code == 201
    with live.client() as visitor:
        assert visitor.post("/api/session/code", json={"email": address.value}).status_code == 202
    invitation, code = mails(live, address.value)
    assert (html_language(invitation), html_language(code)) == ("es", "es")


def test_mails_about_a_story_are_in_the_language_of_the_workspace_if_that_of_the_story_is_not_known(
    live: LiveService, owner: Client, path: str
):
    owner.patch(path, json={"language": "es"})
    address = new_address()
    ticket = owner.open_ticket(contactValue=address.value)
    ticket.write_draft(title="Ada", story="1, 2, 3.", beneficiary="Ada")
    assert ticket.post("/publish", {"consent": True}).status_code == 200
    donate_in_sandbox(live, ticket)
    owner.post(f"{ticket.path}/suspend", json={"reason": "1"})
    received = mails(live, address.value)
    assert len(received) >= 2
    assert {html_language(mail) for mail in received} == {"es"}

"""A person with nothing but a phone comes back: by a code or a link in a text message, and with a new number."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.texts.limits import MAX_OF_ASKER_TO_NUMBER
from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.http.test_login_codes import address, mails, request_code, verify
from tests.entrypoints.http.test_manage_pages import browser_of, page
from tests.fakes.mailbox import text_of
from tests.fakes.text_provider import Received, text_files

CODE = re.compile(r"\d{4} \d{4}")
LINK = re.compile(r"http\S+/sign-in/\S+")


def number() -> str:
    """Return a number that no other test uses."""
    return f"+34600{random.randrange(10**6):06}"


@pytest.fixture
def browser(live: LiveService) -> Iterator[Client]:
    with browser_of(live) as browser:
        yield browser


def texts(live: LiveService, to: str) -> list[Received]:
    live.service.access.login_codes.run_all()
    live.service.mail.sender.run_all()
    return text_files(live.settings.outbox, to)


def code_in(text: Received) -> str:
    match = CODE.search(text.text)
    assert match is not None
    return match[0]


def test_a_code_by_text_opens_the_tickets_of_a_number(live: LiveService, client: Client):
    phone = number()
    ticket = client.open_ticket(contactType="PHONE", contactValue=phone)
    answer = verify(client, request_code(client, phone, "PHONE"), code_in(texts(live, phone)[-1]))
    assert answer.status_code == 200
    with live.client(answer.json()["accessToken"]) as returned:
        assert returned.get(ticket.path).json()["contactValue"] == phone


def test_the_page_takes_a_number_and_leads_to_what_was_asked_for(live: LiveService, browser: Client):
    phone = number()
    ticket = browser.open_ticket(contactType="PHONE", contactValue=phone)
    typed = f"{phone[:3]} {phone[3:6]} {phone[6:]}"
    code_page = browser.post("/find", data={"contact": typed, "next": f"/t/{ticket.id}"})
    query = parse_qs(urlsplit(code_page.headers["location"]).query)
    assert "Look at your text messages" in browser.get(code_page.headers["location"]).text
    form = {name: query[name][0] for name in ("request", "next", "by")}
    assert "Look at your text messages" in browser.post("/find/code", data={**form, "code": "0"}).text
    signed_in = browser.post("/find/code", data={**form, "code": code_in(texts(live, phone)[-1])})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, f"/t/{ticket.id}")


def test_the_link_in_a_text_is_short_and_signs_in_once(live: LiveService, browser: Client):
    phone = number()
    ticket = browser.open_ticket(contactType="PHONE", contactValue=phone)
    assert browser.post("/find", data={"contact": phone}).status_code == 303
    match = LINK.search(texts(live, phone)[-1].text)
    assert match is not None
    token = match[0].rpartition("/")[2]
    assert len(token) == 38
    # The last letter has bits that mean nothing.
    others = [token[:-1] + letter for letter in "ABCDwxyz" if letter != token[-1]]
    assert {browser.get(f"/sign-in/{other}").status_code for other in (*others, token[1:], "A" * 38)} == {404}
    assert browser.get(match[0]).status_code == 200
    assert browser.post(match[0], data={}).status_code == 303
    assert browser.get(ticket.path).status_code == 200
    browser.cookies.clear()
    assert browser.post(match[0], data={}).status_code == 404


def test_a_text_names_the_service_and_nothing_of_the_person(live: LiveService, client: Client):
    phone = number()
    ticket = client.open_ticket(contactType="PHONE", contactValue=phone, displayName="Ada Canaria")
    ticket.write_draft(title="A roof for Ada", story="The storm took it.")
    request_code(client, phone, "PHONE")
    text = texts(live, phone)[-1].text
    assert text.startswith("Storyledger")
    assert not any(word in text for word in ("Ada", "roof", "storm"))


def test_the_page_answers_alike_for_known_and_unknown_numbers(browser: Client):
    known, unknown = number(), number()
    browser.open_ticket(contactType="PHONE", contactValue=known)
    answers = [browser.post("/find", data={"contact": phone}) for phone in (known, unknown)]
    shape = re.compile("[0-9a-f-]{36}")
    assert len({shape.sub("", answer.headers["location"]) for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {303}


def test_an_unknown_number_gets_no_text(live: LiveService, client: Client):
    phone = number()
    request_code(client, phone, "PHONE")
    assert texts(live, phone) == []


def test_many_requests_cause_few_texts(live: LiveService, client: Client):
    phone = number()
    client.open_ticket(contactType="PHONE", contactValue=phone)
    for _ in range(MAX_OF_ASKER_TO_NUMBER + 2):
        request_code(client, phone, "PHONE")
    assert len(texts(live, phone)) == MAX_OF_ASKER_TO_NUMBER


def test_a_number_of_a_country_that_gets_no_texts_is_told_so(
    live: LiveService, browser: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live.service.mail.text_limits, "may_reach", lambda _: False)
    refused = browser.post("/find", data={"contact": number()})
    assert refused.status_code == 422
    assert "cannot send text messages to this number" in refused.text


def test_without_texts_the_page_says_that_codes_go_by_mail(
    live: LiveService, browser: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(vars(live.service.mail.outbox), "texts", None)
    assert "We send you a code by mail." in browser.get("/find").text
    assert "phone number" not in browser.get("/find").text
    refused = browser.post("/find", data={"contact": number()})
    assert refused.status_code == 422
    assert "only to e-mail addresses for now" in refused.text


def test_a_handle_is_told_that_it_gets_no_code(browser: Client):
    refused = browser.post("/find", data={"contact": "@ada"})
    assert "only to e-mail addresses and phone numbers" in refused.text


@pytest.mark.parametrize(("old", "new"), [(number, address), (address, number), (number, number)])
def test_a_contact_changes_between_mail_and_phone(
    live: LiveService, client: Client, old: Callable[[], str], new: Callable[[], str]
):
    def messages(to: str) -> list[str]:
        if to.startswith("+"):
            return [text.text for text in texts(live, to)]
        return [text_of(mail) for mail in mails(live, to)]

    before, after = old(), new()
    kind = "PHONE" if before.startswith("+") else "EMAIL"
    ticket = client.open_ticket(contactType=kind, contactValue=before)
    with browser_of(live, ticket.token) as browser:
        code_page = browser.post(page(ticket, "contact"), data={"contact": after})
        change = re.search(r'name="change" value="([^"]+)"', code_page.text)
        code = CODE.search(messages(after)[-1])
        assert change is not None
        assert code is not None
        form = {"change": change[1], "contact": after, "code": code[0]}
        changed = browser.post(page(ticket, "contact/code"), data=form)
    assert changed.status_code == 303
    assert ticket.get().json()["contactValue"] == after
    assert "contact" in messages(before)[-1]


def test_a_dead_text_is_listed_with_the_dead_mails(live: LiveService, client: Client):
    phone = number()
    client.open_ticket(contactType="PHONE", contactValue=phone)
    request_code(client, phone, "PHONE")
    live.service.access.login_codes.run_all()
    with live.service.database.connection() as connection:
        connection.execute("UPDATE outbox SET state = 'dead', sealed = '' WHERE state = 'waiting'")
    with live.client_with_key(Role.ADMIN) as admin:
        listed = admin.get("/admin/dead-mails?limit=100").json()["deadMails"][-1]
    assert listed["kind"] == "access_code"
    assert phone not in str(listed)

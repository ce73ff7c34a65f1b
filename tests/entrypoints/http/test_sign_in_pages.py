"""The pages on which people sign in without a password, find their stories, and sign out."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.client import Client, LiveService
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_login_codes import address, code_for, mails
from tests.fakes.mailbox import text_of

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
LINK = re.compile(r"http\S+/sign-in/\S+")


@pytest.fixture
def browser(live: LiveService):
    with Client(base_url=live.base_url, headers={"Accept": "text/html", **OWN_PAGE}) as browser:
        yield browser


def asked(browser: Client, contact: str, **more: str) -> httpx2.Response:
    answer = browser.post("/find", data={"contact": contact, **more})
    assert answer.status_code == 303, answer.text
    return answer


def link_for(live: LiveService, to: str) -> str:
    match = LINK.search(text_of(mails(live, to)[-1]))
    assert match is not None
    return match[0]


def test_a_code_signs_the_browser_in_and_leads_to_the_page_that_was_asked_for(live: LiveService, browser: Client):
    email = address()
    ticket = browser.open_ticket(contactValue=email)
    assert browser.get(ticket.path).status_code == 401
    leads_to = asked(browser, email.upper(), next=f"/t/{ticket.id}").headers["location"]
    query = parse_qs(urlsplit(leads_to).query)
    form = {"request": query["request"][0], "next": query["next"][0]}
    assert browser.get(leads_to).status_code == 200
    wrong = browser.post("/find/code", data={**form, "code": "0000 0000"})
    assert wrong.status_code == 422
    assert 'id="error-summary"' in wrong.text
    signed_in = browser.post("/find/code", data={**form, "code": code_for(live, email)})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, f"/t/{ticket.id}")
    assert "HttpOnly" in signed_in.headers["set-cookie"]
    assert browser.get(ticket.path).status_code == 200
    assert f'href="/t/{ticket.id}"' in browser.get("/find").text

    signed_out = browser.post("/sign-out", data={})
    assert signed_out.status_code == 303
    assert "Max-Age=0" in signed_out.headers["set-cookie"]
    # The session itself has ended, not only the cookie.
    old_cookie = signed_in.headers["set-cookie"].partition(";")[0]
    with Client(base_url=live.base_url, headers={"Cookie": old_cookie}) as other:
        problem(other.get(ticket.path), 401, "unauthenticated")


def test_the_page_answers_alike_for_known_and_unknown_contacts(live: LiveService, browser: Client):
    email = address()
    browser.open_ticket(contactValue=email)
    known, unknown = asked(browser, email), asked(browser, address())
    shape = re.compile("[0-9a-f-]{36}")
    assert shape.sub("", known.headers["location"]) == shape.sub("", unknown.headers["location"])
    pages = [shape.sub("", browser.get(answer.headers["location"]).text) for answer in (known, unknown)]
    assert pages[0] == pages[1]


def test_the_link_of_the_mail_shows_a_button_and_signs_in_once(live: LiveService, browser: Client):
    email = address()
    ticket = browser.open_ticket(contactValue=email)
    asked(browser, email)
    link = link_for(live, email)
    # Mail filters follow links, as often as they like.
    assert [browser.get(link).status_code for _ in range(2)] == [200, 200]
    assert browser.get(ticket.path).status_code == 401
    opened = browser.post(link, data={})
    assert (opened.status_code, opened.headers["location"]) == (303, "/find")
    assert browser.get(ticket.path).status_code == 200
    browser.cookies.clear()
    assert [browser.get(link).status_code, browser.post(link, data={}).status_code] == [404, 404]


def test_a_link_that_was_used_uses_up_the_code_of_its_mail_and_the_other_way_round(live: LiveService, browser: Client):
    for by_link in (True, False):
        email = address()
        browser.open_ticket(contactValue=email)
        request = parse_qs(urlsplit(asked(browser, email).headers["location"]).query)["request"][0]
        link, code = link_for(live, email), code_for(live, email)
        form = {"request": request, "code": code}
        answers = [browser.post(link, data={}), browser.post("/find/code", data=form)]
        if not by_link:
            email = address()
            browser.open_ticket(contactValue=email)
            form["request"] = parse_qs(urlsplit(asked(browser, email).headers["location"]).query)["request"][0]
            link, form["code"] = link_for(live, email), code_for(live, email)
            answers = [browser.post("/find/code", data=form), browser.post(link, data={})]
        assert answers[0].status_code == 303
        assert answers[1].status_code in (404, 422)


def test_a_link_expires_with_its_code(live: LiveService, browser: Client):
    email = address()
    browser.open_ticket(contactValue=email)
    asked(browser, email)
    link = link_for(live, email)
    with live.service.database.connection() as connection:
        connection.execute("UPDATE access_requests SET created_at = created_at - interval '11 minutes'")
    assert [browser.get(link).status_code, browser.post(link, data={}).status_code] == [404, 404]


def test_a_link_with_another_digest_opens_nothing(live: LiveService, browser: Client):
    email = address()
    browser.open_ticket(contactValue=email)
    asked(browser, email)
    link = link_for(live, email)
    changed = link[:-1] + ("0" if link[-1] != "0" else "1")
    assert [browser.get(changed).status_code, browser.post(changed, data={}).status_code] == [404, 404]


def test_an_access_token_signs_in_and_a_wrong_one_does_not(live: LiveService, browser: Client):
    ticket = browser.open_ticket()
    wrong = browser.post("/find", data={"contact": ticket.token[:-4] + "AAAA"})
    assert wrong.status_code == 422
    assert ticket.token[4:20] not in wrong.text
    assert browser.post("/find", data={"contact": f" {ticket.token}\n"}).status_code == 303
    assert browser.get(ticket.path).status_code == 200
    assert f'href="/t/{ticket.id}"' in browser.get("/find").text


@pytest.mark.parametrize("contact", ["", "no address", "@ada"])
def test_a_contact_that_gets_no_mail_is_explained(browser: Client, contact: str):
    answer = browser.post("/find", data={"contact": contact})
    assert answer.status_code == 422
    assert '<a href="#contact">' in answer.text


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"])
def test_nobody_is_led_to_another_site(browser: Client, path: str):
    ticket = browser.open_ticket()
    answer = browser.post("/find", data={"contact": ticket.token, "next": path})
    assert (answer.status_code, answer.headers["location"]) == (303, "/find")


def test_another_site_signs_nobody_in_or_out(live: LiveService, browser: Client):
    ticket = browser.open_ticket()
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert browser.post("/find", data={"contact": ticket.token}, headers=foreign).status_code == 403
    assert browser.post("/find", data={"contact": ticket.token}).status_code == 303
    assert browser.post("/sign-out", data={}, headers=foreign).status_code == 403
    assert browser.get(ticket.path).status_code == 200


def test_the_mail_is_in_the_language_of_the_page(live: LiveService, browser: Client):
    email = address()
    browser.open_ticket(contactValue=email)
    browser.cookies.set("language", "es")
    asked(browser, email)
    assert "es su código de Storyledger" in mails(live, email)[-1]["Subject"]

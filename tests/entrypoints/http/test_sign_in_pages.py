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
def visitor(live: LiveService):
    with Client(base_url=live.base_url, headers={"Accept": "text/html", **OWN_PAGE}) as visitor:
        yield visitor


def asked(visitor: Client, contact: str, **more: str) -> httpx2.Response:
    answer = visitor.post("/find", data={"contact": contact, **more})
    assert answer.status_code == 303, answer.text
    return answer


def link_for(live: LiveService, to: str) -> str:
    match = LINK.search(text_of(mails(live, to)[-1]))
    assert match is not None
    return match[0]


def test_a_code_signs_the_browser_in_and_leads_to_the_page_that_was_asked_for(live: LiveService, visitor: Client):
    email = address()
    ticket = visitor.open_ticket(contactValue=email)
    assert visitor.get(ticket.path).status_code == 401
    leads_to = asked(visitor, email.upper(), next=f"/t/{ticket.id}").headers["location"]
    query = parse_qs(urlsplit(leads_to).query)
    form = {"request": query["request"][0], "next": query["next"][0]}
    assert visitor.get(leads_to).status_code == 200
    wrong = visitor.post("/find/code", data={**form, "code": "0000 0000"})
    assert wrong.status_code == 422
    assert 'id="error-summary"' in wrong.text
    signed_in = visitor.post("/find/code", data={**form, "code": code_for(live, email)})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, f"/t/{ticket.id}")
    assert "HttpOnly" in signed_in.headers["set-cookie"]
    assert visitor.get(ticket.path).status_code == 200
    assert f'href="/t/{ticket.id}"' in visitor.get("/find").text

    signed_out = visitor.post("/sign-out", data={})
    assert signed_out.status_code == 303
    assert "Max-Age=0" in signed_out.headers["set-cookie"]
    # The session itself has ended, not only the cookie.
    old_cookie = signed_in.headers["set-cookie"].partition(";")[0]
    with Client(base_url=live.base_url, headers={"Cookie": old_cookie}) as other:
        problem(other.get(ticket.path), 401, "unauthenticated")


def test_the_page_answers_alike_for_known_and_unknown_contacts(live: LiveService, visitor: Client):
    email = address()
    visitor.open_ticket(contactValue=email)
    known, unknown = asked(visitor, email), asked(visitor, address())
    shape = re.compile("[0-9a-f-]{36}")
    assert shape.sub("", known.headers["location"]) == shape.sub("", unknown.headers["location"])
    pages = [shape.sub("", visitor.get(answer.headers["location"]).text) for answer in (known, unknown)]
    assert pages[0] == pages[1]


def test_the_link_of_the_mail_shows_a_button_and_signs_in_once(live: LiveService, visitor: Client):
    email = address()
    ticket = visitor.open_ticket(contactValue=email)
    asked(visitor, email)
    link = link_for(live, email)
    # Mail filters follow links, as often as they like.
    assert [visitor.get(link).status_code for _ in range(2)] == [200, 200]
    assert visitor.get(ticket.path).status_code == 401
    opened = visitor.post(link, data={})
    assert (opened.status_code, opened.headers["location"]) == (303, "/find")
    assert visitor.get(ticket.path).status_code == 200
    visitor.cookies.clear()
    assert [visitor.get(link).status_code, visitor.post(link, data={}).status_code] == [404, 404]


def test_a_link_that_was_used_uses_up_the_code_of_its_mail_and_the_other_way_round(live: LiveService, visitor: Client):
    for by_link in (True, False):
        email = address()
        visitor.open_ticket(contactValue=email)
        request = parse_qs(urlsplit(asked(visitor, email).headers["location"]).query)["request"][0]
        link, code = link_for(live, email), code_for(live, email)
        form = {"request": request, "code": code}
        answers = [visitor.post(link, data={}), visitor.post("/find/code", data=form)]
        if not by_link:
            email = address()
            visitor.open_ticket(contactValue=email)
            form["request"] = parse_qs(urlsplit(asked(visitor, email).headers["location"]).query)["request"][0]
            link, form["code"] = link_for(live, email), code_for(live, email)
            answers = [visitor.post("/find/code", data=form), visitor.post(link, data={})]
        assert answers[0].status_code == 303
        assert answers[1].status_code in (404, 422)


def test_a_link_expires_with_its_code(live: LiveService, visitor: Client):
    email = address()
    visitor.open_ticket(contactValue=email)
    asked(visitor, email)
    link = link_for(live, email)
    with live.service.database.connection() as connection:
        connection.execute("UPDATE access_requests SET created_at = created_at - interval '11 minutes'")
    assert [visitor.get(link).status_code, visitor.post(link, data={}).status_code] == [404, 404]


def test_a_link_with_another_digest_opens_nothing(live: LiveService, visitor: Client):
    email = address()
    visitor.open_ticket(contactValue=email)
    asked(visitor, email)
    link = link_for(live, email)
    changed = link[:-1] + ("0" if link[-1] != "0" else "1")
    assert [visitor.get(changed).status_code, visitor.post(changed, data={}).status_code] == [404, 404]


def test_an_access_token_signs_in_and_a_wrong_one_does_not(live: LiveService, visitor: Client):
    ticket = visitor.open_ticket()
    wrong = visitor.post("/find", data={"contact": ticket.token[:-4] + "AAAA"})
    assert wrong.status_code == 422
    assert ticket.token[4:20] not in wrong.text
    assert visitor.post("/find", data={"contact": f" {ticket.token}\n"}).status_code == 303
    assert visitor.get(ticket.path).status_code == 200
    assert f'href="/t/{ticket.id}"' in visitor.get("/find").text


@pytest.mark.parametrize("contact", ["", "no address", "@ada"])
def test_a_contact_that_gets_no_mail_is_explained(visitor: Client, contact: str):
    answer = visitor.post("/find", data={"contact": contact})
    assert answer.status_code == 422
    assert '<a href="#contact">' in answer.text


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"])
def test_nobody_is_led_to_another_site(visitor: Client, path: str):
    ticket = visitor.open_ticket()
    answer = visitor.post("/find", data={"contact": ticket.token, "next": path})
    assert (answer.status_code, answer.headers["location"]) == (303, "/find")


def test_another_site_signs_nobody_in_or_out(live: LiveService, visitor: Client):
    ticket = visitor.open_ticket()
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert visitor.post("/find", data={"contact": ticket.token}, headers=foreign).status_code == 403
    assert visitor.post("/find", data={"contact": ticket.token}).status_code == 303
    assert visitor.post("/sign-out", data={}, headers=foreign).status_code == 403
    assert visitor.get(ticket.path).status_code == 200


def test_the_mail_is_in_the_language_of_the_page(live: LiveService, visitor: Client):
    email = address()
    visitor.open_ticket(contactValue=email)
    visitor.cookies.set("language", "es")
    asked(visitor, email)
    assert "es su código de Storyledger" in mails(live, email)[-1]["Subject"]

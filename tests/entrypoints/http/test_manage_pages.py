"""The pages on which holders look after a published story."""

from __future__ import annotations

import re
from io import BytesIO

from PIL import Image

from tests.adapters.documents.sheets import rasterised, read_codes
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import give_with_words
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_login_codes import address, mails
from tests.fakes.mailbox import text_of

OWN_PAGE = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
CODE = re.compile(r"\d{4} \d{4}")


def browser_of(live: LiveService, credential: str = "") -> Client:
    cookie = {"Cookie": f"session={credential}"} if credential else {}
    return Client(base_url=live.base_url, headers=OWN_PAGE | cookie)


def page(ticket: Ticket, name: str) -> str:
    return f"/t/{ticket.id}/{name}"


def session_in(answer) -> str:
    match = re.search(r"session=([^;]+)", answer.headers["set-cookie"])
    assert match is not None
    return match[1]


def test_a_browser_that_is_not_signed_in_is_led_to_the_sign_in(live: LiveService, ticket: Ticket):
    with browser_of(live) as browser:
        answer = browser.get(page(ticket, "manage"))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/find?next=%2Ft%2F")


def test_my_page_shows_the_address_while_it_is_public_and_takes_it_down(live: LiveService, ticket: Ticket):
    url = ticket.publish()
    with browser_of(live, ticket.token) as browser:
        shown = browser.get(page(ticket, "manage"))
        assert shown.status_code == 200
        assert url in shown.text
        assert "ada@example.com" not in shown.text
        taken_down = browser.post(page(ticket, "manage/unpublish"))
        assert (taken_down.status_code, browser.get(url).status_code) == (303, 404)
        assert "Publish it" in browser.get(taken_down.headers["location"]).text


def test_a_story_is_erased_only_with_the_word_of_the_page(live: LiveService, ticket: Ticket):
    with browser_of(live, ticket.token) as browser:
        assert browser.post(page(ticket, "erase"), data={"word": "yes"}).status_code == 422
        assert "borrar" in browser.get(page(ticket, "erase") + "?lang=es").text
        erased = browser.post(page(ticket, "erase"), data={"word": " Erase "})
    assert (erased.status_code, erased.headers["location"]) == (303, "/find?erased")
    assert "Max-Age=0" in erased.headers["set-cookie"]
    assert ticket.get().status_code == 401


def sheet(live: LiveService, ticket: Ticket) -> str:
    """Make a recovery sheet, and return the link that a camera reads from it."""
    with browser_of(live, ticket.token) as browser:
        answer = browser.post(page(ticket, "recovery"))
    assert answer.status_code == 200
    code = re.search(r'<div class="code"[^>]*>(.*?)</div>', answer.text, re.DOTALL)
    assert code is not None
    [link] = read_codes(Image.open(BytesIO(rasterised(code[1].encode()))))
    assert link.startswith(f"{live.base_url}/recover/")
    return link


def test_a_recovery_sheet_opens_its_story_once(live: LiveService, client: Client, ticket: Ticket):
    link, other = sheet(live, ticket), client.open_ticket()
    with browser_of(live) as browser:
        assert [browser.get(link).status_code for _ in range(2)] == [200, 200]
        opened = browser.post(link)
        assert (opened.status_code, opened.headers["location"]) == (303, f"/t/{ticket.id}/recovery?used")
        assert [browser.get(link).status_code, browser.post(link).status_code] == [404, 404]
    with browser_of(live, session_in(opened)) as browser:
        assert browser.get(ticket.path).status_code == 200
        assert browser.get(other.path).status_code == 404
        assert f"/t/{ticket.id}" in browser.get("/find").text
        assert browser.post("/sign-out").status_code == 303
        assert browser.get(ticket.path).status_code == 401


def test_a_new_sheet_replaces_the_earlier_one(live: LiveService, ticket: Ticket):
    first = sheet(live, ticket)
    second = sheet(live, ticket)
    with browser_of(live) as browser:
        assert [browser.get(first).status_code, browser.get(second).status_code] == [404, 200]


def test_erasing_ends_the_sheet_and_the_sessions_that_it_opened(live: LiveService, ticket: Ticket):
    with browser_of(live) as browser:
        session = session_in(browser.post(sheet(live, ticket)))
        link = sheet(live, ticket)
        assert ticket.http.delete(ticket.path).status_code == 202
        assert browser.get(link).status_code == 404
    with browser_of(live, session) as browser:
        assert browser.get(ticket.path).status_code == 401


def asked_for_change(live: LiveService, browser: Client, ticket: Ticket, to: str) -> dict[str, str]:
    answer = browser.post(page(ticket, "contact"), data={"contact": to})
    assert answer.status_code == 200, answer.text
    change = re.search(r'name="change" value="([^"]+)"', answer.text)
    code = CODE.search(text_of(mails(live, to)[-1]))
    assert change is not None
    assert code is not None
    return {"change": change[1], "contact": to, "code": code[0]}


def test_a_new_contact_is_confirmed_with_a_code_and_the_old_one_gets_a_notice(live: LiveService, client: Client):
    old, new = address(), address()
    ticket = client.open_ticket(contactValue=old)
    with browser_of(live, ticket.token) as browser:
        form = asked_for_change(live, browser, ticket, new)
        wrong = browser.post(page(ticket, "contact/code"), data={**form, "code": "0000 0000"})
        assert wrong.status_code == 422
        another = browser.post(page(ticket, "contact/code"), data={**form, "contact": address()})
        assert another.status_code == 422
        assert browser.post(page(ticket, "contact/code"), data=form).status_code == 303
        # The code works once.
        assert browser.post(page(ticket, "contact/code"), data=form).status_code == 422
    assert ticket.get().json()["contactValue"] == new
    assert "changed" in mails(live, old)[-1]["Subject"]


def test_the_code_for_a_new_contact_is_no_login_code(live: LiveService, client: Client, ticket: Ticket):
    victim = address()
    client.open_ticket(contactValue=victim)
    with browser_of(live, ticket.token) as browser:
        form = asked_for_change(live, browser, ticket, victim)
    answer = client.post("/api/access/verify", json={"requestId": form["change"], "code": form["code"]})
    assert answer.status_code == 401
    assert "/sign-in/" not in text_of(mails(live, victim)[-1])


def test_a_code_of_one_story_changes_no_other(live: LiveService, client: Client, ticket: Ticket):
    other = client.open_ticket()
    with browser_of(live, ticket.token) as browser:
        form = asked_for_change(live, browser, ticket, address())
    with browser_of(live, other.token) as browser:
        assert browser.post(page(other, "contact/code"), data=form).status_code == 422


def test_codes_for_new_contacts_are_limited(live: LiveService, ticket: Ticket):
    with browser_of(live, ticket.token) as browser:
        answers = [browser.post(page(ticket, "contact"), data={"contact": address()}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [422]


def test_every_link_of_my_page_leads_somewhere(live: LiveService, ticket: Ticket):
    ticket.publish()
    with browser_of(live, ticket.token) as browser:
        browser.follow_redirects = True
        for name in ("manage", "erase", "contact", "recovery"):
            links = set(re.findall(r'href="(/[^"]*)"', browser.get(page(ticket, name)).text)) - {"/tell"}
            statuses = {link: browser.get(link).status_code for link in links}
            assert set(statuses.values()) == {200}, statuses


WORDS = "Stay strong!"


def words_path(ticket: Ticket) -> str:
    donation = ticket.get("/donations").json()["donations"][0]["id"]
    return f"{ticket.path}/donations/{donation}/words"


def test_a_holder_takes_the_words_of_a_donor_off_the_page_and_puts_them_back(
    live: LiveService, client: Client, ticket: Ticket
):
    url = ticket.publish()
    give_with_words(live, client, url, name="Grace", message=WORDS)
    words = ticket.http.get(words_path(ticket)).json()
    assert (words["name"], words["message"], words["shown"], words["hidden"]) == ("Grace", WORDS, True, False)
    with browser_of(live, ticket.token) as browser:
        for hidden, button in (("yes", "Show these words"), ("no", "Take these words")):
            form = {"donation": words["donationId"], "hidden": hidden}
            for _ in range(2):
                changed = browser.post(page(ticket, "manage/words"), data=form)
            assert changed.status_code == 303
            manage = browser.get(changed.headers["location"]).text
            assert WORDS in manage
            assert f">{button} " in manage
            public = client.get(url).text
            assert (WORDS in public, "Grace" in public) == (hidden == "no", hidden == "no")
            assert "1 gift" in public
    assert ticket.http.patch(words_path(ticket), json={"hidden": True}).json()["hidden"] is True
    assert WORDS not in client.get(url).text
    events = [event["type"] for event in ticket.get("/history?limit=100").json()["events"] if "Donor" in event["type"]]
    assert events == ["DonorWordsHidden", "DonorWordsShown", "DonorWordsHidden"]


def test_words_that_the_donor_keeps_private_cannot_be_shown(live: LiveService, client: Client, ticket: Ticket):
    url = ticket.publish()
    checkout = client.post(url, data={"amount": "20", "name": "Grace", "message": WORDS})
    assert checkout.status_code == 303
    assert ticket.http.patch(words_path(ticket), json={"hidden": False}).json()["shown"] is False
    assert WORDS not in client.get(url).text


def test_a_gift_without_words_and_one_of_another_story_are_not_found(
    live: LiveService, client: Client, ticket: Ticket, auditor: Client
):
    ticket.pay(5)
    problem(ticket.http.get(words_path(ticket)), 404, "not-found")
    problem(ticket.http.patch(words_path(ticket), json={"hidden": True}), 404, "not-found")
    problem(ticket.http.patch(words_path(ticket), json={"hidden": "yes"}), 422, "invalid")
    other = client.open_ticket()
    give_with_words(live, client, other.publish(), name="Grace", message=WORDS)
    foreign = words_path(other).replace(other.id, ticket.id)
    problem(ticket.http.get(foreign), 404, "not-found")
    problem(ticket.http.patch(foreign, json={"hidden": True}), 404, "not-found")
    assert auditor.get(words_path(other)).json()["message"] == "[masked]"
    with browser_of(live, ticket.token) as browser:
        form = {"donation": foreign.split("/")[-2], "hidden": "yes"}
        assert browser.post(page(ticket, "manage/words"), data=form).status_code == 404

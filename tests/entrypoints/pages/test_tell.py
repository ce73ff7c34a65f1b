"""The pages on which a person tells a story: by voice, with a file, or in writing."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from adapters import consent_texts
from entrypoints.http.handlers.tell_pages import SPOKEN_LANGUAGES
from tests.browser import checked
from tests.client import RECORDING, Client, LiveService, eventually
from tests.entrypoints.conftest import closed_intake

TEXT = ("textVersion", "textLanguage")
PERSON = {"contact": "ada@example.com", "name": "Ada Lovelace", "consent": "yes"}
SPEECH = RECORDING.read_bytes()


def send_file(client: Client, data: bytes = SPEECH, path: str = "/tell/file", **fields: str) -> httpx2.Response:
    return client.post(path, data=PERSON | fields, files={"audio": ("story.webm", data)})


def signed_in(live: LiveService, answer: httpx2.Response) -> tuple[str, Client]:
    """Return the ticket that the page leads to and a client with its cookie."""
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    client = live.client()
    client.headers["Cookie"] = cookie.partition(";")[0]
    return answer.headers["location"].removeprefix("/t/"), client


def test_a_file_opens_a_ticket_and_the_work_on_it_starts(live: LiveService):
    with live.client() as browser:
        answer = send_file(browser)
    assert answer.status_code == 303, answer.text
    ticket_id, holder = signed_in(live, answer)
    ticket = holder.get(f"/api/tickets/{ticket_id}").json()
    assert (ticket["displayName"], ticket["status"]) == ("Ada Lovelace", "PROCESSING")
    [recording] = live.service.aggregates.tickets.get(UUID(ticket_id)).recordings
    assert recording.content.size_bytes == len(SPEECH)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"contact": "Maria"}, "contact"),
        ({"contact": ""}, "contact"),
        ({"consent": ""}, "consent"),
        ({"name": "x" * 121}, "name"),
    ],
)
def test_a_form_that_is_not_complete_is_shown_again(live: LiveService, fields: dict[str, str], fault: str):
    events = live.row_count("events")
    with live.client() as browser:
        for answer in (
            send_file(browser, **fields),
            browser.post("/tell/write", data=PERSON | {"story": "The roof fell in."} | fields),
        ):
            assert answer.status_code == 422
            assert f'<a href="#{fault}">' in answer.text
            assert "set-cookie" not in answer.headers
    assert live.row_count("events") == events


def test_a_file_without_sound_can_be_sent_again_for_the_same_ticket(live: LiveService):
    with live.client() as browser:
        assert '<a href="#audio">' in send_file(browser, b"").text
        refused = send_file(browser, b"no sound" * 100)
    assert refused.status_code == 422
    assert '<a href="#audio">' in refused.text
    path = "/tell/" + refused.text.partition('action="/tell/')[2].partition('"')[0]
    with live.client() as browser:
        headers = {"Cookie": refused.headers["set-cookie"].partition(";")[0], "Sec-Fetch-Site": "same-origin"}
        again = browser.post(path, files={"audio": ("story.webm", SPEECH)}, headers=headers)
    assert (again.status_code, again.headers["location"]) == (303, path.replace("/tell/", "/t/"))


def test_a_written_story_becomes_the_draft(live: LiveService):
    story = {"story": "El techo se cayó.\r\nDormimos fuera.", "title": "Un techo", "goalAmount": "1500"}
    with live.client() as browser:
        for wrong, fault in (({"goalAmount": "much"}, "goalAmount"), ({"story": " "}, "story")):
            refused = browser.post("/tell/write", data=PERSON | story | wrong)
            assert refused.status_code == 422
            assert f'<a href="#{fault}">' in refused.text
        answer = browser.post("/tell/write", data=PERSON | story)
    assert answer.status_code == 303, answer.text
    ticket_id, holder = signed_in(live, answer)
    draft = holder.get(f"/api/tickets/{ticket_id}", params={"include": "draft"}).json()["donationDraft"]
    assert (draft["title"], draft["goalAmount"]) == ("Un techo", 1500)
    assert draft["story"] == "El techo se cayó.\nDormimos fuera."


def consents_of(holder: Client, ticket_id: str) -> list[dict[str, Any]]:
    answer = holder.get(f"/api/tickets/{ticket_id}/consents").json()
    assert answer["given"] == ["story"]
    records: list[dict[str, Any]] = answer["consents"]
    return records


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_consent_given_before_telling_is_on_record(live: LiveService, language: str):
    with live.client() as browser:
        page = browser.get("/tell/write", params={"lang": language}).text
        shown = consent_texts.consent_text("1", language).telling
        assert f'<span lang="{language}">{shown}</span>' in page
        text = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in TEXT}
        assert text == {"textVersion": "1", "textLanguage": language}
    story, opening = (
        PERSON | text | {"story": "The roof fell in."},
        {"contact": "ada@example.com", "consent": True, **text},
    )
    with live.client() as first, live.client() as second, live.client() as third:
        by_form = [signed_in(live, first.post("/tell/write", data=story)), signed_in(live, send_file(second, **text))]
        opened = third.post("/tell", json=opening)
        opened.headers["location"] = f"/t/{opened.json()['ticketId']}"
        by_script = signed_in(live, opened)
    for ticket_id, holder in (*by_form, by_script):
        (record,) = consents_of(holder, ticket_id)
        assert (record["textVersion"], record["language"]) == ("1", language)
        assert (record["how"], record["actor"], record["scopes"]) == ("typed", "holder", ["story"])


def test_publishing_asks_for_what_is_still_missing(live: LiveService):
    with live.client() as browser:
        ticket_id, holder = signed_in(live, browser.post("/tell/write", data=PERSON | {"story": "The roof fell in."}))
        holder.headers["Sec-Fetch-Site"] = "same-origin"
        draft = {"title": "A roof", "goalAmount": 1500, "beneficiary": "Ada"}
        assert holder.patch(f"/api/tickets/{ticket_id}/draft", json=draft).status_code == 200
        page = holder.get(f"/t/{ticket_id}/publish").text
    assert re.search(r'id="show-story"[^>]* checked', page)
    assert re.search(r'id="show-name"[^>]*>', page)
    assert not re.search(r'id="show-name"[^>]* checked', page)


def test_no_story_is_opened_with_an_unknown_text(live: LiveService):
    events = live.row_count("events")
    with live.client() as browser:
        for text in ({"textVersion": "0"}, {"textLanguage": "x" * 21}):
            body = {"contact": "ada@example.com", "consent": True, **text}
            assert browser.post("/tell", json=body).status_code == 422
            assert browser.post("/tell/write", data=PERSON | {"story": "A roof."} | text).status_code == 422
    assert live.row_count("events") == events


def test_a_repeated_request_for_a_ticket_signs_in_only_who_sent_it_first(live: LiveService):
    body = {"contact": "ada@example.com", "consent": True}

    def post(key: str, body: dict[str, Any] = body) -> httpx2.Response:
        with live.client() as browser:
            return browser.post("/tell", json=body, headers={"Idempotency-Key": key})

    unguessable, guessable = "7c1c2c4e-2f4e-4a51-9d0e-0d5f0a3b9f11", "1"
    first, again = post(unguessable), post(unguessable)
    assert first.json() == again.json()
    assert first.headers["set-cookie"] == again.headers["set-cookie"]
    assert "set-cookie" in post(guessable).headers
    assert "set-cookie" not in post(guessable).headers
    assert post("2", body | {"consent": False}).status_code == 422
    assert post("3", body | {"contact": "Maria"}).status_code == 422


def test_only_this_page_may_use_the_microphone(live: LiveService):
    with live.client() as browser:
        assert "microphone=(self)" in browser.get("/tell").headers["permissions-policy"]
        assert "microphone=()" in browser.get("/tell/file").headers["permissions-policy"]


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_the_words_that_are_read_aloud_are_those_of_the_page(live: LiveService, language: str):
    with live.client() as browser:
        page = browser.get("/tell", params={"lang": language}).text
        words = browser.get(f"/static/tell-{language}.txt").text
        sound = browser.get(f"/static/tell-{language}.mp3")
    assert [line for line in words.splitlines() if f">{line}<" not in page] == []
    assert sound.headers["content-type"] == "audio/mpeg"


def test_a_closed_intake_is_explained(live: LiveService):
    with closed_intake(live), live.client() as browser:
        for path in ("/tell", "/tell/file", "/tell/write"):
            assert "New stories are not taken here at the moment" in browser.get(path).text


def leads_elsewhere(page: Page) -> None:
    """Answer for the page of the ticket, which other tests are about."""
    page.route("**/t/*", lambda route: route.fulfill(body="<title>The ticket</title>", content_type="text/html"))


def record(page: Page, until: str) -> None:
    """Record until the clock shows this time, with a pause."""
    page.locator("#record").click()
    expect(page.locator("#time")).to_have_text("0:01")
    page.locator("#pause").click()
    expect(page.locator("#pause")).to_have_text("Go on")
    page.locator("#pause").click()
    expect(page.locator("#time")).to_have_text(until)
    page.locator("#finish").click()


def test_a_story_is_recorded_heard_and_sent_over_a_bad_network(live: LiveService, browser: Browser):
    with checked(browser, live.base_url, permissions=("microphone",)) as tab:
        page = tab.open("/tell")
        with page.expect_request("**/static/tell-en.mp3*"):
            page.get_by_role("button", name="Read this page aloud").click()
        record(page, "0:03")
        expect(page.get_by_role("heading", name="Hear your recording")).to_be_visible()
        page.evaluate("document.querySelector('#playback').play()")
        page.wait_for_function("document.querySelector('#playback').currentTime > 0")

        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("alert")).to_contain_text("Write an e-mail address or a phone number")
        page.get_by_label("Your e-mail address or phone number").fill("ada@example.com")
        page.get_by_label("I agree").check()

        # Of the first part nothing arrives, and the browser is closed and opened again.
        lost: list[str] = []

        def lose(route: Route) -> None:
            if route.request.method == "PATCH":
                lost.append(route.request.url)
                route.abort()
            else:
                route.continue_()

        page.route("**/api/uploads/**", lose)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Your recording is being sent")).to_be_visible()
        eventually(lambda: page.evaluate("true") and lost)
        tab.accessible()
        page.goto("about:blank")
        page.unroute_all()
        leads_elsewhere(page)
        page.goto(live.base_url + "/tell")
        page.wait_for_url("**/t/*")
        ticket_id = page.url.rpartition("/")[2]
        # The browser reports each request that was lost on purpose, some of them late.
        tab.complaints[:] = [text for text in tab.complaints if "net::ERR_" not in text]
        # The upload that was begun before the reload was continued.
        assert lost
        assert live.service.database.row(
            "SELECT count(*), bool_and(received = length) FROM uploads WHERE ticket_id = %s", (ticket_id,)
        ) == (1, True)
        [recording] = live.service.aggregates.tickets.get(UUID(ticket_id)).recordings
        assert recording.duration_ms > 2000
        # A borrowed phone keeps nothing.
        kept = page.evaluate(
            """async () => (await new Promise((done) => {
              const open = indexedDB.open("tell");
              open.onsuccess = () => {
                const all = open.result.transaction("chunks").objectStore("chunks").count();
                all.onsuccess = () => done(all.result);
              };
            }))"""
        )
        assert kept == 0


def test_a_recording_outlives_the_page(live: LiveService, browser: Browser):
    with checked(browser, live.base_url, permissions=("microphone",), language="es") as tab:
        page = tab.open("/tell")
        page.locator("#record").click()
        expect(page.locator("#time")).to_have_text("0:02")
        page.reload()
        expect(page.get_by_role("heading", name="Escuche su grabación")).to_be_visible()
        page.evaluate("document.querySelector('#playback').play()")
        page.wait_for_function("document.querySelector('#playback').currentTime > 0")


def test_more_is_told_for_the_same_ticket(live: LiveService, browser: Browser):
    with live.client() as visitor:
        ticket = visitor.open_ticket()
    with checked(browser, live.base_url, credential=ticket.token, permissions=("microphone",)) as tab:
        page = tab.open(f"/tell/{ticket.id}")
        leads_elsewhere(page)
        page.locator("#record").click()
        expect(page.locator("#time")).to_have_text("0:01")
        page.locator("#finish").click()
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/t/*")
    assert len(live.service.aggregates.tickets.get(UUID(ticket.id)).recordings) == 1
    assert ticket.get().json()["status"] == "PROCESSING"


def test_without_scripts_the_way_leads_to_the_forms(live: LiveService, browser: Browser):
    with checked(browser, live.base_url, scripts=False) as tab:
        page = tab.open("/tell")
        page.locator("#record").click()
        expect(page.get_by_label("Your recording")).to_be_visible()
        page.get_by_role("link", name="Write your story").click()
        page.get_by_role("textbox", name="Your story").fill("The roof fell in.")
        page.get_by_role("button", name="Keep my story").click()
        # The browser itself asks for what is missing.
        expect(page.get_by_label("Your e-mail address or phone number")).to_be_focused()

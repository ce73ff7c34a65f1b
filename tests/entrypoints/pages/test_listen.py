"""A person who does not read goes through the draft by ear, and decides with two buttons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from domain.values import Segment, Transcript
from tests.browser import checked
from tests.client import DEMO_RECORDING, RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.fakes.drafting import DRAFT, SPOKEN


@pytest.fixture
def holder(live: LiveService, ticket: Ticket) -> Iterator[Client]:
    """Return a browser without scripts, which is signed in."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    cookies = {"session": ticket.token}
    with Client(base_url=live.base_url, headers=headers, cookies=cookies, follow_redirects=True) as browser:
        yield browser


def record(ticket: Ticket, work: JobRunner, transcript: Transcript, recording: Path = RECORDING) -> None:
    ticket.upload(recording.read_bytes())
    ticket.post("/process")
    work.do(ticket, SPOKEN, outcome=transcript)


def heard(text: str) -> Transcript:
    return Transcript(text, "en", "fake", (Segment(text, 200, 900),))


def words(page: httpx2.Response) -> str | None:
    match = re.search(r'<blockquote class="passage"[^>]*>([^<]*)<', page.text)
    return match[1] if match else None


def press(holder: Client, ticket: Ticket, page: httpx2.Response, button: str) -> httpx2.Response:
    """Press a button of the page: send the fields of its form."""
    form = next(form for form in re.findall(r"<form method=.*?</form>", page.text, re.S) if button in form)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    path = f"/t/{ticket.id}/listen"
    return holder.post(path, data=fields) if 'method="post"' in form else holder.get(path, params=fields)


def story_of(ticket: Ticket) -> Any:
    return ticket.get("", params={"include": "draft"}).json()["donationDraft"]["story"]


def test_every_part_is_gone_through_and_the_end_says_what_was_decided(holder: Client, ticket: Ticket, work: JobRunner):
    record(ticket, work, heard("My name is Ada Moss."))
    page = press(holder, ticket, holder.get(f"/t/{ticket.id}/listen"), "Begin")
    met = [words(page)]
    page = press(holder, ticket, page, "Right")
    assert "<audio" in page.text
    wrong = press(holder, ticket, page, "Wrong")
    assert f'href="/tell/{ticket.id}"' in wrong.text
    page = press(holder, ticket, wrong, "Leave it out")
    assert story_of(ticket) == "We need fifteen hundred dollars for the rent."
    while words(page):
        met.append(words(page))
        page = press(holder, ticket, page, "Right")
    assert met == [
        DRAFT.title,
        "We need fifteen hundred dollars for the rent.",
        "Ada Moss",
        DRAFT.location,
        "1,500 USD",
    ]
    assert "5 parts are right. You left out 1 part." in page.text
    assert f'href="/t/{ticket.id}/publish"' in page.text


def test_the_title_and_the_goal_are_asked_for_again_and_not_left_out(holder: Client, ticket: Ticket):
    ticket.write_draft()
    wrong = holder.get(f"/t/{ticket.id}/listen?at=1&wrong=1")
    assert "Leave it out" not in wrong.text
    assert f'href="/t/{ticket.id}/questions/title?check=1"' in wrong.text
    holder.post(f"/t/{ticket.id}/listen", data={"at": "1", "text": "Help Ada"})
    assert ticket.get("", params={"include": "draft"}).json()["donationDraft"]["title"] == "Help Ada"


def test_a_part_that_changed_meanwhile_is_heard_again_before_it_is_left_out(holder: Client, ticket: Ticket):
    ticket.write_draft(story="It rains in.")
    wrong = holder.get(f"/t/{ticket.id}/listen?at=2&wrong=1")
    ticket.patch("/draft", {"story": "It snows in."})
    again = press(holder, ticket, wrong, "Leave it out")
    assert "Your story changed meanwhile." in again.text
    assert (words(again), story_of(ticket)) == ("It snows in.", "It snows in.")


def test_a_later_recording_is_put_into_a_story_that_the_person_wrote(holder: Client, ticket: Ticket, work: JobRunner):
    record(ticket, work, heard("My name is Ada Moss."))
    ticket.patch("/draft", {"story": "My name is Ada Moss."})
    record(ticket, work, heard("The roof is broken."), DEMO_RECORDING)
    page = holder.get(f"/t/{ticket.id}/listen?at=6")
    assert words(page) == "The roof is broken."
    page = press(holder, ticket, page, "Yes")
    assert story_of(ticket) == "My name is Ada Moss.\nThe roof is broken."
    assert "You put in 1 sentence." in page.text
    assert "The roof is broken." not in holder.get(f"/t/{ticket.id}/listen?at=7").text


@pytest.mark.browser
def test_the_draft_is_checked_with_the_keyboard_alone(
    browser: Browser, live: LiveService, ticket: Ticket, work: JobRunner
):
    record(ticket, work, heard("My name is Ada Moss."))
    with checked(browser, live.base_url, credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}/listen")
        page.locator("main form button").press("Enter")
        expect(page.locator("#listen")).to_have_attribute("data-at", "1")
        page.locator(".right").press("Enter")
        # The sentence of the recording plays by itself.
        expect(page.locator(".hear.playing")).to_have_count(1)
        expect(page.locator(".hear.playing, .hear.failed")).to_have_count(0)
        page.locator(".wrong-one").press("Enter")
        page.locator("button.danger").press("Enter")
        expect(page.locator("#words")).to_have_text("We need fifteen hundred dollars for the rent.")


# A device with a voice that asks its maker's servers, and one that does not.
VOICES = """
window.spoken = [];
speechSynthesis.getVoices = () => [
  { name: "far", lang: "en-US", localService: false, default: true },
  { name: "near", lang: "en_GB", localService: true, default: false },
];
speechSynthesis.speak = (utterance) => window.spoken.push(utterance.text);
window.SpeechSynthesisUtterance = class {
  constructor(text) { this.text = text; }
  set voice(voice) { this.text = `${voice.name}: ${this.text}`; this.own = voice; }
  get voice() { return this.own; }
};
"""


@pytest.mark.browser
def test_typed_text_is_read_by_a_voice_of_the_device_and_by_no_other(
    browser: Browser, live: LiveService, ticket: Ticket
):
    ticket.write_draft(story="The storm took our roof in March, and we need help to build it again.")
    with checked(browser, live.base_url, credential=ticket.token) as tab:
        tab.page.add_init_script(VOICES)
        page = tab.open(f"/t/{ticket.id}/listen?at=2")
        page.locator(".say").click()
        words = page.locator("#words").inner_text()
        assert page.evaluate("spoken[0]") == f"near: {words}"
        expect(page.locator("[data-mute]")).to_be_hidden()
        page.locator("#words").evaluate("words => { words.lang = 'ar'; }")
        page.evaluate("speechSynthesis.dispatchEvent(new Event('voiceschanged'))")
        expect(page.locator(".say")).to_be_hidden()
        expect(page.locator("[data-mute]")).to_be_visible()

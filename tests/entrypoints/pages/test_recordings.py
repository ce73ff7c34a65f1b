"""The holder hears the recordings, adds one, and deletes one; everything works without scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from domain.errors import StepFailed
from tests.browser import checked
from tests.client import DEMO_RECORDING, RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.test_several_recordings import FIRST, SECOND, SilentFirst, told, told_twice


@pytest.fixture
def holder(live: LiveService, ticket: Ticket) -> Iterator[Client]:
    """Return a browser without scripts, which is signed in."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    cookies = {"session": ticket.token}
    with Client(base_url=live.base_url, headers=headers, cookies=cookies, follow_redirects=True) as browser:
        yield browser


def test_the_page_plays_each_recording_and_deletes_one(holder: Client, ticket: Ticket, work: JobRunner):
    path = f"/t/{ticket.id}/recordings"
    assert "There is no recording." in holder.get(path).text
    first, second = told_twice(ticket, work)
    page = holder.get(path).text
    assert page.index("Recording 1") < page.index(
        f'src="{ticket.path.removeprefix(str(holder.base_url))}/recordings/{first}"'
    )
    assert page.count("We write the text of your page again from the others.") == 2
    deleted = holder.post(f"{path}/{first}/delete", data={"press": ""})
    assert "The recording is deleted. We write the text of your page again without it." in deleted.text
    assert first not in deleted.text
    assert "The text of your page stays." in deleted.text
    assert f"{path}/{second}/delete" in deleted.text
    # Pressed twice.
    assert holder.post(f"{path}/{first}/delete", data={"press": ""}).status_code == 200


def test_the_page_says_what_became_of_each_recording(holder: Client, ticket: Ticket, work: JobRunner):
    path = f"/t/{ticket.id}/recordings"
    for data in (RECORDING.read_bytes(), DEMO_RECORDING.read_bytes()):
        ticket.upload(data)
    assert holder.get(path).text.count("We have not listened to it yet.") == 2
    ticket.post("/process")
    page = holder.get(path).text
    assert ("We are listening to it now." in page, "We have not listened to it yet." in page) == (True, True)
    work.do(ticket, outcome=SilentFirst())
    page = holder.get(path).text
    assert page.count("We hear nobody speak in it.") == 1
    # The same recording once more.
    ticket.upload(DEMO_RECORDING.read_bytes())
    assert holder.get(path).text.count("The text of your page does not need it.") == 1


def test_the_text_of_a_public_page_stays(holder: Client, ticket: Ticket, work: JobRunner):
    told_twice(ticket, work)
    ticket.patch("/draft", {"goalAmount": 100, "beneficiary": "Ada"})
    ticket.publish()
    assert holder.get(f"/t/{ticket.id}/recordings").text.count("Your page is public, so its text stays.") == 2
    assert "Everybody reads the new text as soon as it is written." in holder.get(f"/tell/{ticket.id}").text


def test_a_person_tells_more_unless_nothing_was_heard_before(holder: Client, ticket: Ticket, work: JobRunner):
    path = f"/tell/{ticket.id}"
    assert "<h1>Tell your story</h1>" in holder.get(path).text
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=StepFailed("no_speech", "Nothing was said.", retryable=False))
    assert "<h1>Tell your story</h1>" in holder.get(path).text
    told(ticket, work, FIRST, DEMO_RECORDING.read_bytes())
    assert "<h1>Tell more</h1>" in holder.get(path).text
    assert "Hear your 2 recordings, or delete one" in holder.get(f"/t/{ticket.id}").text
    sent = holder.post(path, files={"audio": ("more.webm", RECORDING.read_bytes() + b" ")})
    assert sent.status_code == 200
    assert len(ticket.get("/recordings").json()) == 3


def test_the_story_is_beside_what_was_heard_in_each_recording(holder: Client, ticket: Ticket, work: JobRunner):
    told(ticket, work, FIRST, RECORDING.read_bytes())
    path = f"/t/{ticket.id}/story"
    assert "<h3>Recording" not in holder.get(path).text
    told(ticket, work, SECOND, DEMO_RECORDING.read_bytes())
    page = holder.get(path).text
    heard = page[page.index('id="heard"') :]
    places = [heard.index(text) for text in ("<h3>Recording 1</h3>", FIRST.text, "<h3>Recording 2</h3>", SECOND.text)]
    assert places == sorted(places)


@pytest.mark.browser
def test_a_browser_plays_a_recording_and_deletes_it(
    browser: Browser, live: LiveService, ticket: Ticket, work: JobRunner
):
    told_twice(ticket, work)
    with checked(browser, live.base_url, credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}/recordings")
        page.locator("audio").first.evaluate("sound => { sound.muted = true; return sound.play(); }")
        page.locator("summary").first.click()
        page.locator("details[open] button").click()
        expect(page.locator("audio")).to_have_count(1)

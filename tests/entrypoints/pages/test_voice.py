"""A person chooses a passage of a recording, hears it, and lets strangers hear it on the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import checked
from tests.client import RECORDING, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.test_voice import HEARD

IS_PLAYED = """
sound => new Promise((done) => {
  const look = () => sound.currentTime > 0.2 && done(true);
  sound.addEventListener("timeupdate", look);
  look();
})
"""


def play(page: Page, selector: str) -> None:
    """Play a sound with the browser's own button until some of it was heard."""
    sound = page.locator(selector)
    sound.evaluate("sound => { sound.muted = true; sound.play(); }")
    assert sound.evaluate(IS_PLAYED)


@pytest.mark.browser
def test_a_person_hears_a_passage_before_strangers_do(
    browser: Browser, live: LiveService, ticket: Ticket, work: JobRunner
):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=HEARD)
    ticket.write_draft(story="My roof fell in.\n\nWe sleep at the church.")
    url = ticket.post("/publish", {"consent": True}).json()["publicUrl"]
    with checked(browser, live.base_url, credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}/voice")
        page.locator("[data-hear]").nth(1).click()
        assert page.locator("#whole-1").evaluate(IS_PLAYED)
        page.locator("input[name=first]").nth(0).check()
        page.locator("input[name=last]").nth(1).check()
        page.locator("main form button.big").click()
        page.wait_for_url("**/voice?done=chosen")
        play(page, "section audio")
        page.check("#recording")
        page.locator("section button.big").click()
        page.wait_for_url("**/voice?done=agreed")
    with checked(browser, live.base_url) as tab:
        page = tab.open(url)
        assert page.evaluate("performance.getEntriesByType('resource').every(({ name }) => !name.includes('voice'))")
        tab.check("campaign-voice")
        play(page, "figure.voice audio")

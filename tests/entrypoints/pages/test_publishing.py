"""A person chooses a photo, agrees to what is shown, publishes, and takes a consent back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import checked
from tests.client import Client, LiveService, Ticket
from tests.fakes.photos import photo


@pytest.mark.browser
def test_a_person_publishes_with_a_photo_and_takes_the_name_back(
    browser: Browser, live: LiveService, client: Client, ticket: Ticket
):
    ticket.write_draft(location="Springfield", story="The roof fell in.\n\nWe sleep at the church.")
    with checked(browser, live.base_url, credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}/photo")
        page.set_input_files("#file", {"name": "roof.png", "mimeType": "image/png", "buffer": photo(320, 240)})
        page.click("main form button")
        expect(page.locator("#error-summary a")).to_have_attribute("href", "#description")
        tab.complaints.clear()
        page.set_input_files("#file", {"name": "roof.png", "mimeType": "image/png", "buffer": photo(320, 240)})
        page.fill("#description", "Our house without a roof")
        page.press("#description", "Enter")
        expect(page.locator("[role=status]")).to_be_visible()
        page.click(".choices a[href$='/publish']")
        page.click("main form .big")
        expect(page.locator("#error-summary a").first).to_have_attribute("href", "#show-story")
        tab.complaints.clear()
        for scope in ("story", "name", "place", "photo"):
            page.check(f"#show-{scope}")
        page.check("#others-unrecognisable")
        expect(page.locator("#note")).to_be_hidden()
        page.fill("#lookedBy", "Grace Hopper")
        page.click("main form .big")
        page.wait_for_url("**/manage?done=published")
        page.click("a[href$='/consent']")
        page.locator("details summary").nth(1).click()
        page.locator("details[open] button").click()
        page.wait_for_url("**/consent?done=name")
    assert ticket.get("/consents").json()["given"] == ["story", "place", "photo"]

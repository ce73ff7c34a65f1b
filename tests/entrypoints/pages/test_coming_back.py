"""A person comes back with a code, looks after the page, makes a recovery sheet, and erases the story."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import checked
from tests.client import Client, LiveService
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.test_login_codes import address, code_for


@pytest.mark.browser
def test_a_person_comes_back_and_looks_after_the_page(browser: Browser, live: LiveService, client: Client):
    email = address()
    ticket = client.open_ticket(contactValue=email)
    url = ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    with checked(browser, live.base_url) as tab:
        page = tab.open(f"/t/{ticket.id}/manage")
        expect(page).to_have_url(re.compile("/find"))
        page.fill("#contact", email)
        page.press("#contact", "Enter")
        page.wait_for_url("**/find/code**")
        page.fill("#code", code_for(live, email))
        page.press("#code", "Enter")
        page.wait_for_url("**/manage")
        expect(page.locator(".gifts li")).to_have_count(1)
        expect(page.locator(".page-address")).to_have_text(url)
        tab.open(f"/t/{ticket.id}/recovery")
        page.locator("main form button").click()
        expect(page.locator(".code svg")).to_be_visible()
        tab.open(f"/t/{ticket.id}/erase")
        page.fill("#word", "erase")
        page.press("#word", "Enter")
        page.wait_for_url("**/find?erased")
        expect(page.locator("[role=status]")).to_be_visible()

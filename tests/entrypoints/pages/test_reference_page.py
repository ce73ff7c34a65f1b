"""The reference is searched on the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import checked
from tests.client import LiveService


@pytest.mark.browser
def test_the_reference_is_searched_while_words_are_typed(browser: Browser, live: LiveService):
    with checked(browser, live.base_url) as tab:
        page = tab.open("/docs")
        page.fill("#words", "refund reason")
        link = page.locator("nav a[href='/docs/refundDonation']")
        expect(link).to_be_visible()
        expect(page.locator("nav a[href='/docs/createTicket']")).to_be_hidden()
        link.click()
        expect(page.locator("pre").first).to_contain_text("curl -X POST")

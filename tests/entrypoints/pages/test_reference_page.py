"""The reference is searched on the page, and fits a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import checked
from tests.client import LiveService


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_reference_is_searched_while_words_are_typed(browser: Browser, live: LiveService, language: str):
    with checked(browser, live.base_url, language=language) as tab:
        page = tab.open("/docs")
        tab.check(f"docs-{language}")
        page.fill("#words", "refund reason")
        found = page.locator("nav a[href='/docs/refundDonation']")
        expect(found).to_be_visible()
        expect(page.locator("nav a[href='/docs/createTicket']")).to_be_hidden()
        found.click()
        expect(page.locator("pre").first).to_contain_text("curl -X POST")
        tab.check(f"docs-operation-{language}")

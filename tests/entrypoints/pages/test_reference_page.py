"""The reference is searched on the page, and fits a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import checked
from tests.client import LiveService


@pytest.mark.browser
def test_the_reference_is_searched_on_the_page(browser: Browser, live: LiveService):
    with checked(browser, live.base_url) as tab:
        page = tab.open("/docs")
        # The reference has all operations in one page, so that it can be searched without the service.
        tab.check("docs", largest=1024 * 1024)
        page.fill("#words", "refund reason")
        expect(page.locator("#refundDonation")).to_be_visible()
        expect(page.locator("#createTicket")).to_be_hidden()
        page.fill("#words", "")
        expect(page.locator("#createTicket")).to_be_visible()

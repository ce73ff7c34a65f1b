"""What all pages share is accessible, small and quiet, in light and dark, on a phone and on a desk."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser import checked
from tests.client import LiveService


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_home_page_passes_every_check(browser: Browser, live: LiveService, language: str):
    with checked(browser, live.base_url, language=language) as tab:
        assert tab.open("/").locator("html").get_attribute("lang") == language
        tab.check(f"home-{language}")

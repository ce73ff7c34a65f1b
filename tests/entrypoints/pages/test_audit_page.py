"""An auditor signs in with a key, goes back in time, and sees where a total comes from."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from domain.values import Role
from tests.browser import checked
from tests.client import LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox


@pytest.mark.browser
def test_an_auditor_explains_a_total_on_screen(browser: Browser, live: LiveService, ticket: Ticket):
    ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    _, key = live.service.access.credentials.create(Role.AUDITOR)
    with checked(browser, live.base_url) as tab:
        page = tab.open(f"/audit/{ticket.id}")
        page.fill("#key", key)
        page.press("#key", "Enter")
        page.wait_for_url(f"**/audit/{ticket.id}")
        # The second stop of the slider is the second line, which says so at once and shows that moment.
        slider = page.locator("#at")
        slider.focus()
        slider.press("Home")
        slider.press("ArrowRight")
        expect(page.locator("#stop")).to_contain_text("2.")
        page.locator("#slider button").click()
        expect(page.locator(".timeline > li.here .count")).to_have_text("2")
        expect(page.locator(".figures .total")).to_contain_text("0")
        page.goto(f"{live.base_url}/audit/{ticket.id}/check")
        expect(page.locator(".notice.good")).to_contain_text("50")


@pytest.mark.browser
def test_the_slider_works_without_scripts(browser: Browser, live: LiveService, ticket: Ticket):
    ticket.write_draft()
    with checked(browser, live.base_url, credential=ticket.token, scripts=False) as tab:
        page = tab.open(f"/audit/{ticket.id}")
        page.locator("#at").focus()
        page.locator("#at").press("Home")
        page.locator("#slider button").click()
        expect(page.locator(".timeline > li.here .count")).to_have_text("1")

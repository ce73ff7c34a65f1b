"""An auditor signs in with a key, goes back in time, and sees where a total comes from, on a phone and on a desk."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from domain.values import Role
from tests.browser import checked
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.test_proofs import newest


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "es"])
def test_an_auditor_explains_a_total_on_screen(browser: Browser, live: LiveService, ticket: Ticket, language: str):
    ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    _, key = live.service.access.credentials.create(Role.AUDITOR)
    with checked(browser, live.base_url, language=language) as tab:
        page = tab.open(f"/audit/{ticket.id}")
        tab.check(f"audit-entrance-{language}")
        page.fill("#key", key)
        page.press("#key", "Enter")
        page.wait_for_url(f"**/audit/{ticket.id}")
        tab.check(f"audit-{language}")
        # The second stop of the slider is the second line, which says so at once and shows that moment.
        slider = page.locator("#at")
        slider.focus()
        slider.press("Home")
        slider.press("ArrowRight")
        expect(page.locator("#stop")).to_contain_text("2.")
        page.locator("#slider button").click()
        expect(page.locator(".timeline > li.here .count")).to_have_text("2")
        expect(page.locator(".figures .total")).to_contain_text("0")
        tab.check(f"audit-past-{language}")
        page.goto(f"{live.base_url}/audit/{ticket.id}/check")
        expect(page.locator(".notice.good")).to_contain_text("50")
        tab.check(f"audit-check-{language}")


@pytest.mark.browser
def test_the_slider_works_without_scripts(browser: Browser, live: LiveService, ticket: Ticket):
    ticket.write_draft()
    with checked(browser, live.base_url, credential=ticket.token, scripts=False) as tab:
        page = tab.open(f"/audit/{ticket.id}")
        page.locator("#at").focus()
        page.locator("#at").press("Home")
        page.locator("#slider button").click()
        expect(page.locator(".timeline > li.here .count")).to_have_text("1")


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_browser_checks_codes_and_exports_by_itself(
    browser: Browser, live: LiveService, client: Client, ticket: Ticket, language: str
):
    ticket.publish()
    paper, export = newest(client), ticket.get("/audit").text
    with checked(browser, live.base_url, language=language) as tab:
        page = tab.open("/verify")
        tab.check(f"verify-{language}")
        own = page.locator("#own")
        for text, kind in (
            (paper, "good"),
            (export, "good"),
            (export.replace("ticket_opened", "ticket_Opened"), "bad"),
        ):
            page.fill("#text", text)
            page.locator("#check button").click()
            expect(page.locator("#result > div.notice")).to_have_class(f"notice {kind}")
            expect(own).to_have_class(f"notice {kind}")
            tab.accessible(kind)
        page.fill("#text", "")
        page.locator("#file").set_input_files(
            {"name": "audit.json", "mimeType": "application/json", "buffer": export.encode()}
        )
        page.locator("#check button").click()
        expect(own).to_have_class("notice good")
        tab.check(f"verify-good-{language}")

"""Without JavaScript, a person writes a story, publishes it, finds it again, and a donor gives."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import checked
from tests.client import LiveService
from tests.entrypoints.http.test_login_codes import address, code_for


def press(page: Page, name: str, role: str = "button") -> None:
    page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]


@pytest.mark.browser
def test_a_story_is_written_published_given_to_and_found_again(browser: Browser, live: LiveService):
    email = address()
    with checked(browser, live.base_url, scripts=False) as tab:
        page = tab.open("/")
        press(page, "Tell your story", "link")
        press(page, "Write your story", "link")
        page.locator("#story").fill("The storm took our roof in April.\nWe sleep at the church.")
        page.locator("#contact").fill(email)
        page.locator("#name").fill("Ada Lovelace")
        page.locator("#consent").check()
        press(page, "Keep my story")

        # What is missing is asked one question a page.
        expect(page.get_by_role("heading", level=1)).to_have_text("We have a question for you")
        press(page, "Answer", "link")
        answers = {"title": "A roof for Ada", "beneficiary": "Ada Lovelace", "amount": "1500"}
        while "/questions/" in page.url:
            field = page.locator("main input:not([type=hidden]):not([type=radio]), main textarea").first
            field.fill(answers.pop(str(field.get_attribute("name"))))
            page.locator("main form .big").click()
        assert answers == {}
        story_page = page.url.rpartition("/")[0]

        tab.open(f"{story_page}/publish")
        for scope in ("story", "name"):
            page.locator(f"#show-{scope}").check()
        page.locator("#others-nobody").check()
        press(page, "Publish")
        public_page = page.locator("a[href*='/d/']").first.get_attribute("href")
        assert public_page is not None
        press(page, "Sign out")

        # A donor.
        tab.open(public_page)
        expect(page.get_by_role("heading", level=1)).to_have_text("A roof for Ada")
        page.locator("#amount").fill("20")
        press(page, "Continue to payment")
        expect(page.locator("h1")).to_contain_text("20.00 USD")
        page.locator("#email").fill("grace@example.com")
        page.locator("#country").select_option("US")
        page.locator("main form button[type=submit]").click()
        page.wait_for_url("**/d/**thanks**")
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()

        # The person comes back.
        tab.open("/find")
        page.locator("#contact").fill(email)
        press(page, "Send me a code")
        page.locator("#code").fill(code_for(live, email))
        press(page, "Continue")
        page.get_by_role("link", name="A roof for Ada").click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.url.endswith("/manage")

"""The whole way on a phone: a story is told by voice, corrected, published, given to, found again and audited."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from domain.values import Segment, Transcript
from tests.browser import checked
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.test_login_codes import address, code_for
from tests.fakes.drafting import DRAFT

HEARD = Transcript(
    "My rough fell in. We sleep at a church.",
    "en",
    "fake",
    (Segment("My rough fell in.", 0, 1_500), Segment("We sleep at a church.", 2_000, 3_000)),
)
# The recording does not say how much money is needed.
PROPOSED = replace(DRAFT, story="My rough fell in. We sleep at a church.", goal=None, location="Quito")
MOST_TABS = 60


class Hands(ABC):
    """A person's way of using a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @abstractmethod
    def press(self, target: Locator) -> None:
        """Press a button, or follow a link."""

    @abstractmethod
    def tick(self, target: Locator) -> None:
        """Tick a box."""

    @abstractmethod
    def choose(self, target: Locator) -> None:
        """Choose one of several."""

    @abstractmethod
    def write(self, target: Locator, text: str) -> None:
        """Write a text into an empty field, or in place of what it holds."""

    def _wait_for(self, target: Locator) -> Locator:
        # Before its scripts have run, a page works as it does without scripts.
        expect(target).to_be_visible()
        self.page.wait_for_load_state()
        return target


class Fingers(Hands):
    def press(self, target: Locator) -> None:
        self._wait_for(target).click()

    def tick(self, target: Locator) -> None:
        self._wait_for(target).check()

    def choose(self, target: Locator) -> None:
        self._wait_for(target).check()

    def write(self, target: Locator, text: str) -> None:
        self._wait_for(target).fill(text)


class Keys(Hands):
    """Nothing but Tab, Enter, Space, the arrows and letters; what has the focus must be seen to have it."""

    def press(self, target: Locator) -> None:
        self._go(target)
        self.page.keyboard.press("Enter")

    def tick(self, target: Locator) -> None:
        self._go(target)
        if not target.is_checked():
            self.page.keyboard.press("Space")
        expect(target).to_be_checked()

    def choose(self, target: Locator) -> None:
        # Tab leads to the chosen one of the group.
        self._go(target.page.locator(f'[name="{target.get_attribute("name")}"]:checked'))
        while not target.is_checked():
            self.page.keyboard.press("ArrowDown")

    def write(self, target: Locator, text: str) -> None:
        self._go(target)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def _go(self, target: Locator) -> None:
        self._wait_for(target)
        for _ in range(MOST_TABS):
            if target.evaluate("(element) => element === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        else:
            pytest.fail(f"{MOST_TABS} times Tab do not lead to {target}")
        assert target.evaluate(
            """(element) => {
              const marked = (each) => getComputedStyle(each).outlineStyle !== "none";
              const box = element.getBoundingClientRect();
              const inSight = box.bottom > 0 && box.top < innerHeight;
              return inSight && (marked(element) || (element.closest("label") && marked(element.closest("label"))));
            }"""
        ), f"nobody sees that {target} has the focus"


@pytest.mark.browser
@pytest.mark.parametrize(("language", "way"), [("en", Fingers), ("es", Keys)], ids=["en-fingers", "es-keys"])
def test_a_stranger_gets_from_the_first_page_to_a_gift_and_its_proof(
    browser: Browser, live: LiveService, client: Client, work: JobRunner, language: str, way: type[Hands]
):
    email = address()
    with checked(browser, live.base_url, language=language, permissions=("microphone",)) as tab:
        page, hands = tab.page, way(tab.page)
        main = page.locator("main")
        tab.open("/")
        hands.press(main.locator("a[href='/tell']"))

        # Tell.
        hands.press(page.locator("#record"))
        expect(page.locator("#time")).to_have_text("0:01")
        hands.press(page.locator("#finish"))
        hands.write(page.locator("#name"), "Ada Moss")
        hands.write(page.locator("#contact"), email)
        hands.tick(page.locator("#consent"))
        hands.press(page.locator("#send-form button[type=submit]"))

        # Wait, and answer what is missing.
        page.wait_for_url("**/t/*")
        ticket_id = page.url.rpartition("/")[2]
        [token] = [each["value"] for each in page.context.cookies() if each["name"] == "session"]
        ticket = Ticket(client, {"id": ticket_id, "accessToken": token})
        work.do(ticket, PROPOSED, outcome=HEARD, language=language)
        hands.press(main.locator(f"a[href='/t/{ticket_id}/questions']"))
        hands.write(page.locator("#amount"), "1500")
        hands.press(main.locator("form button[type=submit]"))
        hands.press(main.locator(f"a[href='/t/{ticket_id}/story']"))

        # Correct.
        hands.write(page.locator("#story"), "My roof fell in. We sleep at a church.")
        hands.press(page.locator("form[action$='/story'] button[type=submit]"))
        expect(page.locator(".notice.good")).to_be_visible()
        hands.press(main.locator("a[href$='/publish']"))

        # Publish.
        for scope in ("story", "name", "place"):
            hands.tick(page.locator(f"#show-{scope}"))
        hands.tick(page.locator("#others-nobody"))
        hands.press(page.locator("main form button.big"))
        page.wait_for_url("**/manage?done=published")
        public = page.locator("a.page-address").get_attribute("href")
        assert public is not None

    # Another person gives.
    with checked(browser, live.base_url, language=language) as tab:
        page, hands = tab.open(public), way(tab.page)
        expect(page.get_by_text("My roof fell in.")).to_be_visible()
        hands.choose(page.locator("input[name=choice]").nth(2))
        amount = page.locator("input[name=choice]").nth(2).get_attribute("value")
        hands.press(page.locator("form.give summary"))
        hands.write(page.locator("#name"), "Grace")
        hands.write(page.locator("#message"), "Courage!")
        hands.tick(page.locator("input[name=shown]"))
        hands.press(page.locator("form.give button[type=submit]"))
        hands.write(page.locator("#email"), "grace@example.com")
        hands.write(page.locator("#name"), "Grace Hopper")
        if way is Keys:
            page.keyboard.press("Tab")
            page.keyboard.type("United K")
        else:
            page.locator("#country").select_option("GB")
        hands.press(page.locator("form button[type=submit]"))
        expect(page.locator(".own-amount")).to_contain_text(f"{amount}")
        # The total changes while the donor looks at it.
        expect(page.locator(".side .raised [data-total=raised]")).to_contain_text(f"{amount}")
        with page.expect_download() as receipt:
            hands.press(page.locator(".thanks a[data-when=paid]"))
        assert receipt.value.path().read_bytes().startswith(b"%PDF")
        page.goto(public)
        expect(page.locator("#gifts")).to_contain_text("Grace")
        expect(page.locator("#gifts blockquote")).to_have_text("Courage!")

    # The first person comes back on another phone, and looks where the total comes from.
    with checked(browser, live.base_url, language=language) as tab:
        page, hands = tab.open("/"), way(tab.page)
        hands.press(page.locator("main a[href='/find']"))
        hands.write(page.locator("#contact"), email)
        hands.press(page.locator("main form .big"))
        page.wait_for_url("**/find/code**")
        hands.write(page.locator("#code"), code_for(live, email))
        hands.press(page.locator("main form .big"))
        hands.press(page.locator(".story-list a"))
        expect(page.locator(".gifts li")).to_contain_text(f"{amount}")
        hands.press(page.locator(f"main a[href='/audit/{ticket_id}']"))
        expect(page.locator(".figures .total")).to_contain_text(f"{amount}")
        with page.expect_download() as download:
            hands.press(page.locator("main a[download]"))
        hands.press(page.locator("a[href$='/check']"))
        expect(page.locator(".notice.good")).to_contain_text(f"{amount}")
        hands.press(page.locator("main a[href='/verify']"))
        export = download.value.path()
        if way is Keys:
            hands.write(page.locator("#text"), export.read_text())
        else:
            page.locator("#file").set_input_files(export)
        hands.press(page.locator("#check button"))
        expect(page.locator("#own")).to_have_class("notice good")
        assert urlsplit(page.url).path == "/verify"
        assert not re.search("rough", page.content())

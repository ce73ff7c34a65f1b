"""An organisation works in browsers alone: staff sign in, help a person, approve the page and take it down."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from adapters.ids import uuid7
from domain.commands.workspaces import Invitation
from domain.members import MemberRole
from domain.values import SYSTEM, Contact, Segment, Transcript
from tests.browser import DESK, CheckedTab, checked
from tests.client import RECORDING, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.test_login_codes import code_for
from tests.members import new_address

HEARD = Transcript("My rough felt in.", "en", "fake", (Segment("My rough felt in.", 0, 1_500),))
WISH = "A shorter title.\nAnd no street."


def invited_owner(live: LiveService, workspace: str) -> Contact:
    """Return the address of a first owner, who is invited as by the command line."""
    email = new_address()
    index, *earlier = live.service.access.contact_index.all_of(email)
    invitation = Invitation(uuid7(), email, index, earlier, MemberRole.OWNER)
    live.service.commands.workspaces.invite(SYSTEM, workspace, invitation, now=datetime.now(UTC))
    return email


def join(live: LiveService, tab: CheckedTab, email: Contact) -> Page:
    """Sign in with the code of the mail and accept the invitation."""
    page = tab.open("/desk")
    page.fill("#email", email.value)
    page.press("#email", "Enter")
    page.wait_for_url("**/desk/sign-in/code**")
    page.fill("#code", code_for(live, email.value))
    page.press("#code", "Enter")
    page.click("button[name=invitation]")
    page.wait_for_url("**/desk")
    return page


def invite(page: Page, email: Contact, role: MemberRole) -> None:
    page.click("nav.parts a[href='/desk/members']")
    page.fill("#email", email.value)
    page.select_option("#role", role.value)
    page.press("#email", "Enter")
    expect(page.locator("[role=status]")).to_be_visible()


def agree_and_ask(page: Page) -> None:
    """Say on the page of publishing what everybody may see, and ask for approval."""
    for scope in ("story", "name"):
        page.check(f"#show-{scope}")
    page.check("#others-nobody")
    page.click("main form button.big")
    page.wait_for_url("**/manage?done=asked")


@pytest.mark.browser
def test_staff_help_approve_and_take_down_with_nothing_but_browsers(
    browser: Browser, live: LiveService, work: JobRunner
):
    workspace, caseworker_email, admin_email = f"w-{uuid7().hex[-12:]}", new_address(), new_address()
    with ExitStack() as stack:
        tabs = [stack.enter_context(checked(browser, live.base_url, width=DESK)) for _ in range(4)]
        # A page that is taken down answers 410.
        tabs[3].expects_refusals = True

        # The owner lets pages be approved, and invites a caseworker and an admin, who sign in.
        owner = join(live, tabs[0], invited_owner(live, workspace))
        owner.click("nav.parts a[href='/desk/organisation']")
        owner.select_option("#publishing", "approval")
        owner.click("form[aria-labelledby=rules] button")
        expect(owner.locator("[role=status]")).to_be_visible()
        for email, role in ((caseworker_email, MemberRole.CASEWORKER), (admin_email, MemberRole.ADMIN)):
            invite(owner, email, role)
        caseworker, admin = join(live, tabs[1], caseworker_email), join(live, tabs[2], admin_email)

        # The caseworker opens a ticket with somebody at the desk, and hears the recording.
        caseworker.click("main a[href='/tell']")
        caseworker.click("main li a[href='/tell/file']")
        caseworker.fill("#name", "Ada Moss")
        caseworker.fill("#contact", new_address().value)
        caseworker.check("#consent")
        caseworker.set_input_files("#audio", RECORDING)
        caseworker.click("main form button.big")
        caseworker.wait_for_url("**/t/*")
        ticket_id = caseworker.url.rpartition("/")[2]
        ticket = Ticket(stack.enter_context(live.client()), {"id": ticket_id, "accessToken": ""})
        work.do(ticket, outcome=HEARD)
        tabs[1].open("/desk")
        caseworker.click("main tbody a")
        caseworker.click(f"main a[href='/t/{ticket_id}/recordings']")
        heard = caseworker.locator("audio").evaluate("(audio) => audio.play().then(() => audio.duration)")
        assert heard > 1

        # The caseworker corrects two words, and asks for the approval of the page.
        tabs[1].open(f"/t/{ticket_id}/story")
        correction = caseworker.locator("form[action$='/story/transcript']")
        correction.locator("textarea").fill("My roof fell in.")
        correction.locator("button[type=submit]").click()
        expect(caseworker.locator("[role=status]").first).to_be_visible()
        work.do(ticket, outcome=HEARD)
        tabs[1].open(f"/desk/tickets/{ticket_id}")
        caseworker.click(f"main a[href='/t/{ticket_id}/publish']")
        agree_and_ask(caseworker)

        # An admin finds the page that waits, and asks for a change, which the caseworker makes.
        tabs[2].open("/desk")
        admin.click("nav.filters a:last-child")
        admin.click("main tbody a")
        admin.click("#approval ~ details summary")
        admin.fill("#note", WISH)
        admin.click("form[action$='/request-changes'] button")
        expect(admin.locator("[role=status]")).to_be_visible()
        tabs[1].open(f"/t/{ticket_id}/manage")
        assert caseworker.locator("blockquote").inner_text() == WISH
        caseworker.click("blockquote ~ p a[href$='/story']")
        caseworker.fill("#title", "A roof")
        caseworker.click(".save-bar button")
        expect(caseworker.locator(".notice.good")).to_be_visible()
        caseworker.click("main a.button[href$='/publish']")
        agree_and_ask(caseworker)

        # The admin approves it, the caseworker publishes it, and everybody can read it.
        admin.reload()
        admin.click("form[action$='/approve'] button")
        expect(admin.locator("[role=status]")).to_be_visible()
        tabs[1].open(f"/t/{ticket_id}/publish")
        caseworker.click("button[value=publish]")
        caseworker.wait_for_url("**/manage?done=published")
        address = caseworker.locator("a.page-address").get_attribute("href")
        assert address is not None
        stranger = tabs[3].open(address)
        expect(stranger.locator("h1")).to_have_text("A roof")

        # Later the admin takes it down.
        admin.reload()
        admin.click("#take-down ~ details summary")
        admin.fill("#reason", "Somebody else is named.")
        admin.click("form[action$='/suspend'] button")
        expect(admin.locator("[role=status]")).to_be_visible()
        stranger.reload()
        expect(stranger.locator("main")).not_to_contain_text(re.compile("A roof|Somebody else"))

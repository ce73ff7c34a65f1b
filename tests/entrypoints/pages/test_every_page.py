"""Every page in every state passes every check, once: both widths, light and dark, bytes, layout shift, axe-core.

A new page is a new line here. SCREENSHOTS=folder keeps pictures of each; `-m 'soak or not soak'` adds those in English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from adapters.identity.security_events import SecurityEventKind
from adapters.ids import uuid7
from domain.errors import StepFailed
from domain.members import MemberRole
from domain.values import SYSTEM, Role, Segment, Transcript
from entrypoints.http.pages import STATIC
from entrypoints.http.table import OPERATIONS
from tests.browser import ON_DESK, CheckedTab, checked
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner, closed_intake, donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.test_dead_mails import died
from tests.entrypoints.http.test_desk_dead_letters import NO_CHECKOUT, dead_letter
from tests.entrypoints.http.test_jobs import NO_SPEECH, failed_ticket
from tests.entrypoints.http.test_login_codes import address
from tests.entrypoints.http.test_proofs import newest
from tests.fakes.drafting import DRAFT, SPOKEN
from tests.fakes.photos import photo
from tests.health_record import record_three_hours
from tests.members import joined_member, new_address, signed_in
from tests.money import Ledger

pytestmark = pytest.mark.browser

# The longer language, so that whatever does not fit is found; English, and all rules in each form, in soak runs.
LANGUAGES = ["es", pytest.param("en", marks=pytest.mark.soak)]

HEARD = Transcript(
    "My rough fell in. Help us.",
    "en",
    "fake",
    (Segment("My rough fell in.", 0, 1_500, uncertain=True), Segment("Help us.", 2_000, 2_600)),
)
INCOMPLETE = replace(DRAFT, goal=None, beneficiary=None)
STORY = (
    "La tormenta se llevó nuestro techo en marzo. Desde entonces dormimos los cinco en casa de una vecina.\n\n"
    "Con el dinero compramos tejas y madera, y pagamos a dos albañiles durante una semana."
)
ENGLISH = "The storm took our roof in March.\n\nWe have slept at a neighbour's house since then, all five of us."
ARABIC = "أخذت العاصفة سقف بيتنا في شهر آذار.\n\nمنذ ذلك الحين ننام نحن الخمسة في بيت جارتنا."
LONG_NAME = "María de los Ángeles Fernández-Villavicencio y Montenegro"
# It leads to the first question.
ELSEWHERE = ("/t/{ticket_id}/questions", "/find/code", "/desk/sign-in/code")
PHOTO = MappingProxyType({"name": "roof.png", "mimeType": "image/png", "buffer": photo(640, 480)})


@dataclass
class Look:
    """Opens pages in one tab, and checks each."""

    tab: CheckedTab
    language: str

    @property
    def page(self) -> Page:
        return self.tab.page

    def at(self, path: str, name: str) -> Page:
        self.tab.open(path)
        self._check(name)
        return self.page

    def now(self, name: str) -> None:
        # What moves after an act of the person was asked for.
        self.page.evaluate("window.layoutShift = 0")
        self._check(name)

    def _check(self, name: str) -> None:
        self.tab.check(f"{name}-{self.language}", thorough=self.language == "en")

    def as_whom(self, credential: str) -> None:
        self.page.context.add_cookies([{"name": "session", "value": credential, "url": self.tab.base_url}])


@pytest.fixture(params=LANGUAGES)
def look(request: pytest.FixtureRequest, browser: Browser, live: LiveService) -> Iterator[Look]:
    language = request.param
    with checked(browser, live.base_url, language=language, permissions=("microphone",)) as tab:
        tab.expects_refusals = True
        yield Look(tab, language)


@pytest.fixture
def opened(client: Client) -> Callable[..., Ticket]:
    return lambda **more: client.open_ticket(**{"displayName": LONG_NAME} | more)


def recorded(ticket: Ticket) -> Ticket:
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    return ticket


def published(ticket: Ticket, **draft: Any) -> str:
    url = ticket.publish()
    ticket.write_draft(**draft)
    return url


def test_no_page_is_forgotten():
    def shape(path: str) -> str:
        return re.sub(r"{[^}]*}", "{}", path)

    source = Path(__file__).read_text().replace('f"{url}', 'f"/d/{}')
    looked_at = {shape(path.partition("?")[0]) for path in re.findall(r'look\.at\(\s*f?"([^"]*)"', source)}
    looked_at |= {shape(path) for path in ELSEWHERE}
    pages = {shape(each.path) for each in OPERATIONS if each.method == "GET" and "text/html" in each.media_types}
    patterns = {path: re.compile(path.replace("{}", "[^/]+")) for path in pages}
    assert [path for path in sorted(pages) if not any(patterns[path].fullmatch(each) for each in looked_at)] == []


def test_no_colour_depends_on_the_width():
    """Contrast is therefore looked at in one width, except in what only a desk shows."""
    rules_of_widths = [
        rules
        for sheet in STATIC.glob("*.css")
        for rules in re.findall(r"@media[^{]*width[^{]*{((?:[^{}]*{[^{}]*})*)", sheet.read_text())
    ]
    assert len(rules_of_widths) > 5
    assert [rules for rules in rules_of_widths if re.search("color|background|opacity|filter", rules)] == []
    rules_of_desks = [
        rules
        for sheet in STATIC.glob("*.css")
        for rules in re.findall(r"@media[^{]*min-width[^{]*{((?:[^{}]*{[^{}]*})*)", sheet.read_text())
    ]
    shown = [each for rules in rules_of_desks for each in re.findall(r"([^{}]*){[^{}]*display: (?!none)", rules)]
    assert [each.strip() for each in shown] == [ON_DESK]


def test_the_pages_of_a_visitor(look: Look, live: LiveService):
    look.at("/", "home")
    look.at("/imprint", "imprint")
    look.at("/privacy", "privacy")
    look.at("/problems", "problems")
    look.at("/problems/not-found", "problem")
    look.at("/tel", "not-found")
    look.at("/d/nobody", "not-public")
    look.at("/docs", "docs")
    look.at("/docs/createTicket", "docs-operation")
    look.at("/find", "find").press("#contact", "Enter")
    expect(look.page.locator("#error-summary a")).to_have_attribute("href", "#contact")
    look.now("find-error")
    look.page.fill("#contact", address())
    look.page.press("#contact", "Enter")
    look.page.wait_for_url("**/find/code**")
    look.now("find-code")
    look.at("/find/code?request=01a202ae-f3ad-7ce8-bac6-c872a8ccc413&by=text", "find-code-by-text")
    look.at("/sign-in/none", "sign-in-link")
    look.at("/recover/none", "recovery-link")
    token = live.service.mail.subscriptions.link(address()).rpartition("/")[2]
    look.at(f"/unsubscribe/{token}", "unsubscribe")
    payment = Ledger(live.service).payment()
    token = live.service.mail.forget_links.link(payment.ticket_id, payment.donation_id).rpartition("/")[2]
    look.at(f"/forget/{token}", "forget").click("main button")
    expect(look.page.locator("[role=status]")).to_be_visible()
    look.now("forgotten")
    look.at("/tell/file", "tell-file")
    look.at("/tell/write", "tell-write")
    with closed_intake(live):
        look.at("/tell", "tell-closed")


def test_the_page_on_which_a_story_is_recorded(look: Look, opened: Callable[..., Ticket]):
    page = look.at("/tell", "tell")
    page.locator("#record").click()
    expect(page.locator("#time")).to_have_text("0:01")
    look.now("tell-recording")
    page.locator("#finish").click()
    page.locator("#send-form button[type=submit]").click()
    expect(page.locator("#send-errors")).to_be_visible()
    look.now("tell-review")
    ticket = recorded(opened())
    look.as_whom(ticket.token)
    look.at(f"/tell/{ticket.id}", "tell-more")


def test_the_pages_of_a_person_who_waits(look: Look, opened: Callable[..., Ticket], work: JobRunner):
    ticket = opened()
    look.as_whom(ticket.token)
    look.at(f"/t/{ticket.id}", "wait-draft")
    look.at(f"/t/{ticket.id}/questions/story", "question-story")
    ticket.upload(RECORDING.read_bytes())
    look.at(f"/t/{ticket.id}", "wait-recorded")
    ticket.post("/process")
    look.at(f"/t/{ticket.id}", "wait-working")
    work.do(ticket, outcome=StepFailed("no_speech", "Nothing.", retryable=False))
    look.at(f"/t/{ticket.id}", "wait-failed")
    work.do(recorded(ticket), INCOMPLETE, HEARD)
    look.at(f"/t/{ticket.id}", "wait-questions")
    page = look.at(f"/t/{ticket.id}/questions/goal", "question-goal")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#error-summary")).to_be_focused()
    look.now("question-error")
    look.at(f"/t/{ticket.id}/questions/beneficiary", "question-beneficiary")
    look.at(f"/t/{ticket.id}/questions/location", "question-place")
    look.at(f"/t/{ticket.id}/answers", "answers-missing")
    by_phone = recorded(opened(contactType="PHONE", contactValue="+34600123456"))
    look.as_whom(by_phone.token)
    look.at(f"/t/{by_phone.id}", "wait-working-phone")
    look.at(f"/t/{by_phone.id}/news", "news-phone")


def test_the_pages_of_a_person_who_corrects_and_publishes(look: Look, opened: Callable[..., Ticket], work: JobRunner):
    ticket = recorded(opened())
    work.do(ticket, SPOKEN, HEARD)
    look.as_whom(ticket.token)
    look.at(f"/t/{ticket.id}", "wait-ready")
    look.at(f"/t/{ticket.id}/story", "story-spoken")
    look.at(f"/t/{ticket.id}/listen", "listen")
    look.at(f"/t/{ticket.id}/listen?at=2", "listen-part")
    look.at(f"/t/{ticket.id}/listen?at=2&wrong=1", "listen-wrong")
    look.at(f"/t/{ticket.id}/listen?at=7&out=1", "listen-end")
    ticket.write_draft(story=f"{STORY}\n\nMi vecino Juan Pérez ayuda. 555-123-4567", title="Un techo")
    look.at(f"/t/{ticket.id}/story", "story")
    page = look.at(f"/t/{ticket.id}/recordings", "recordings")
    page.locator("summary").click()
    look.now("recordings-delete")
    look.at(f"/t/{ticket.id}/preview", "preview")
    look.at(f"/t/{ticket.id}/answers", "answers")
    page = look.at(f"/t/{ticket.id}/findings", "finding")
    while page.locator("button[value=keep]").count():
        page.locator("button[value=keep]").click()
    look.now("findings-decided")
    page = look.at(f"/t/{ticket.id}/photo", "photo-none")
    page.set_input_files("#file", PHOTO)
    page.fill("#description", "Nuestra casa sin techo")
    page.press("#description", "Enter")
    expect(page.locator("[role=status]")).to_be_visible()
    look.now("photo")
    page = look.at(f"/t/{ticket.id}/voice", "voice-none")
    page.locator("input[name=first]").first.check()
    page.locator("input[name=last]").last.check()
    page.locator("main form button.big").click()
    page.wait_for_url("**/voice?done=chosen")
    look.now("voice")
    page = look.at(f"/t/{ticket.id}/publish", "publish")
    page.click("main form .big")
    expect(page.locator("#error-summary")).to_be_visible()
    look.now("publish-error")


def test_the_pages_of_a_person_whose_story_is_public(look: Look, opened: Callable[..., Ticket], live: LiveService):
    email = address()
    ticket = opened(contactValue=email)
    published(ticket, story=STORY, title="Un techo para los Fernández", beneficiary=LONG_NAME, location="Quito")
    donate_in_sandbox(live, ticket, 50, name=LONG_NAME)
    look.as_whom(ticket.token)
    look.at("/find", "stories")
    look.at(f"/t/{ticket.id}", "wait-published")
    page = look.at(f"/t/{ticket.id}/manage", "manage")
    page.locator("#share ~ details summary").click()
    page.locator("form[action$='/thanks'] button").click()
    look.now("manage-error")
    page = look.at(f"/t/{ticket.id}/consent", "consent")
    page.locator("details summary").nth(1).click()
    page.locator("details[open] button").click()
    page.wait_for_url("**/consent?done=name")
    look.now("consent-withdrawn")
    page = look.at(f"/t/{ticket.id}/contact", "contact")
    page.fill("#contact", address())
    page.press("#contact", "Enter")
    look.now("contact-code")
    look.at(f"/t/{ticket.id}/news", "news")
    look.at(f"/t/{ticket.id}/help", "help").locator("main form button").click()
    expect(page.locator("#error-summary a")).to_have_attribute("href", "#text")
    look.now("help-error")
    page.fill("#text", STORY)
    page.locator("main form button").click()
    page.wait_for_url("**/help/*?done=asked")
    question_id = page.url.partition("?")[0].rpartition("/")[2]
    live.service.commands.support.reply(SYSTEM, UUID(question_id), uuid7(), "Ya está corregido.\n\nEscúchelo.")
    page.fill("#text", "Gracias.")
    page.locator("main form button").click()
    page.wait_for_url("**/help/*?done=replied")
    look.at(f"/t/{ticket.id}/help/{question_id}", "help-request")
    look.at(f"/t/{ticket.id}/recovery", "recovery").locator("main form button").click()
    expect(page.locator(".code svg")).to_be_visible()
    look.now("recovery-sheet")
    look.at(f"/t/{ticket.id}/erase", "erase")


def test_the_pages_of_a_donor(look: Look, opened: Callable[..., Ticket], client: Client, live: LiveService):
    ticket = opened()
    attached = ticket.http.post(f"{ticket.path}/attachments", files={"file": ("roof.png", PHOTO["buffer"])})
    assert attached.status_code == 201, attached.text
    picture = {"attachmentId": attached.json()["id"], "description": "Nuestra casa sin techo"}
    url = published(ticket, story=STORY, title="Un techo para los Fernández", beneficiary=LONG_NAME, location="Quito")
    assert ticket.http.put(f"{ticket.path}/picture", json=picture).status_code == 200
    consent = {"scopes": ["photo"], "textVersion": "1", "language": "es", "how": "typed"}
    assert ticket.post("/consents", consent).status_code in (200, 201)
    ticket.post("/updates", {"text": "Llegaron las tejas."})
    for name in (LONG_NAME, "مريم الخطيب"):
        form = {"choice": "25", "currency": "USD", "name": name, "message": "¡Ánimo! " * 12, "shown": "yes"}
        checkout = client.post(url, data=form).headers["location"]
        client.post(checkout, data={"outcome": "paid", "email": "grace@example.com", "country": "MX"})
    wait_until_delivered(live)
    page = look.at(f"{url}?lang={look.language}", "campaign")
    look.at(f"{url}?cancelled", "campaign-cancelled")
    page.locator(".give details summary").click()
    page.fill("#amount", "nothing")
    page.locator("form.give button[type=submit]").click()
    look.now("campaign-error")
    look.at(f"{url}/report", "report")
    page.goto(url)
    page.locator("form.give button[type=submit]").click()
    page.wait_for_url("**/sandbox/pay/**")
    look.now("sandbox-pay")
    page.fill("#email", "grace@example.com")
    page.select_option("#country", "MX")
    page.locator("form button[type=submit]").click()
    expect(page.locator(".thanks a[data-when=paid]")).to_be_visible()
    look.now("campaign-thanks")
    look.at("/sandbox", "sandbox")
    ticket.post("/unpublish")
    look.at(f"{url}?session_id=x", "campaign-not-public")


@pytest.mark.parametrize("look", ["en"], indirect=True)
def test_pages_in_arabic_and_without_a_photo(look: Look, opened: Callable[..., Ticket]):
    url = published(opened(displayName="مريم الخطيب"), story=ARABIC, title="سقف لبيت مريم", location="حلب")
    # The reader has chosen no language.
    look.page.context.clear_cookies(name="language")
    look.at(url, "campaign-arabic")
    assert look.page.locator("html").get_attribute("dir") == "rtl"
    look.at(published(opened(displayName="Ada"), story=ENGLISH, title="A roof for Ada"), "campaign-plain")
    look.at("/?lang=ar", "home-arabic")


def test_the_pages_of_an_auditor(look: Look, opened: Callable[..., Ticket], live: LiveService, client: Client):
    ticket = opened()
    ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    paper, export = newest(client), ticket.get("/audit").text
    look.at(f"/audit/{ticket.id}", "audit-entrance")
    _, key = live.service.access.credentials.create(Role.AUDITOR)
    look.as_whom(key)
    look.at("/audit", "audit-search")
    look.at(f"/audit/{ticket.id}", "audit")
    look.at(f"/audit/{ticket.id}?at={ticket.get('/history').json()['events'][1]['position']}", "audit-past")
    look.at(f"/audit/{ticket.id}/check", "audit-check")
    page = look.at("/verify", "verify")
    for text, kind in ((paper, "good"), (export.replace("ticket_opened", "ticket_Opened"), "bad")):
        page.fill("#text", text)
        page.locator("#check button").click()
        expect(page.locator("#own")).to_have_class(f"notice {kind}")
        look.now(f"verify-{kind}")


def test_the_pages_of_the_desk(look: Look, live: LiveService):
    workspace, email = f"w-{uuid7().hex[-12:]}", new_address()
    look.at("/desk/sign-in", "desk-sign-in").press("#email", "Enter")
    expect(look.page.locator("#error-summary a")).to_have_attribute("href", "#email")
    look.now("desk-sign-in-error")
    look.page.fill("#email", email.value)
    look.page.press("#email", "Enter")
    look.page.wait_for_url("**/desk/sign-in/code**")
    look.now("desk-code")
    look.at("/desk/sign-in/none", "desk-sign-in-link")
    with signed_in(live, email) as stranger:
        look.as_whom(token_of(stranger))
        look.at("/desk/sign-in", "desk-no-workspace")
    with joined_member(live, workspace, MemberRole.OWNER, email) as owner:
        owner.patch("/api/me", json={"name": LONG_NAME})
        owner.patch(f"/api/workspaces/{workspace}", json={"title": "Casa de acogida de la ribera del río"})
        for role in (MemberRole.ADMIN, MemberRole.CASEWORKER, MemberRole.ACCOUNTANT):
            joined_member(live, workspace, role)
        invitation = {"email": "una.persona.con.una.direccion.larga@organizacion.example", "role": "auditor"}
        owner.post(f"/api/workspaces/{workspace}/invitations", json=invitation)
        look.as_whom(token_of(owner))
        look.at("/desk", "desk-empty")
        ticket = owner.open_ticket(displayName=LONG_NAME)
        body = {"title": "Un techo nuevo para una familia de cinco personas", "story": STORY, "goalAmount": 1500}
        owner.patch(ticket.path + "/draft", json=body)
        own_id = owner.get("/api/me").json()["member"]["id"]
        work = {"labels": ["urgente", "vivienda"], "assignee": own_id, "dueAt": "2026-01-01T12:00:00Z"}
        owner.patch(ticket.path + "/desk", json=work)
        owner.post(ticket.path + "/notes", json={"text": "Llamar al ayuntamiento.\n\nPide los papeles."})
        look.at("/desk", "desk")
        page = look.at(f"/desk/tickets/{ticket.id}", "desk-ticket")
        page.locator("details summary").last.click()
        page.locator("#text").fill("")
        page.locator("form[action$='/suspend'] button").click()
        expect(page.locator("#error-summary")).to_be_focused()
        look.now("desk-ticket-error")
        owner.post(ticket.path + "/suspend", json={"reason": "Una pregunta."})
        look.at(f"/desk/tickets/{ticket.id}", "desk-ticket-suspended")
        page = look.at("/desk/organisation", "desk-organisation")
        page.fill("#currency", "XXX")
        page.locator("form[aria-labelledby=rules] button").click()
        expect(page.locator("#error-summary a")).to_have_attribute("href", "#currency")
        look.now("desk-organisation-error")
        page = look.at("/desk/retention", "desk-retention")
        page.fill("#ticketDays", "0")
        page.locator("form[aria-labelledby] button").click()
        expect(page.locator("#error-summary a")).to_have_attribute("href", "#ticketDays")
        look.now("desk-retention-error")
        page = look.at("/desk/close", "desk-close")
        page.locator("form[aria-labelledby] button").click()
        expect(page.locator("#error-summary a")).to_have_attribute("href", "#name")
        look.now("desk-close-error")
        owner.post(ticket.path + "/reinstate", json={})
        gift = donate_in_sandbox(live, ticket)
        look.at(f"/desk/gifts/{gift}", "desk-gift").locator("form[action$='/refund'] button").click()
        expect(look.page.locator("#error-summary")).to_be_focused()
        look.now("desk-gift-error")
        page = look.at("/desk/keys", "desk-keys")
        page.locator("form[aria-labelledby] button").click()
        expect(page.locator("#error-summary a")).to_have_attribute("href", "#scopes")
        page.locator("input[type=checkbox]").first.check()
        page.locator("form[aria-labelledby] button").click()
        expect(page.locator(".notice code")).to_contain_text("slk_")
        look.now("desk-keys-created")
        look.at("/desk/support", "desk-support-empty")
        question = {"category": "TRANSCRIPTION", "message": STORY, "ticketId": ticket.id, "contact": "ada@example.com"}
        question_id = owner.post("/api/support/ticket", json=question).json()["id"]
        owner.post(f"/api/support/{question_id}/replies", json={"text": "Ya está corregido."})
        owner.patch(f"/api/support/{question_id}", json={"assignee": own_id})
        look.at("/desk/support", "desk-support")
        look.at(f"/desk/support/{question_id}", "desk-support-request").locator("button.secondary").first.focus()
        look.page.locator("form[action$='/replies'] button").click()
        expect(look.page.locator("#error-summary a")).to_have_attribute("href", "#text")
        look.now("desk-support-error")
        look.at("/desk/sign-in", "desk-workspaces")
        look.at("/desk/account", "desk-account")
        page = look.at("/desk/members", "desk-members")
        page.locator("tbody details summary").last.click()
        look.now("desk-members-change")


def test_the_page_of_the_knowledge_base(look: Look, live: LiveService, admin: Client):
    _, key = live.service.access.credentials.create(Role.ADMIN)
    look.as_whom(key)
    source = {"type": "NOTE", "title": f"Una donación para {LONG_NAME}", "content": STORY}
    assert admin.post("/admin/knowledge/sources", json=source).status_code == 201
    page = look.at("/desk/knowledge", "desk-knowledge")
    page.locator("details summary").first.click()
    page.fill("#title", "password: Sonne12")
    page.fill("#content", STORY)
    page.locator("form[aria-labelledby] button").click()
    expect(page.locator("#error-summary a").first).to_have_attribute("href", "#title")
    look.now("desk-knowledge-error")
    look.at("/desk/knowledge?q=techo", "desk-knowledge-search").locator("details summary").first.click()
    look.now("desk-knowledge-passage")


def test_the_pages_of_a_story_that_is_approved_before_it_is_public(look: Look, live: LiveService):
    workspace = f"w-{uuid7().hex[-12:]}"
    with joined_member(live, workspace, MemberRole.OWNER) as owner:
        owner.patch(f"/api/workspaces/{workspace}", json={"publishing": "approval"})
        ticket = owner.open_ticket(displayName=LONG_NAME)
        ticket.write_draft(story=STORY, title="Un techo para los Fernández", beneficiary=LONG_NAME, location="Quito")

        def decide(act: str, **body: str) -> None:
            answer = owner.post(f"{ticket.path}/{act}", json=body)
            assert answer.status_code == 200, answer.text

        def show_each(state: str) -> None:
            look.as_whom(ticket.token)
            look.at(f"/t/{ticket.id}", f"wait-{state}")
            look.at(f"/t/{ticket.id}/publish", f"publish-{state}")
            look.at(f"/t/{ticket.id}/manage", f"manage-{state}")
            look.as_whom(token_of(owner))
            look.at(f"/desk/tickets/{ticket.id}", f"desk-ticket-{state}")

        show_each("not-asked")
        ticket.post("/request-publication", {"consent": True})
        show_each("requested")
        look.page.locator("#approval ~ details summary").click()
        look.page.locator("form[action$='/request-changes'] button").click()
        expect(look.page.locator("#error-summary")).to_be_focused()
        look.now("desk-ticket-no-changes")
        decide(
            "request-changes",
            note="Quite el nombre de la calle.\n\nY diga desde cuándo viven con su vecina, por favor.",
        )
        show_each("changes-requested")
        ticket.post("/request-publication", {})
        look.as_whom(ticket.token)
        look.at(f"/t/{ticket.id}/manage?done=asked", "manage-asked")
        decide("approve")
        show_each("approved")
        ticket.post("/publish", {})
        show_each("approved-and-public")


def test_the_page_of_former_members(look: Look, live: LiveService):
    workspace = f"w-{uuid7().hex[-12:]}"
    with joined_member(live, workspace, MemberRole.OWNER) as owner:
        look.as_whom(token_of(owner))
        look.at("/desk/members/former", "desk-former-members-none")
        for role in (MemberRole.CASEWORKER, MemberRole.AUDITOR):
            with joined_member(live, workspace, role) as member:
                member.patch("/api/me", json={"name": LONG_NAME})
                member_id = member.get("/api/me").json()["member"]["id"]
            owner.delete(f"/api/workspaces/{workspace}/members/{member_id}")
        owner.delete(f"/api/workspaces/{workspace}/members/{member_id}/personal-data")
        page = look.at("/desk/members/former", "desk-former-members")
        page.locator("details summary").first.click()
        page.locator("details button").first.click()
        expect(page.locator("#error-summary")).to_be_focused()
        look.now("desk-former-members-error")


def test_the_pages_of_the_audit_log_and_of_security_events(look: Look, live: LiveService):
    workspace, note = f"w-{uuid7().hex[-12:]}", live.service.access.security_events.note
    with joined_member(live, workspace, MemberRole.OWNER) as owner:
        owner.patch("/api/me", json={"name": LONG_NAME})
        look.as_whom(token_of(owner))
        look.at("/desk/security-events", "desk-security-events-none")
        ticket = owner.open_ticket()
        owner.post(f"/desk/tickets/{ticket.id}/notes", data={"text": "Llamar."})
        owner.post(f"/desk/tickets/{uuid7()}/notes", data={"text": "Llamar."})
        for kind in SecurityEventKind:
            note(kind, workspace, str(uuid7()), "2001:db8:85a3:1234:5678:8a2e:370:7334")
        look.at("/desk/audit-log", "desk-audit-log").locator("tbody details summary").first.click()
        look.now("desk-audit-log-details")
        look.at("/desk/audit-log?act=none", "desk-audit-log-error")
        look.at("/desk/security-events", "desk-security-events").locator("article button").first.click()
        expect(look.page.locator(".notice.good")).to_be_visible()
        look.at("/desk/security-events?show=all", "desk-security-events-all")


def test_the_page_of_health(look: Look, live: LiveService):
    record_three_hours(live)
    with joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER) as owner:
        look.as_whom(token_of(owner))
        look.at("/desk/health", "desk-health").locator("details summary").nth(3).click()
        look.now("desk-health-table")
    live.service.database.execute("UPDATE health_samples SET state = 'fails' WHERE part IN ('files', 'disk')")
    _, key = live.service.access.credentials.create(Role.ADMIN)
    look.as_whom(key)
    look.at("/desk/health", "desk-health-operator").locator("details summary").nth(3).click()
    look.now("desk-health-operator-table")


def token_of(member: Client) -> str:
    return str(member.headers["authorization"].removeprefix("Bearer "))


def test_the_pages_of_refunds_and_disputes(look: Look, live: LiveService):
    workspace = f"w-{uuid7().hex[-12:]}"
    with (
        joined_member(live, workspace, MemberRole.OWNER) as owner,
        joined_member(live, workspace, MemberRole.ACCOUNTANT) as accountant,
    ):
        look.as_whom(token_of(owner))
        look.at("/desk/disputes", "disputes-none")
        look.at("/desk/refund-requests", "refund-requests-none")
        ticket = owner.open_ticket()
        ticket.write_draft(title=f"Un techo para {LONG_NAME}")
        gifts = [donate_in_sandbox(live, ticket, amount) for amount in (50, "1234.56", 10)]
        donate_in_sandbox(live, ticket, 150_000, "JPY")
        accountant.post(f"/api/donations/{gifts[0]}/refund-requests", json={"reason": "A mistake.", "amount": 20})
        donations = owner.get("/api/donations").json()["donations"]
        [disputed] = [gift["paymentIntentId"] for gift in donations if gift["id"] == gifts[1]]
        assert live.service.payments.sandbox is not None
        live.service.payments.sandbox.dispute(disputed)
        wait_until_delivered(live)
        look.at("/desk/disputes", "disputes")
        page = look.at("/desk/disputes?from=soon", "disputes-error")
        expect(page.locator("#error-summary a")).to_have_attribute("href", "#from")
        look.at("/desk/refund-requests", "refund-requests")
        look.at("/desk/gifts", "gifts-with-requests")
        look.at(f"/desk/tickets/{ticket.id}/refund-all", "refund-all-not-suspended")
        owner.post(f"{ticket.path}/suspend", json={"reason": "A question."})
        page = look.at(f"/desk/tickets/{ticket.id}/refund-all", "refund-all")
        page.locator("form[method=post] button.danger").click()
        expect(look.page.locator("#error-summary a").last).to_have_attribute("href", "#word")
        look.now("refund-all-error")
        owner.post(f"{ticket.path}/refund-all", json={"reason": "Fraud."})
        look.at(f"/desk/tickets/{ticket.id}/refund-all", "refund-all-running")
        live.service.jobs.refund_runs.run_all()
        look.at(f"/desk/tickets/{ticket.id}/refund-all", "refund-all-done")


def test_the_pages_of_figures(look: Look, live: LiveService, admin: Client):
    workspace = f"w-{uuid7().hex[-12:]}"
    with (
        joined_member(live, workspace, MemberRole.OWNER) as owner,
        joined_member(live, workspace, MemberRole.ACCOUNTANT) as accountant,
    ):
        look.as_whom(token_of(accountant))
        look.at("/desk/figures", "figures-none")
        look.at("/desk/gifts", "gifts-none")
        ticket = owner.open_ticket()
        ticket.write_draft(title=f"Un techo para {LONG_NAME}")
        gifts = [donate_in_sandbox(live, ticket, amount) for amount in (50, "1234.56", 10)]
        donate_in_sandbox(live, ticket, 150_000, "JPY")
        admin.post(f"/admin/donations/{gifts[1]}/refund", json={"amount": "500", "reason": "asked for"})
        wait_until_delivered(live)
        look.at("/desk/figures", "figures")
        look.at("/desk/figures?by=week&timezone=America/Bogota", "figures-weeks")
        page = look.at("/desk/gifts", "gifts")
        page.fill("#amount", "12,")
        page.press("#amount", "Enter")
        expect(page.locator("#error-summary a")).to_have_attribute("href", "#amount")
        look.now("gifts-error")


def test_the_pages_of_what_has_failed(look: Look, live: LiveService, work: JobRunner):
    workspace = f"w-{uuid7().hex[-12:]}"
    with joined_member(live, workspace, MemberRole.OWNER) as owner:
        look.as_whom(token_of(owner))
        look.at("/desk/jobs", "desk-jobs-none")
        look.at("/desk/mails", "desk-mails-none")
        ticket = failed_ticket(owner, work, displayName=LONG_NAME)
        failed_ticket(owner, work, NO_SPEECH)
        look.at("/desk/jobs", "desk-jobs")
        for kind in ("published", "reinstated"):
            died(live, kind, ticket.id, page="https://here/d/x")
        look.at("/desk/mails", "desk-mails")
    dead_letter(live, NO_CHECKOUT)
    _, key = live.service.access.credentials.create(Role.ADMIN)
    look.as_whom(key)
    look.at("/desk/jobs", "desk-jobs-operator")
    look.at("/desk/mails", "desk-mails-operator")
    page = look.at("/desk/dead-letters", "desk-dead-letters")
    page.locator("details summary").first.click()
    page.locator("form .danger").first.click()
    expect(page.locator("#error-summary")).to_be_focused()
    look.now("desk-dead-letters-error")

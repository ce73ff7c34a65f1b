"""Who waits for a draft learns how far it is, what is missing and what went wrong; everything works without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from uuid import uuid4

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from adapters.mail.limits import MAX_TO_ADDRESS
from adapters.speech.failures import REFUSALS
from domain.errors import StepFailed
from domain.values import Draft
from entrypoints.http.handlers.wait_pages import FAULTS_OF_RECORDINGS
from tests.browser import checked
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.fakes.drafting import DRAFT
from tests.fakes.mailbox import files, text_of
from tests.fakes.speech import TRANSCRIPT

INCOMPLETE = replace(DRAFT, goal=None, beneficiary=None)
DANGEROUS = "Call me at 555-123-4567. My neighbor John Smith helps. The roof fell in."


@pytest.fixture
def holder(live: LiveService, ticket: Ticket) -> Iterator[Client]:
    """Return a browser without scripts, which is signed in."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    cookies = {"session": ticket.token}
    with Client(base_url=live.base_url, headers=headers, cookies=cookies, follow_redirects=True) as browser:
        yield browser


def recorded(ticket: Ticket) -> None:
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")


def drafted(ticket: Ticket, work: JobRunner, draft: Draft = DRAFT) -> None:
    recorded(ticket)
    work.do(ticket, draft)


def heading(page: httpx2.Response) -> str:
    match = re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    assert match is not None, page.text
    return unescape(re.sub(r"<[^>]+>", "", match[1])).strip()


def answer(holder: Client, ticket: Ticket, question: str, **form: str) -> httpx2.Response:
    return holder.post(f"/t/{ticket.id}/questions/{question}", data={question: ""} | form)


def test_a_browser_without_a_valid_cookie_is_led_to_the_page_where_one_signs_in(live: LiveService, ticket: Ticket):
    with Client(base_url=live.base_url, headers={"Accept": "text/html"}) as stranger:
        answer = stranger.get(f"/t/{ticket.id}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/find?next=%2Ft%2F{ticket.id}")


def test_the_page_leads_from_the_recording_to_the_draft_without_scripts(
    holder: Client, ticket: Ticket, work: JobRunner
):
    path = f"/t/{ticket.id}"
    assert heading(holder.get(path)) == "Tell your story"
    ticket.upload(RECORDING.read_bytes())
    assert heading(holder.get(path)) == "We have your recording"
    working = holder.post(f"{path}/start", data={"press": ""})
    assert heading(working) == "We are working on your story"
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in working.text
    assert "<strong>We are listening to your recording.</strong>" in working.text
    # Pressed twice.
    assert heading(holder.post(f"{path}/start", data={"press": ""})) == "We are working on your story"
    work.do(ticket)
    ready = holder.get(path)
    assert heading(ready) == "Your page is ready to read"
    [reading] = re.findall(r'<a class="button big wide-button" href="([^"]+)"', ready.text)
    assert holder.get(reading).status_code == 200
    ticket.post("/publish", {"consent": True})
    published = holder.get(path)
    assert heading(published) == "Your page is public"
    assert f'href="/t/{ticket.id}/manage"' in published.text


def test_every_fault_of_a_recording_says_what_to_do(holder: Client, ticket: Ticket, work: JobRunner):
    seen = set()
    assert set(REFUSALS) <= FAULTS_OF_RECORDINGS
    for code in sorted(FAULTS_OF_RECORDINGS):
        recorded(ticket)
        work.do(ticket, outcome=StepFailed(code, "In English.", retryable=False))
        page = holder.get(f"/t/{ticket.id}")
        assert heading(page) == "Something went wrong"
        assert "In English." not in page.text
        assert f'href="/tell/{ticket.id}"' in page.text
        assert f'href="/t/{ticket.id}/questions/story"' in page.text
        assert "Try again" not in page.text
        seen.add(page.text)
    assert len(seen) >= 6


def test_a_fault_of_ours_is_repaired_by_trying_again(holder: Client, ticket: Ticket, work: JobRunner):
    recorded(ticket)
    work.do(ticket, outcome=StepFailed("transcriber_unavailable", "Away.", retryable=True))
    page = holder.get(f"/t/{ticket.id}")
    assert "The fault is ours" in page.text
    assert heading(holder.post(f"/t/{ticket.id}/retry", data={"press": ""})) == "We are working on your story"
    assert heading(holder.post(f"/t/{ticket.id}/retry", data={"press": ""})) == "We are working on your story"


def test_missing_fields_are_asked_for_one_question_a_page(holder: Client, ticket: Ticket, work: JobRunner):
    drafted(ticket, work, INCOMPLETE)
    page = holder.get(f"/t/{ticket.id}")
    assert "2 things are missing" in page.text
    shown = holder.get(f"/t/{ticket.id}/questions")
    assert (shown.url.path, heading(shown)) == (f"/t/{ticket.id}/questions/goal", "How much money is needed?")
    shown = answer(holder, ticket, "goal", amount="1,500.50", currency="EUR")
    assert heading(shown) == "Who is the money for?"
    # The holder's own name is offered.
    assert 'value="Ada Lovelace"' in shown.text
    answers = answer(holder, ticket, "beneficiary", beneficiary="  María & Söhne ")
    assert answers.url.path == f"/t/{ticket.id}/answers"
    assert "1,500.50 EUR" in answers.text
    assert "María &amp; Söhne" in answers.text
    status = ticket.get("/status").json()
    assert status["contentStatus"] == "READY"
    draft = ticket.get("?include=draft").json()["donationDraft"]
    assert (draft["goalAmount"], draft["currency"], draft["beneficiary"]) == (1500.5, "EUR", "María & Söhne")


def test_a_whole_page_can_be_written_by_hand(holder: Client, ticket: Ticket):
    shown = holder.get(f"/t/{ticket.id}/questions")
    assert heading(shown) == "What happened?"
    shown = answer(holder, ticket, "story", story="The roof fell in.\r\n\r\nWe are six.")
    assert heading(shown) == "How much money is needed?"
    shown = answer(holder, ticket, "goal", amount="1500", currency="USD")
    shown = answer(holder, ticket, "beneficiary", beneficiary="Ada")
    # A title is offered.
    assert heading(shown) == "What is the title of your page?"
    assert 'value="Help for Ada"' in shown.text
    answers = answer(holder, ticket, "title", title="Help for Ada")
    assert heading(answers) == "Check your answers"
    assert ticket.get("?include=draft").json()["donationDraft"]["story"] == "The roof fell in.\n\nWe are six."
    assert ticket.post("/publish", {"consent": True}).status_code == 200


def test_an_answer_is_changed_from_the_list_and_leads_back_to_it(holder: Client, ticket: Ticket):
    ticket.write_draft()
    answers = holder.get(f"/t/{ticket.id}/answers")
    assert f'href="/t/{ticket.id}/questions/title?check=1"' in answers.text
    place = holder.post(f"/t/{ticket.id}/questions/location", data={"location": "Lima", "check": "1"})
    assert "Lima" in place.text
    place = holder.post(f"/t/{ticket.id}/questions/location", data={"location": "", "check": "1"})
    assert "Lima" not in place.text
    shown = holder.get(f"/t/{ticket.id}/questions/title?check=1")
    assert f'href="/t/{ticket.id}/answers">Back' in shown.text
    assert 'value="Help Ada"' in shown.text
    changed = answer(holder, ticket, "title", title="A roof for Ada", check="1")
    assert changed.url.path == f"/t/{ticket.id}/answers"
    assert "A roof for Ada" in changed.text


@pytest.mark.parametrize(
    ("question", "form", "fault"),
    [
        ("goal", {"amount": ""}, "Write how much money is needed."),
        ("goal", {"amount": "much"}, "Write the amount in digits, like 1500."),
        ("goal", {"amount": "1.234"}, "We are not sure which amount you mean. Write it with digits only, like 1500."),
        ("goal", {"amount": "0"}, "This amount is too small or too large. Please check it."),
        ("goal", {"amount": "99999999999"}, "This amount is too small or too large."),
        ("goal", {"amount": "5", "currency": "XXX"}, "Choose a currency from the list."),
        ("goal", {"amount": "5.5", "currency": "JPY"}, "This currency does not have that many decimals."),
        ("story", {"story": " "}, "Write what happened."),
        ("story", {"story": "x" * 10_001}, "This is too long. Please make it shorter."),
        ("beneficiary", {}, "Write who the money is for."),
        ("title", {"title": "one\ntwo"}, "Please write this in one line."),
        ("title", {"title": "a\x00b"}, "Please use letters, digits and punctuation only."),
    ],
)
def test_an_answer_with_a_fault_is_shown_again_with_what_to_do(
    holder: Client, ticket: Ticket, question: str, form: dict[str, str], fault: str
):
    defaults = {"currency": "USD"} if question == "goal" else {}
    page = answer(holder, ticket, question, **defaults | form)
    assert page.status_code == 422
    field = "amount" if question == "goal" else question
    assert f'<li><a href="#{field}">{fault[:30]}' in page.text
    assert fault in page.text
    assert 'aria-invalid="true"' in page.text
    assert ticket.get("?include=draft").json()["donationDraft"] is None


def version_in(page: httpx2.Response) -> str:
    match = re.search(r'name="version" value="([0-9]+)"', page.text)
    assert match is not None, page.text
    return match[1]


def test_neither_of_two_answers_to_one_question_is_lost_silently(holder: Client, ticket: Ticket):
    path = f"/t/{ticket.id}/questions/title"
    first = version_in(holder.get(path))
    assert answer(holder, ticket, "title", title="A roof for Ada", version=first).status_code == 200
    # An answer to another question is no conflict, and neither is the same answer.
    assert answer(holder, ticket, "story", story="The roof fell in.", version=first).status_code == 200
    assert answer(holder, ticket, "title", title="A roof for Ada", version=first).status_code == 200
    assert answer(holder, ticket, "title", title=" ", version=first).status_code == 422
    conflict = answer(holder, ticket, "title", title="Help us", version=first)
    assert conflict.status_code == 409
    assert "Somebody else answered this at the same time" in conflict.text
    assert '<blockquote dir="auto">A roof for Ada</blockquote>' in conflict.text
    assert 'value="Help us"' in conflict.text
    assert ticket.get("?include=draft").json()["donationDraft"]["title"] == "A roof for Ada"
    assert answer(holder, ticket, "title", title="Help us", version=version_in(conflict)).status_code == 200
    assert ticket.get("?include=draft").json()["donationDraft"]["title"] == "Help us"


@pytest.mark.parametrize("version", ["", "0", "999999", "9" * 40, "x"])
def test_an_answer_to_a_version_that_never_was_is_shown_again(holder: Client, ticket: Ticket, version: str):
    ticket.write_draft()
    assert answer(holder, ticket, "title", title="Help us", version=version).status_code == 409


def test_an_unknown_question_is_not_found(holder: Client, ticket: Ticket):
    assert holder.get(f"/t/{ticket.id}/questions/age").status_code == 404
    assert answer(holder, ticket, "age").status_code == 404


def test_each_finding_is_decided_on_a_page_of_its_own(holder: Client, ticket: Ticket):
    ticket.write_draft(story=DANGEROUS)
    path = f"/t/{ticket.id}/findings"
    page = holder.get(path, params={"next": f"/t/{ticket.id}/publish"})
    assert "This phone number would be visible to everybody." in page.text
    assert "Call me at <mark>555-123-4567</mark>. My neighbor" in page.text
    page = decide(holder, path, page, "remove")
    assert "<mark>John Smith</mark>" in page.text
    page = decide(holder, path, page, "keep")
    assert heading(page) == "Everything is decided"
    assert f'href="/t/{ticket.id}/publish">Continue' in page.text
    assert ticket.post("/publish", {"consent": True}).status_code == 200
    # What was kept can be taken out later.
    decide(holder, path, page, "remove")
    assert "John Smith" not in ticket.get("?include=draft").text


def decide(holder: Client, path: str, page: httpx2.Response, decision: str) -> httpx2.Response:
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    return holder.post(path, data=fields | {"decision": decision})


def test_a_finding_that_is_gone_needs_no_decision_and_no_link_leads_elsewhere(holder: Client, ticket: Ticket):
    ticket.write_draft(story=DANGEROUS)
    path = f"/t/{ticket.id}/findings"
    page = holder.get(path, params={"next": "https://evil.example/"})
    assert 'value="https://evil.example' not in page.text
    ticket.write_draft(story="The roof fell in.")
    assert heading(decide(holder, path, page, "keep")) == "Everything is decided"
    assert heading(holder.post(path, data={"decision": "maybe"})) == "Everything is decided"


def test_hostile_texts_are_no_markup_in_these_pages(holder: Client, ticket: Ticket):
    hostile = "<script>alert(1)</script>"
    ticket.patch("/draft", {"title": hostile, "story": f"{hostile} 555-123-4567", "beneficiary": hostile})
    for page in ("", "/questions/title", "/questions/story", "/answers", "/findings"):
        assert hostile not in holder.get(f"/t/{ticket.id}{page}").text


OUTCOMES = [
    (DRAFT, TRANSCRIPT, "en", "Your page is ready to read"),
    (INCOMPLETE, TRANSCRIPT, "es", "Tenemos una pregunta para usted"),
    (DRAFT, StepFailed("no_speech", "Nothing.", retryable=False), "en", "We could not write your page yet"),
]


@pytest.mark.parametrize(("draft", "outcome", "language", "subject"), OUTCOMES)
def test_a_mail_in_the_language_of_the_story_says_that_there_is_something_to_do(
    live: LiveService, client: Client, work: JobRunner, draft: Draft, outcome: object, language: str, subject: str
):
    address = f"{uuid4().hex}@example.com"
    ticket = client.open_ticket(contactValue=address)
    recorded(ticket)
    work.do(ticket, draft, outcome, language)
    live.service.mail.sender.run_all()
    [mail] = files(live.settings.outbox, address)
    assert mail["Subject"] == subject
    assert mail["List-Unsubscribe"].startswith(f"<{live.base_url}/unsubscribe/")
    # No text of a ticket but the name is sent to an address that nobody has verified.
    assert ("Hola, Ada Lovelace:" if language == "es" else "Hello Ada Lovelace,") in text_of(mail)
    assert "Moss" not in mail.as_string()
    assert "rent" not in text_of(mail)
    link = f"{live.base_url}/t/{ticket.id}"
    assert link in text_of(mail).split()
    opened = client.get(link, headers={"Accept": "text/html"})
    assert opened.headers["location"] == f"/find?next=%2Ft%2F{ticket.id}"
    assert client.get(opened.headers["location"]).status_code == 200


def test_nobody_gets_many_mails_about_recordings_that_strangers_upload_in_their_name(
    live: LiveService, client: Client, work: JobRunner
):
    address = f"{uuid4().hex}@example.com"
    ticket = client.open_ticket(contactValue=address)
    for _ in range(MAX_TO_ADDRESS + 2):
        recorded(ticket)
        work.do(ticket)
    live.service.mail.sender.run_all()
    assert len(files(live.settings.outbox, address)) == MAX_TO_ADDRESS


@pytest.mark.browser
@pytest.mark.parametrize("language", ["es", pytest.param("en", marks=pytest.mark.soak)])
def test_a_browser_follows_the_work_answers_what_is_missing_and_decides_on_findings(
    browser: Browser, live: LiveService, ticket: Ticket, work: JobRunner, language: str
):
    recorded(ticket)
    with checked(browser, live.base_url, language=language, credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}")
        work.do(ticket, INCOMPLETE)
        # The page changes by itself.
        page.locator('#wait[data-state="questions"]').wait_for()
        page.locator(f'a[href="/t/{ticket.id}/questions"]').click()
        _submit(page)
        expect(page.locator("#error-summary")).to_be_focused()
        tab.complaints.clear()  # the browser reports the status 422
        page.locator("#error-summary a").click()
        expect(page.locator("#amount")).to_be_focused()
        page.keyboard.type("1500")
        page.keyboard.press("Enter")
        page.wait_for_url("**/beneficiary#*")
        _submit(page)
        page.wait_for_url("**/answers*")
        ticket.write_draft(story=DANGEROUS)
        page.reload()
        page.locator(f'a[href="/t/{ticket.id}/findings"]').click()
        page.locator('button[value="keep"]').click()
        page.locator('button[value="keep"]').click()
        page.locator(".kept").wait_for()


def _submit(page: Page) -> None:
    page.locator('main button[type="submit"]').click()


@pytest.mark.browser
def test_a_browser_asks_for_the_status_where_no_stream_is_allowed_and_again_after_a_lost_connection(
    browser: Browser, live: LiveService, ticket: Ticket, work: JobRunner
):
    recorded(ticket)
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if route.request.resource_type != "fetch" or lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    with checked(browser, live.base_url, credential=ticket.token) as tab:
        tab.page.route("**/events", lambda route: route.fulfill(status=429))
        tab.page.route(f"**/t/{ticket.id}", lose_first)
        page = tab.open(f"/t/{ticket.id}")
        work.do(ticket, outcome=StepFailed("no_speech", "Nothing.", retryable=False))
        page.locator('#wait[data-state="failed"]').wait_for()
        assert len(lost) == 1
        tab.complaints.clear()  # the refused stream and the lost connection

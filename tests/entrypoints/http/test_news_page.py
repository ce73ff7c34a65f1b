"""A holder chooses what to hear of, on the page or by the link of a mail, and hears by text what a mail would say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from domain.errors import StepFailed
from domain.values import Draft
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.test_codes_by_text import number
from tests.entrypoints.http.test_login_codes import address
from tests.entrypoints.http.test_manage_pages import browser_of, page
from tests.fakes.drafting import DRAFT
from tests.fakes.mailbox import files
from tests.fakes.speech import TRANSCRIPT
from tests.fakes.text_provider import text_files

CHECKED = re.compile(r'name="(\w+)" value="yes" checked')


@pytest.fixture
def phone() -> str:
    return number()


@pytest.fixture
def ticket_of_phone(client: Client, phone: str) -> Ticket:
    return client.open_ticket(contactType="PHONE", contactValue=phone)


@pytest.fixture
def holder(live: LiveService, ticket_of_phone: Ticket) -> Iterator[Client]:
    with browser_of(live, ticket_of_phone.token) as browser:
        yield browser


def heard(live: LiveService, to: str) -> list[str]:
    live.service.mail.sender.run_all()
    return [text.text for text in text_files(live.settings.outbox, to)]


def recorded(ticket: Ticket) -> Ticket:
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    return ticket


@pytest.mark.parametrize(
    ("draft", "outcome", "language", "words"),
    [
        (DRAFT, TRANSCRIPT, "en", "Your page is ready to read."),
        (DRAFT, TRANSCRIPT, "es", "Su pagina esta lista para leer."),
        (replace(DRAFT, goal=None), TRANSCRIPT, "en", "We have a question for you"),
        (DRAFT, StepFailed("no_speech", "Nothing.", retryable=False), "en", "could not write your page yet"),
    ],
    ids=["ready", "in Spanish", "question", "failed"],
)
def test_a_person_with_a_phone_hears_by_text(
    live: LiveService,
    ticket_of_phone: Ticket,
    phone: str,
    work: JobRunner,
    draft: Draft,
    outcome: object,
    language: str,
    words: str,
):
    recorded(ticket_of_phone)
    work.do(ticket_of_phone, draft, outcome, language)
    [text] = heard(live, phone)
    assert words in text
    assert f"{live.base_url}/t/{ticket_of_phone.id}" in text


def test_an_act_of_an_administrator_is_told_by_text_without_its_reason(
    live: LiveService, ticket_of_phone: Ticket, phone: str, admin: Client
):
    ticket_of_phone.publish()
    suspended = admin.post(f"{ticket_of_phone.path}/suspend", json={"reason": "Is the photo yours?"})
    assert suspended.status_code == 200, suspended.text
    [text] = heard(live, phone)
    assert "We took your page down." in text
    assert "photo" not in text


def test_a_holder_chooses_what_to_hear_of(
    live: LiveService, holder: Client, ticket_of_phone: Ticket, phone: str, work: JobRunner
):
    path = page(ticket_of_phone, "news")
    shown = holder.get(path).text
    assert phone not in shown
    assert len(CHECKED.findall(shown)) == 6
    saved = holder.post(path, data={"goal": "yes", "first_gift": "yes", "thanks": "yes", "other": "yes"})
    assert saved.status_code == 303
    assert CHECKED.findall(holder.get(saved.headers["location"]).text) == ["first_gift", "goal"]
    work.do(recorded(ticket_of_phone))
    assert heard(live, phone) == []
    holder.post(path, data={"draft": "yes"})
    work.do(recorded(ticket_of_phone))
    assert len(heard(live, phone)) == 1


def test_a_contact_that_nobody_can_write_to_has_nothing_to_choose(live: LiveService, client: Client):
    ticket = client.open_ticket(contactType="SOCIAL", contactValue="@ada")
    with browser_of(live, ticket.token) as browser:
        shown = browser.get(page(ticket, "news")).text
        assert "checkbox" not in shown
        assert "cannot write to your contact" in shown
        assert browser.post(page(ticket, "news"), data={"goal": "yes"}).status_code == 409


def test_the_link_of_a_mail_leads_to_the_same_choice(live: LiveService, client: Client, work: JobRunner):
    email = address()
    ticket = client.open_ticket(contactValue=email)
    work.do(recorded(ticket))
    live.service.mail.sender.run_all()
    [mail] = files(live.settings.outbox, email)
    link = mail["List-Unsubscribe"].strip("<>")
    shown = client.get(link).text
    assert len(CHECKED.findall(shown)) == 6
    action = re.search(r'action="(/unsubscribe/[^"]+/choice)"', shown)
    assert action is not None
    chosen = client.post(action[1], data={"goal": "yes"})
    assert (chosen.status_code, "Your choice is saved" in chosen.text) == (200, True)
    assert CHECKED.findall(client.get(link).text) == ["goal"]
    work.do(recorded(ticket))
    live.service.mail.sender.run_all()
    assert len(files(live.settings.outbox, email)) == 1
    # One click unsubscribes from everything.
    client.post(urlsplit(link).path, data={"List-Unsubscribe": "One-Click"})
    assert CHECKED.findall(client.get(link).text) == []


def test_a_donor_has_nothing_to_choose(live: LiveService, client: Client):
    link = live.service.mail.subscriptions.link(address())
    assert "checkbox" not in client.get(f"{link}?kind=thanks").text
    assert "checkbox" in client.get(f"{link}?kind=weekly_gifts").text


# The way back is offered where a story was told.


@pytest.mark.parametrize(
    ("contact", "words"),
    [
        ({"contactType": "PHONE"}, "a code that we send to your phone"),
        ({"contactType": "SOCIAL", "contactValue": "@ada"}, "We cannot send you a code."),
    ],
    ids=["phone", "handle"],
)
def test_a_person_without_mail_is_offered_a_recovery_sheet_after_telling(
    live: LiveService, client: Client, contact: dict[str, str], words: str
):
    ticket = client.open_ticket(**{"contactValue": number(), **contact})
    with browser_of(live, ticket.token) as browser:
        assert "/recovery" not in browser.get(f"/t/{ticket.id}").text
        recorded(ticket)
        shown = browser.get(f"/t/{ticket.id}").text
        assert words in shown
        assert "We will send you a text message" in shown or contact["contactType"] == "SOCIAL"
        assert f'href="/t/{ticket.id}/recovery"' in shown
        assert browser.post(page(ticket, "recovery"), data={}).status_code == 200
        assert "You have a recovery sheet." in browser.get(f"/t/{ticket.id}").text


def test_without_texts_a_person_with_a_phone_is_told_that_no_code_comes(
    live: LiveService, holder: Client, ticket_of_phone: Ticket, monkeypatch: pytest.MonkeyPatch
):
    recorded(ticket_of_phone)
    monkeypatch.setitem(vars(live.service.mail.outbox), "texts", None)
    shown = holder.get(f"/t/{ticket_of_phone.id}").text
    assert "We cannot send you a code." in shown
    assert "We go on without you." in shown


def test_a_person_with_mail_finds_the_sheet_in_one_line(live: LiveService, client: Client):
    ticket = recorded(client.open_ticket(contactValue=address()))
    with browser_of(live, ticket.token) as browser:
        shown = browser.get(f"/t/{ticket.id}").text
    assert f'href="/t/{ticket.id}/recovery"' in shown
    assert "Your way back" not in shown

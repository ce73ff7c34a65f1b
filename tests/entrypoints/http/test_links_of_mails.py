"""Every link in every mail leads to a page of the running service."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest

from adapters.mail import messages
from domain.commands.retention import NOTICE_PERIOD
from domain.errors import StepFailed
from domain.values import SYSTEM, Draft, Role
from tests.client import RECORDING, Client, LiveService, Ticket, eventually
from tests.entrypoints.conftest import JobRunner, donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.test_login_codes import address, mails, request_code
from tests.fakes.drafting import DRAFT
from tests.fakes.mailbox import files, text_of

LINK = re.compile(r"https?://[^\s\"<>]+")


def links_of(mail: EmailMessage) -> set[str]:
    html = mail.get_body(("html",))
    assert html is not None
    return {link.replace("&amp;", "&") for text in (text_of(mail), html.get_content()) for link in LINK.findall(text)}


def follow(live: LiveService, mail: EmailMessage, credential: str = "") -> dict[str, int]:
    """Follow every link of the mail as the browser of its reader does; return the status of each."""
    headers = {"Accept": "text/html", "Cookie": f"session={credential}"}
    with Client(base_url=live.base_url, headers=headers, follow_redirects=True) as browser:
        return {link: browser.get(link).status_code for link in links_of(mail)}


@pytest.fixture
def holder(client: Client) -> tuple[str, Ticket]:
    email = address()
    return email, client.open_ticket(contactValue=email)


def test_the_links_of_mails_to_a_holder_work(live: LiveService, client: Client, holder: tuple[str, Ticket]):
    email, ticket = holder
    ticket.publish()
    request_code(client, email)
    # The code is sent before the contact changes.
    [code] = [mail for mail in mails(live, email) if "/sign-in/" in text_of(mail)]
    assert set(follow(live, code).values()) == {200}
    admin = live.client_with_key(Role.ADMIN)
    assert admin.post(f"{ticket.path}/suspend", json={"reason": "A question."}).status_code == 200
    assert admin.post(f"{ticket.path}/reinstate", json={}).status_code == 200
    new = address()
    reset = admin.post(f"/admin/profiles/{ticket.id}/approve-reset", json={"newContactValue": new})
    assert reset.status_code == 200
    sent = [*mails(live, email), *mails(live, new)]
    assert len(sent) == 6
    for mail in sent:
        statuses = follow(live, mail)
        assert set(statuses.values()) <= {200}, (mail["Subject"], statuses)


@pytest.mark.parametrize(
    ("subject", "outcome"),
    [
        ("We have a question for you", {"draft": Draft(title="A roof")}),
        ("Your page is ready to read", {"draft": DRAFT}),
        ("We could not write your page yet", {"outcome": StepFailed("no_speech", "Silence.", retryable=False)}),
    ],
)
def test_the_links_of_mails_about_the_work_on_a_recording_work(
    live: LiveService, work: JobRunner, holder: tuple[str, Ticket], subject: str, outcome: dict[str, Any]
):
    email, ticket = holder
    assert ticket.upload(RECORDING.read_bytes()).status_code == 200
    assert ticket.post("/process", {}).status_code == 202
    work.do(ticket, **outcome)
    [mail] = mails(live, email)
    assert mail["Subject"] == subject
    statuses = follow(live, mail, ticket.token)
    assert set(statuses.values()) == {200}, statuses
    assert any(link.endswith(f"/t/{ticket.id}") for link in statuses)


def test_the_link_of_the_notice_of_erasure_opens_the_story(live: LiveService, holder: tuple[str, Ticket]):
    email, ticket = holder
    live.service.aggregates.tickets.change(
        UUID(ticket.id), lambda t: t.announce_erasure(SYSTEM, datetime.now(UTC) + NOTICE_PERIOD, datetime.now(UTC))
    )
    [notice] = mails(live, email)
    statuses = follow(live, notice, ticket.token)
    assert statuses == {f"{live.base_url}/t/{ticket.id}": 200}
    # Without a session, the link leads to the page where one signs in.
    assert set(follow(live, notice).values()) == {200}


def test_a_mail_about_a_refund_has_no_link_that_fails(live: LiveService, ticket: Ticket):
    donation = donate_in_sandbox(live, ticket, 50)
    admin = live.client_with_key(Role.ADMIN)
    assert admin.post(f"/admin/donations/{donation}/refund", json={"reason": "Asked."}).status_code == 202
    eventually(lambda: ticket.get("/donations/total").json()["counts"]["refunded"] == 1)
    # The mail is written when Stripe reports the refund, which is counted as soon as Stripe accepts it.
    wait_until_delivered(live)
    live.service.payments.donor_emails.run_all()
    live.service.mail.sender.run_all()
    [refund] = [
        mail for mail in files(live.settings.outbox) if donation in text_of(mail) and "Refund number" in text_of(mail)
    ]
    assert set(follow(live, refund).values()) <= {200}


def test_the_links_of_a_receipt_work_and_one_is_the_pdf(live: LiveService, ticket: Ticket):
    ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    donor_mails = live.service.payments.donor_emails
    eventually(lambda: ticket.get("/donations/total").json()["counts"]["paid"] == 1)
    donor_mails.run_all()
    live.service.mail.sender.run_all()
    [receipt] = [
        mail
        for mail in files(live.settings.outbox)
        if f"/d/{slug_of(ticket)}" in text_of(mail) and "receipt?" in text_of(mail)
    ]
    statuses = follow(live, receipt)
    assert set(statuses.values()) == {200}
    assert any("/receipt?session_id=" in link for link in statuses)


def test_thanks_reach_each_donor_once_for_each_text_and_show_nobody_an_address(live: LiveService, ticket: Ticket):
    ticket.publish()
    for _ in range(2):
        donate_in_sandbox(live, ticket, 50)
    eventually(lambda: ticket.get("/donations/total").json()["counts"]["paid"] == 2)
    headers = {"Cookie": f"session={ticket.token}", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    words = f"You mended the roof of {slug_of(ticket)}."
    with Client(base_url=live.base_url, headers=headers) as browser:
        assert browser.post(f"/t/{ticket.id}/thanks", data={"text": " "}).status_code == 422
        for _ in range(2):
            answer = browser.post(f"/t/{ticket.id}/thanks", data={"text": words})
            assert answer.status_code == 303, answer.text
        shown = browser.get(answer.headers["location"]).text
    live.service.payments.donor_emails.run_all()
    live.service.mail.sender.run_all()
    thanks = [mail for mail in files(live.settings.outbox) if words in text_of(mail)]
    assert len(thanks) == len({str(mail["To"]) for mail in thanks}) > 0
    assert not any(str(mail["To"]) in shown for mail in thanks)
    assert "List-Unsubscribe" in thanks[0]
    assert set(follow(live, thanks[0]).values()) == {200}


def slug_of(ticket: Ticket) -> str:
    slug: str = ticket.get("/qr-code").json()["targetUrl"].rpartition("/")[2]
    return slug


def test_no_kind_of_mail_is_forgotten():
    kinds = {file.stem for file in messages.TEMPLATES.glob("*.txt")}
    followed = {
        "access_code",
        "published",
        "suspended",
        "reinstated",
        "new_access",
        "contact_changed",
        "draft_questions",
        "draft_ready",
        "recording_failed",
        "retention_notice",
        "receipt",
        "refund",
        "thanks",
    }
    without_links = {"contact_code"}
    assert {kind for kind in kinds if not kind.startswith("_")} == followed | without_links

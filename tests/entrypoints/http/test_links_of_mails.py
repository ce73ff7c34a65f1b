"""Every link in every mail leads to a page of the running service."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest

from adapters.contacts import normalize_contact
from adapters.mail import messages
from adapters.mail.reminders import remind_of_disputes, remind_of_due_tickets
from domain.commands.retention import NOTICE_PERIOD
from domain.errors import StepFailed
from domain.members import MemberRole
from domain.values import SYSTEM, ContactType, Draft, Role
from tests.client import RECORDING, Client, LiveService, Ticket, eventually
from tests.entrypoints.conftest import JobRunner, donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.test_login_codes import address, mails, request_code
from tests.entrypoints.http.test_support import open_support_ticket
from tests.fakes.drafting import DRAFT
from tests.fakes.mailbox import files, text_of
from tests.members import joined_member

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


def test_the_links_of_news_about_gifts_open_the_gifts_of_the_holder(live: LiveService, holder: tuple[str, Ticket]):
    email, ticket = holder
    ticket.publish()
    # As much as the goal.
    donate_in_sandbox(live, ticket, 1500)
    news, database = live.service.jobs.gift_news, live.service.database
    [gift] = ticket.get("/donations").json()["donations"]
    paid_on = datetime.fromisoformat(gift["paidAt"]).astimezone(UTC).replace(hour=12)
    database.execute("DELETE FROM told_weeks")
    news.note_week(paid_on + timedelta(days=7 - paid_on.weekday()))
    # Holders of other tests are not told, because mails to their addresses are limited and counted.
    database.execute("DELETE FROM gift_news WHERE ticket_id <> %s", (ticket.id,))
    news.run_all()
    sent = {str(mail["Subject"]): mail for mail in mails(live, email)}
    for subject in ("Your first gift has arrived", "You have reached your goal", "A gift came in last week"):
        statuses = follow(live, sent[f"TEST: {subject}"], ticket.token)
        assert set(statuses.values()) == {200}, (subject, statuses)
        assert f"{live.base_url}/t/{ticket.id}/manage" in statuses


def test_the_links_of_mails_about_the_approval_of_a_page_open_the_page_of_the_holder(live: LiveService, workspace: str):
    email, note = address(), {"note": "A shorter title."}
    with (
        joined_member(live, workspace, MemberRole.OWNER) as owner,
        live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as opener,
    ):
        assert owner.patch(f"/api/workspaces/{workspace}", json={"publishing": "approval"}).status_code == 200
        ticket = opener.open_ticket(contactValue=email)
        ticket.write_draft()
        for decision, body in (("request-changes", note), ("approve", {})):
            assert ticket.post("/request-publication", {"consent": True}).status_code == 200
            assert owner.post(f"{ticket.path}/{decision}", json=body).status_code == 200
    sent = {str(mail["Subject"]): mail for mail in mails(live, email)}
    for subject in ("Please change something on your page", "Your page is approved"):
        statuses = follow(live, sent[subject], ticket.token)
        assert set(statuses.values()) == {200}, (subject, statuses)
        assert f"{live.base_url}/t/{ticket.id}/manage" in statuses


def test_the_links_of_an_invitation_and_of_a_code_lead_a_member_to_the_desk(
    live: LiveService, client: Client, workspace: str
):
    email = address()
    with joined_member(live, workspace, MemberRole.OWNER) as owner:
        invitation = {"email": email, "role": "caseworker"}
        assert owner.post(f"/api/workspaces/{workspace}/invitations", json=invitation).status_code == 201
    assert client.post("/api/session/code", json={"email": email}).status_code == 202
    sent = mails(live, email)
    assert len(sent) == 2
    for mail in sent:
        statuses = follow(live, mail)
        assert set(statuses.values()) == {200}, (mail["Subject"], statuses)
        assert any(link.startswith(f"{live.base_url}/desk") for link in statuses)


def test_the_link_of_a_reminder_opens_the_story_at_the_desk(live: LiveService, workspace: str):
    email = address()
    contact = normalize_contact(ContactType.EMAIL, email)
    with joined_member(live, workspace, MemberRole.CASEWORKER, contact) as member:
        ticket = member.open_ticket(contactValue=address())
        due = {"assignee": member.get("/api/me").json()["member"]["id"], "dueAt": "2026-01-01T00:00:00Z"}
        assert member.patch(f"{ticket.path}/desk", json=due).status_code == 200
        remind_of_due_tickets(live.service.database, live.service.commands.desk)
        [reminder] = [mail for mail in mails(live, email) if mail["Subject"] == "A story that you take care of is due"]
        session = member.headers["Authorization"].removeprefix("Bearer ")
        assert follow(live, reminder, session) == {f"{live.base_url}/desk/tickets/{ticket.id}": 200}
    # Without a session, the link leads to the page where members sign in.
    assert set(follow(live, reminder).values()) == {200}


def test_the_link_of_a_reminder_of_a_dispute_opens_the_disputes_at_the_desk(live: LiveService, workspace: str):
    email = address()
    with joined_member(live, workspace, MemberRole.OWNER, normalize_contact(ContactType.EMAIL, email)) as member:
        ticket = member.open_ticket(contactValue=address())
        ticket.write_draft()
        gift = donate_in_sandbox(live, ticket)
        [paid] = [each for each in member.get("/api/donations").json()["donations"] if each["id"] == gift]
        sandbox = live.service.payments.sandbox
        assert sandbox is not None
        sandbox.dispute(paid["paymentIntentId"])
        wait_until_delivered(live)
        day_before = datetime.fromisoformat(member.get("/api/disputes").json()["disputes"][0]["evidenceDueBy"])
        day_before -= timedelta(days=1)
        remind_of_disputes(live.service.database, live.service.commands.disputes, lambda: day_before)
        [reminder] = [mail for mail in mails(live, email) if mail["Subject"] == "A dispute has to be answered soon"]
        session = member.headers["Authorization"].removeprefix("Bearer ")
        statuses = follow(live, reminder, session)
        assert statuses.pop(f"{live.base_url}/desk/disputes") == 200
        assert set(statuses.values()) == {200}
        [unsubscribe] = statuses
    with live.client() as reader:
        assert "/choice" not in reader.get(unsubscribe, headers={"Accept": "text/html"}).text


def test_an_answer_to_a_request_for_help_leads_to_the_conversation(live: LiveService, workspace: str):
    email = address()
    with joined_member(live, workspace, MemberRole.CASEWORKER) as member:
        ticket = member.open_ticket(contactValue=email)
        question = open_support_ticket(ticket.http, ticketId=ticket.id)
        reply = {"text": "We have mended your recording."}
        assert member.post(f"/api/support/{question['id']}/replies", json=reply).status_code == 201
    [answer] = mails(live, email)
    assert set(follow(live, answer).values()) == {200}
    assert any(link.endswith(f"/t/{ticket.id}/help/{question['id']}") for link in links_of(answer))


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
        "first_gift",
        "goal_reached",
        "weekly_gifts",
        "changes_requested",
        "approved",
        "invitation",
        "member_code",
        "ticket_due",
        "dispute_due",
        "support_reply",
    }
    without_links = {"contact_code"}
    assert {kind for kind in kinds if not kind.startswith("_")} == followed | without_links

"""An administrator takes a page down and allows it again; strangers report pages; the intake can be closed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.ids import uuid7
from domain.errors import TakenDownError
from domain.values import SYSTEM, Role
from entrypoints.composition.service import Parts
from entrypoints.http.handlers import campaign_page
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import Contract, pointers, problem
from tests.fakes.mailbox import files, text_of

BROWSER = {"Accept": "text/html"}
REASON = "It looks like fraud."
PAY = {"amount": 25, "currency": "USD"}


@pytest.fixture
def page(ticket: Ticket) -> str:
    """Return the address of the ticket's published page."""
    return ticket.publish()


def suspend(admin: Client, ticket: Ticket, reason: str = REASON) -> dict[str, Any]:
    answer = admin.post(f"{ticket.path}/suspend", json={"reason": reason})
    assert answer.status_code == 200, answer.text
    suspended: dict[str, Any] = answer.json()
    return suspended


def reinstate(admin: Client, ticket: Ticket) -> dict[str, Any]:
    answer = admin.post(f"{ticket.path}/reinstate", json={})
    assert answer.status_code == 200, answer.text
    reinstated: dict[str, Any] = answer.json()
    return reinstated


# Suspension.


def test_a_suspended_page_is_gone_until_the_ticket_is_reinstated(
    client: Client, admin: Client, ticket: Ticket, page: str
):
    assert suspend(admin, ticket)["suspended"] is True
    for answer in (client.get(page), client.post(page, data={"amount": "5"}), client.get(f"{page}/report")):
        assert problem(answer, 410, "gone")["detail"] == "This page is not available at the moment."
    assert "suspended" not in reinstate(admin, ticket)
    assert client.get(page).status_code == 200
    assert client.post(page, data={"amount": "5"}).status_code == 303


def test_a_browser_gets_a_page_that_says_nothing_of_the_reason(
    client: Client, admin: Client, ticket: Ticket, page: str
):
    suspend(admin, ticket)
    answer = client.get(page, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (410, "text/html; charset=utf-8")
    assert "not available at the moment" in answer.text
    for word in (REASON, "suspend", "Help Ada"):
        assert word not in answer.text
    assert "thank you" not in answer.text
    assert "thank you" in client.get(f"{page}?thanks", headers=BROWSER).text


def test_a_suspended_ticket_has_no_public_totals_and_opens_no_checkout(
    live: LiveService, client: Client, admin: Client, ticket: Ticket, page: str
):
    donate_in_sandbox(live, ticket)
    suspend(admin, ticket)
    problem(client.get(f"{ticket.path}/donations/total"), 401, "unauthenticated")
    events = live.row_count("events")
    assert "suspended" in problem(ticket.post("/create-payment", PAY), 409, "conflict")["detail"]
    assert live.row_count("events") == events
    # The ledger goes on for those who may read it.
    assert ticket.get("/donations/total").json()["totalMinor"] == 5_000
    assert client.get(page).status_code == 410


def test_the_holder_sees_the_suspension_and_its_reason_and_cannot_publish(admin: Client, ticket: Ticket, page: str):
    suspend(admin, ticket)
    shown = ticket.get().json()
    assert (shown["suspended"], shown["contentStatus"]) == (True, "PUBLISHED")
    [event] = [event for event in ticket.get("/history").json()["events"] if event["type"] == "TicketSuspended"]
    assert event["data"]["reason"] == REASON
    assert event["actor"].startswith("admin")
    problem(ticket.post("/publish", {"consent": True}), 409, "conflict")
    assert ticket.post("/unpublish").json()["status"] == "READY"
    reinstate(admin, ticket)
    assert ticket.post("/publish", {"consent": True}).status_code == 200


def test_an_auditor_does_not_read_the_reason(admin: Client, auditor: Client, ticket: Ticket):
    suspend(admin, ticket)
    assert REASON not in auditor.get(f"{ticket.path}/history").text


def test_a_ticket_can_be_suspended_before_it_is_published(client: Client, admin: Client, ticket: Ticket):
    page = ticket.get("/qr-code").json()["targetUrl"]
    problem(client.get(page), 404, "not-found")
    suspend(admin, ticket)
    problem(client.get(page), 410, "gone")
    reinstate(admin, ticket)
    problem(client.get(page), 404, "not-found")


def test_an_erased_ticket_reads_erased_and_is_not_suspended(
    live: LiveService, client: Client, admin: Client, ticket: Ticket, page: str
):
    donate_in_sandbox(live, ticket)
    suspend(admin, ticket)
    assert ticket.http.delete(ticket.path).status_code == 202
    shown = admin.get(ticket.path).json()
    assert (shown["status"], shown["contentStatus"], shown["fundingStatus"]) == ("ERASED", "ERASED", "FUNDED")
    status = admin.get(f"{ticket.path}/status").json()
    assert (status["status"], status["stage"], status["progress"]) == ("ERASED", None, 0)
    problem(client.get(page), 404, "not-found")
    problem(admin.post(f"{ticket.path}/suspend", json={"reason": "Another reason."}), 404, "not-found")


def test_a_stale_version_suspends_nothing(client: Client, admin: Client, ticket: Ticket, page: str):
    stale = {"If-Match": '"1"'}
    problem(admin.post(f"{ticket.path}/suspend", json={"reason": REASON}, headers=stale), 412, "stale-version")
    assert client.get(page).status_code == 200
    suspend(admin, ticket)
    problem(admin.post(f"{ticket.path}/reinstate", json={}, headers=stale), 412, "stale-version")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " \n"}, {"reason": "x" * 1_001}, {"reason": None}])
def test_a_suspension_needs_a_reason_of_bounded_length(admin: Client, ticket: Ticket, body: dict[str, Any]):
    assert pointers(admin.post(f"{ticket.path}/suspend", json=body)) == ["/reason"]


def test_the_holder_is_told_of_the_suspension_and_of_its_end_by_mail(live: LiveService, client: Client, admin: Client):
    address = f"{uuid7().hex[-12:]}@example.com"
    ticket = client.open_ticket(contactValue=address)
    suspend(admin, ticket, "It looks like fraud:\nBcc: all@example.com")
    suspend(admin, ticket, "The person in it is somebody else.")
    suspend(admin, ticket, "The person in it is somebody else.")
    reinstate(admin, ticket)
    reinstate(admin, ticket)
    live.service.mail.sender.run_all()
    mails = files(live.settings.outbox, address)
    assert [mail["Subject"] for mail in mails] == [
        "Your Storyledger page was taken down",
        "Your Storyledger page was taken down",
        "Your Storyledger page is allowed again",
    ]
    assert "The reason: It looks like fraud: Bcc: all@example.com" in text_of(mails[0])
    assert [mail["Bcc"] for mail in mails] == [None] * 3


def test_a_holder_without_an_address_is_suspended_too(client: Client, admin: Client):
    ticket = client.open_ticket(contactType="SOCIAL", contactValue="@ada")
    assert suspend(admin, ticket)["suspended"] is True


@pytest.mark.parametrize("page_state", ["suspended", "unpublished"])
def test_a_page_that_is_taken_down_after_it_was_read_opens_no_checkout(
    live: LiveService, client: Client, ticket: Ticket, page: str, monkeypatch: pytest.MonkeyPatch, page_state: str
):
    tickets, id = live.service.commands.tickets, UUID(ticket.id)
    read_row = campaign_page.page_row

    def taken_down_after(*arguments: Any) -> Any:
        row = read_row(*arguments)
        tickets.suspend(SYSTEM, id, REASON) if page_state == "suspended" else tickets.unpublish(SYSTEM, id)
        return row

    monkeypatch.setattr(campaign_page, "page_row", taken_down_after)
    answer = client.post(page, data={"amount": "5"})
    problem(answer, *((410, "gone") if page_state == "suspended" else (404, "not-found")))
    assert ticket.get("/donations").json()["count"] == 0


def test_a_donor_whose_checkout_opens_during_the_suspension_gets_the_same_page(
    live: LiveService, client: Client, page: str, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any, **__: Any) -> None:
        raise TakenDownError("The page was taken down while the checkout was opened.")

    monkeypatch.setattr(type(live.service.commands.checkouts), "complete", refuse)
    answer = client.post(page, data={"amount": "5"}, headers=BROWSER)
    assert (answer.status_code, "not available at the moment" in answer.text) == (410, True)


# Reports.


def reports(admin: Client, ticket: Ticket) -> list[dict[str, Any]]:
    rows = admin.get("/api/support/recent", params={"limit": 100}).json()["supportTickets"]
    return [row for row in rows if row["ticketId"] == ticket.id]


def test_a_report_is_a_support_ticket_about_the_page(client: Client, admin: Client, ticket: Ticket, page: str):
    answer = client.post(f"{page}/report", json={"reason": REASON, "contact": "grace@example.com"})
    assert (answer.status_code, answer.json()["status"]) == (201, "OPEN")
    [row] = reports(admin, ticket)
    assert (row["id"], row["category"], row["message"]) == (answer.json()["id"], "REPORT", REASON)
    assert row["contact"] == "g***@example.com"
    assert admin.post(f"/admin/support/{row['id']}/resolve", json={}).json()["status"] == "RESOLVED"


def test_the_holder_is_not_told_of_reports(client: Client, admin: Client, ticket: Ticket, page: str):
    client.post(f"{page}/report", json={"reason": REASON})
    include = {"include": "support"}
    assert ticket.get(params=include).json()["supportTickets"] == []
    assert [row["category"] for row in admin.get(ticket.path, params=include).json()["supportTickets"]] == ["REPORT"]
    assert "REPORT" not in ticket.get("/history").text


def test_erasing_the_ticket_erases_the_reports(client: Client, admin: Client, ticket: Ticket, page: str):
    client.post(f"{page}/report", json={"reason": REASON, "contact": "grace@example.com"})
    ticket.http.delete(ticket.path)
    [row] = reports(admin, ticket)
    assert (row["erased"], row["message"], row["contact"]) == (True, None, None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": " "}, "/reason"),
        ({"reason": "x" * 2_001}, "/reason"),
        ({"reason": "Fraud.", "contact": "x" * 400}, "/contact"),
        ({"reason": "Fraud.", "contact": "(no contact)"}, "/contact"),
        ({"reason": "Fraud.", "category": "OTHER"}, "/category"),
    ],
)
def test_an_invalid_report_opens_nothing(
    live: LiveService, client: Client, page: str, body: dict[str, Any], pointer: str
):
    events = live.row_count("events")
    assert pointers(client.post(f"{page}/report", json=body)) == [pointer]
    form = client.post(f"{page}/report", data=body or {"reason": ""})
    if pointer != "/category":
        assert (form.status_code, form.headers["content-type"]) == (422, "text/html; charset=utf-8")
        assert 'role="alert"' in form.text
        assert live.row_count("events") == events


def test_only_a_visible_page_can_be_reported(client: Client, ticket: Ticket):
    url = ticket.get("/qr-code").json()["targetUrl"]
    for address in (url, "/d/nothinghere1", "/d/%2e"):
        problem(client.get(f"{address}/report"), 404, "not-found")
        problem(client.post(f"{address}/report", json={"reason": REASON}), 404, "not-found")
        problem(client.post(f"{address}/report", data={"reason": REASON}), 404, "not-found")


def test_a_person_reports_a_page_with_its_form(client: Client, admin: Client, ticket: Ticket, page: str):
    [link] = re.findall('href="(/d/[a-z0-9]+/report)"', client.get(page).text)
    form = client.get(link, headers=BROWSER)
    assert "Help Ada" in form.text
    sent = client.post(link, data={"reason": "Not true.\r\nI know him.", "contact": ""}, headers=BROWSER)
    assert sent.status_code == 303
    assert "We have received your report" in client.get(sent.headers["location"], headers=BROWSER).text
    [row] = reports(admin, ticket)
    assert (row["message"], row["contact"]) == ("Not true.\nI know him.", None)


def test_a_refused_form_keeps_what_was_typed_as_text(client: Client, page: str):
    hostile = "</textarea><script>alert(1)</script>"
    answer = client.post(f"{page}/report", data={"reason": hostile, "contact": '"><b>'}, headers=BROWSER)
    assert answer.status_code == 422
    assert "This is not an e-mail address or a phone number." in answer.text
    assert "<script" not in answer.text
    assert "<b>" not in answer.text
    assert "&lt;/textarea&gt;" in answer.text


@pytest.mark.parametrize(
    ("body", "language", "sentence"),
    [
        ({"reason": " "}, "en", '<a href="#reason">Write what is wrong with this page.</a>'),
        ({"reason": " "}, "es", '<a href="#reason">Escriba qué está mal en esta página.</a>'),
        ({"reason": "x" * 2_001}, "es", '<a href="#reason">Su texto es demasiado largo. Escriba como máximo 2000 car'),
        ({"reason": "No", "contact": "?"}, "es", '<a href="#contact">Esto no es un correo electrónico ni un número'),
    ],
)
def test_a_mistake_in_the_form_is_named_in_the_readers_language(
    client: Client, page: str, body: dict[str, str], language: str, sentence: str
):
    answer = client.post(f"{page}/report?lang={language}", data=body, headers=BROWSER)
    assert answer.status_code == 422
    assert sentence in answer.text


@pytest.mark.browser
def test_nothing_of_the_report_page_is_wider_than_the_screen(browser: Any, page: str):
    tab = browser.new_page()
    tab.set_viewport_size({"width": 320, "height": 740})
    tab.goto(page)
    tab.get_by_role("link", name="Report this page").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 320
    tab.get_by_label("What is wrong with this page?").fill("This is not true.")
    tab.get_by_role("button", name="Send report").click()
    tab.wait_for_url("**/report?sent")
    assert "received your report" in tab.get_by_role("status").inner_text()
    tab.close()


# A service with a closed intake, and with small limits.


@pytest.fixture
def closed(migrated_url: str, tmp_path: Path) -> Iterator[LiveService]:
    parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
    settings = {"intake": "closed", "rate_limit_create": "2/hour"}
    with LiveService(migrated_url, tmp_path / "var", parts, **settings) as running:
        running.watchers.append(Contract(running.openapi).check)
        yield running


def test_with_a_closed_intake_only_keys_open_tickets_and_reports_are_limited(closed: LiveService):
    body = {"contactType": "EMAIL", "contactValue": "ada@example.com"}
    with closed.client() as visitor, closed.client_with_key(Role.CLIENT, "tickets:write") as program:
        refusal = problem(visitor.post("/api/tickets/create", json=body), 401, "unauthenticated")
        assert "staff" in refusal["detail"]
        ticket = program.open_ticket()
        problem(ticket.http.post("/api/tickets/create", json=body), 403, "forbidden")
        with closed.client_with_key(Role.ADMIN) as admin:
            admin.open_ticket()
        # Help is still there, and so is the page.
        help_request = {"category": "OTHER", "message": "Help me, please.", "ticketId": str(uuid4())}
        assert visitor.post("/api/support/ticket", json=help_request).status_code == 201
        page = ticket.publish()
        sent = [visitor.post(f"{page}/report", json={"reason": REASON}).status_code for _ in range(3)]
        assert sent == [201, 201, 429]

"""Disputes over all gifts of a workspace: as a list, as a page of the desk, and as a reminder of the deadline."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from adapters.ids import uuid7
from adapters.mail.reminders import REMIND_BEFORE, remind_of_disputes
from domain.events import DisputeClosed, DisputeOpened
from domain.members import MemberRole
from domain.movements import CLOSED_DISPUTE_STATES
from domain.values import STRIPE, Contact, Money, Role, StripeReport
from entrypoints.http.paging import cursor_after
from entrypoints.presentation.disputes import dashboard_of
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_login_codes import mails
from tests.fakes.mailbox import text_of
from tests.members import joined_member, new_address

DAY = 86_400
FIELDS = {
    "id", "donationId", "ticketId", "workspace", "campaign", "donor", "amount", "amountMinor", "currency", "status",
    "reason", "openedAt", "evidenceDueBy", "needsResponse", "overdue", "dashboardUrl",
}  # fmt: skip


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER, owner_address)


@pytest.fixture
def own(live: LiveService, workspace: str) -> Ticket:
    """Return a published ticket of the workspace."""
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as opener:
        ticket = opener.open_ticket()
    ticket.write_draft()
    ticket.publish()
    return ticket


def disputed(
    live: LiveService, ticket: Ticket, state: str, due_in: float | None = None, at: int = 1_750_000_000, **more: Any
) -> str:
    """Return the id of a dispute that Stripe reports of a new donation, with evidence due in so many days."""
    donation, dispute_id = donate_in_sandbox(live, ticket), f"dp_{uuid7().hex[-12:]}"
    due_by = None if due_in is None else int(time.time() + due_in * DAY)
    report(live, ticket, donation, dispute_id, state, **{"evidence_due_by": due_by, "disputed_at": at} | more)
    return dispute_id


def report(live: LiveService, ticket: Ticket, donation: str, dispute_id: str, state: str, **fields: Any) -> None:
    kind = DisputeClosed if state in CLOSED_DISPUTE_STATES else DisputeOpened
    facts = {"dispute_id": dispute_id, "amount": Money(5_000, "USD"), "state": state} | fields
    live.service.aggregates.donations.change(
        UUID(ticket.id),
        UUID(donation),
        lambda gift: gift.record(STRIPE, kind, report=StripeReport("evt_dispute", 1_750_000_000), **facts),
    )


def listed(client: Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/disputes", params=query)
    assert answer.status_code == 200, answer.text
    disputes: list[dict[str, Any]] = answer.json()["disputes"]
    return disputes


def ids(client: Client, **query: Any) -> list[str]:
    return [dispute["id"] for dispute in listed(client, **query)]


def test_a_dispute_of_the_sandbox_is_listed_with_the_deadline_that_stripe_gave(
    live: LiveService, owner: Client, own: Ticket, workspace: str
):
    donation = donate_in_sandbox(live, own)
    intent = listed_gift(owner, donation)["paymentIntentId"]
    sandbox = live.service.payments.sandbox
    assert sandbox is not None
    sandbox.dispute(intent, reason="product_not_received")
    wait_until_delivered(live)
    [shown] = listed(owner)
    assert set(shown) == FIELDS
    assert (shown["donationId"], shown["ticketId"], shown["workspace"]) == (donation, own.id, workspace)
    assert (shown["amountMinor"], shown["currency"], shown["status"]) == (5_000, "USD", "needs_response")
    assert (shown["reason"], shown["needsResponse"], shown["overdue"]) == ("product_not_received", True, False)
    left = datetime.fromisoformat(shown["evidenceDueBy"]) - datetime.fromisoformat(shown["openedAt"])
    assert left == timedelta(days=9)
    # Stripe knows nothing of the sandbox.
    assert shown["dashboardUrl"] is None


def listed_gift(owner: Client, donation: str) -> dict[str, Any]:
    gifts = owner.get("/api/donations").json()["donations"]
    [gift] = [gift for gift in gifts if gift["id"] == donation]
    row: dict[str, Any] = gift
    return row


def test_those_to_be_answered_come_first_by_their_deadline_and_closed_ones_last(
    live: LiveService, owner: Client, own: Ticket
):
    won = disputed(live, own, "won", 1, at=1_750_000_100)
    lost = disputed(live, own, "lost", at=1_750_000_200)
    reviewed = disputed(live, own, "under_review", -2)
    unknown = disputed(live, own, "needs_response")
    later = disputed(live, own, "needs_response", 8)
    overdue = disputed(live, own, "warning_needs_response", -1)
    soon = disputed(live, own, "needs_response", 2)
    taken = disputed(live, own, "needs_response", evidence_due_by=0)
    order = [overdue, soon, later, *sorted((unknown, taken)), reviewed, lost, won]
    disputes = listed(owner)
    assert [dispute["id"] for dispute in disputes] == order
    assert [dispute["id"] for dispute in disputes if dispute["overdue"]] == [overdue]
    assert {dispute["id"] for dispute in disputes if dispute["needsResponse"]} == {overdue, soon, later, unknown}
    page = owner.get("/api/disputes", params={"limit": 3})
    rest = owner.get(page.links["next"]["url"]).json()
    assert [dispute["id"] for dispute in page.json()["disputes"]] == order[:3]
    assert ids(owner, limit=100) == order
    assert [dispute["id"] for dispute in rest["disputes"]] == order[3:6]
    assert ids(owner, status="open") == order[:6]
    assert ids(owner, status="closed") == [lost, won]
    assert ids(owner, status="won") == [won]
    assert ids(owner, status="under_review") == [reviewed]
    assert ids(owner, **{"from": "2025-06-15T15:09:00Z"}) == [lost]
    assert ids(owner, to="2025-06-15T15:06:40Z") == []
    assert pointers(owner.get("/api/disputes", params={"status": "WON"})) == ["/status"]
    assert pointers(owner.get("/api/disputes", params={"from": "soon"})) == ["/from"]
    for key in (["x"], [1], [1, 2], ["1", "dp"], [-1, "dp"], [2**63, "dp"], [1, "dp\0"], [1, "\ud800"], [True, "dp"]):
        problem(owner.get("/api/disputes", params={"cursor": cursor_after(key)}), 422, "invalid")


def test_a_dispute_that_was_recorded_without_a_deadline_has_none_until_stripe_reports_one(
    live: LiveService, owner: Client, own: Ticket
):
    donation = donate_in_sandbox(live, own)
    report(live, own, donation, "dp_old", "needs_response")
    [before] = listed(owner)
    assert (before["evidenceDueBy"], before["reason"], before["openedAt"]) == (None, None, "2025-06-15T15:06:40Z")
    again = {"evidence_due_by": 1_750_900_000, "reason": "fraudulent", "disputed_at": 1_749_999_000}
    for _ in range(2):
        report(live, own, donation, "dp_old", "needs_response", **again)
    [after] = listed(owner)
    assert (after["evidenceDueBy"], after["reason"]) == ("2025-06-26T01:06:40Z", "fraudulent")
    assert after["openedAt"] == "2025-06-15T14:50:00Z"


def test_disputes_of_another_workspace_are_not_listed_and_auditors_see_no_names(
    live: LiveService, owner: Client, own: Ticket, workspace: str, admin: Client, auditor: Client
):
    dispute = disputed(live, own, "needs_response", 2)
    with joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER) as stranger:
        assert listed(stranger) == []
        problem(stranger.get("/api/disputes", params={"workspace": workspace}), 404, "not-found")
    assert ids(admin, workspace=workspace) == [dispute]
    [shown] = listed(owner)
    assert shown["donor"] not in ("[masked]", "Anonymous")
    for reader in (auditor, joined_member(live, workspace, MemberRole.AUDITOR)):
        [masked] = listed(reader, workspace=workspace)
        assert (masked["donor"], masked["campaign"]) == ("[masked]", "[masked]")


def test_the_page_marks_what_is_overdue_and_says_reasons_in_words(
    live: LiveService, owner: Client, owner_address: Contact, own: Ticket
):
    browser = browser_of(live, owner_address)
    assert "No bank has disputed a gift." in browser.get("/desk/disputes").text
    disputed(live, own, "needs_response", -1, reason="fraudulent")
    disputed(live, own, "needs_response", 2, reason="a_new_reason")
    page = browser.get("/desk/disputes").text
    assert (page.count("Overdue"), page.count(f'href="/desk/tickets/{own.id}"')) == (1, 2)
    assert "The donor says that somebody else paid with the card." in page
    assert "a_new_reason" in page
    assert "The bank takes no answer" not in page
    disputed(live, own, "needs_response", evidence_due_by=0)
    assert "The bank takes no answer" in browser.get("/desk/disputes").text
    assert "No dispute matches." in browser.get("/desk/disputes?status=won").text
    faulty = browser.get("/desk/disputes?from=soon")
    assert (faulty.status_code, 'href="#from"' in faulty.text) == (422, True)
    assert browser.get("/desk/disputes?lang=es").status_code == 200


@pytest.mark.parametrize(
    ("livemode", "sandbox", "address"),
    [(True, False, "https://dashboard.stripe.com"), (False, False, "https://dashboard.stripe.com/test")],
)
def test_the_dashboard_is_that_of_the_mode_of_the_key(livemode: bool, sandbox: bool, address: str):
    assert dashboard_of(livemode=livemode, sandbox=sandbox) == address
    assert dashboard_of(livemode=livemode, sandbox=True) is None


# The reminder.


def test_owners_and_admins_are_reminded_once_before_evidence_is_due(
    live: LiveService, owner: Client, owner_address: Contact, own: Ticket, workspace: str
):
    admin_address, accountant_address = new_address(), new_address()
    joined_member(live, workspace, MemberRole.ADMIN, admin_address)
    joined_member(live, workspace, MemberRole.ACCOUNTANT, accountant_address)
    soon = disputed(live, own, "needs_response", REMIND_BEFORE.days - 1)
    for state, days in (("needs_response", REMIND_BEFORE.days + 1), ("under_review", 1), ("needs_response", -1)):
        disputed(live, own, state, days)
    disputed(live, own, "won", 1)
    reminders = partial(remind_of_disputes, live.service.database, live.service.commands.disputes)
    for _ in range(2):
        reminders()
    live.service.mail.sender.run_all()
    for address, expected in ((owner_address, 1), (admin_address, 1), (accountant_address, 0)):
        received = [mail for mail in mails(live, address.value) if "dispute" in str(mail["Subject"]).lower()]
        assert len(received) == expected
        assert all("/desk/disputes" in text_of(mail) and "50.00 USD" in text_of(mail) for mail in received)
    events = owner.get(f"{own.path}/history", params={"limit": 100}).json()["events"]
    sent = [event for event in events if event["type"] == "DisputeReminderSent"]
    assert [(event["actor"], event["data"]["disputeId"]) for event in sent] == [("system", soon)]


def test_a_member_who_has_unsubscribed_is_not_reminded(
    live: LiveService, owner: Client, owner_address: Contact, own: Ticket
):
    live.service.mail.subscriptions.opt_out(owner_address.value)
    disputed(live, own, "needs_response", 1)
    remind_of_disputes(live.service.database, live.service.commands.disputes)
    live.service.mail.sender.run_all()
    assert [mail for mail in mails(live, owner_address.value) if "dispute" in str(mail["Subject"]).lower()] == []


def test_a_dispute_without_anybody_to_remind_is_left_for_later(live: LiveService, own: Ticket, workspace: str):
    disputed(live, own, "needs_response", 1)
    reminders = partial(remind_of_disputes, live.service.database, live.service.commands.disputes)
    reminders()
    address = new_address()
    joined_member(live, workspace, MemberRole.ADMIN, address)
    reminders()
    queued = "SELECT count(*) FROM outbox WHERE kind = 'dispute_due' AND key LIKE %s"
    [member] = [m.id for m in live.service.aggregates.workspaces.get(workspace).members()]
    assert live.service.database.row(queued, (f"%{member}",)) == (1,)
    # A later run changes nothing, and neither does one at a time at which the evidence is overdue.
    now = datetime.now(UTC) + timedelta(days=30)
    remind_of_disputes(live.service.database, live.service.commands.disputes, lambda: now)
    assert live.service.database.row(queued, (f"%{member}",)) == (1,)

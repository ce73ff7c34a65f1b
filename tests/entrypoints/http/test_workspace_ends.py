"""How long a workspace keeps stories and names of donors, which stories it erases next, and how it is closed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from adapters.ids import uuid7
from adapters.privacy.retention import Retention
from domain.commands.retention import RetentionCommands
from domain.members import MemberRole
from domain.organisations import PUBLIC_WORKSPACE
from domain.values import Contact
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_refund_all import dispute
from tests.members import joined_member, new_address

DAY = timedelta(days=1)


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def path(workspace: str) -> str:
    return f"/api/workspaces/{workspace}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER, owner_address)


@pytest.fixture
def browser(live: LiveService, owner: Client, owner_address: Contact) -> Client:
    return browser_of(live, owner_address)


def story(owner: Client, title: str) -> Ticket:
    ticket = owner.open_ticket()
    ticket.patch("/draft", {"title": title})
    return ticket


@pytest.fixture
def clock(live: LiveService, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that moves the clock of the retention so many days ahead."""

    def move(days: int) -> None:
        monkeypatch.setattr(live.service.jobs.retention, "now", lambda: datetime.now(UTC) + days * DAY)

    return move


# What is erased next.


def test_the_stories_that_are_erased_next_are_listed_the_oldest_first(
    live: LiveService, owner: Client, browser: Client, path: str, clock: Callable[[int], None]
):
    roof, well, school = (story(owner, title) for title in ("The roof", "The well", "The school"))
    owner.patch(path, json={"retention": {"ticketDays": 60}})
    clock(45)
    assert owner.get(f"{path}/due-erasures").json() == {"erasures": [], "nextCursor": None}
    clock(50)
    school.patch("/draft", {"title": "A new school"})
    roof.patch("/draft", {"title": "A new roof"})
    erasures = owner.get(f"{path}/due-erasures").json()["erasures"]
    assert [each["ticketId"] for each in erasures] == [roof.id, well.id, school.id]
    assert erasures[1]["lastUsedAt"] < erasures[2]["lastUsedAt"] < erasures[0]["lastUsedAt"]
    for each in erasures:
        days_left = datetime.fromisoformat(each["erasedAfter"]) - datetime.fromisoformat(each["lastUsedAt"])
        # Its person first gets the notice of 14 days.
        assert timedelta(days=63, hours=23) < days_left <= timedelta(days=64, hours=1)
    first = owner.get(f"{path}/due-erasures?limit=2")
    following = owner.get(f"{path}/due-erasures", params={"limit": 2, "cursor": first.json()["nextCursor"]}).json()
    assert ([each["ticketId"] for each in following["erasures"]], following["nextCursor"]) == ([school.id], None)
    page = browser.get("/desk/retention").text
    assert re.findall(r'href="/desk/tickets/([0-9a-f-]{36})"', page) == [roof.id, well.id, school.id]
    assert "A new roof" in page


def test_a_page_looks_at_a_bounded_number_of_tickets_and_the_next_one_goes_on_behind_them(
    owner: Client, path: str, clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.privacy.retention.BATCH", 2)
    stories = [story(owner, f"Story {number}") for number in range(5)]
    owner.patch(path, json={"retention": {"ticketDays": 60}})
    clock(50)
    pages: list[list[str]] = []
    address = f"{path}/due-erasures?limit=100"
    while address:
        answer = owner.get(address)
        pages.append([each["ticketId"] for each in answer.json()["erasures"]])
        address = answer.links["next"]["url"] if answer.json()["nextCursor"] else ""
    assert pages == [[each.id for each in some] for some in (stories[:2], stories[2:4], stories[4:])]


def test_a_page_without_a_story_to_erase_leads_to_those_that_follow(
    live: LiveService, owner: Client, browser: Client, path: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.privacy.retention.BATCH", 2)
    stories = [story(owner, f"Story {number}") for number in range(3)]
    owner.patch(path, json={"retention": {"ticketDays": 60}})
    # 60 days less the 14 days of the notice.
    clock = datetime.now(UTC) + 46 * DAY
    monkeypatch.setattr(live.service.jobs.retention, "now", lambda: clock)
    for used in stories[:2]:
        used.patch("/draft", {"title": "Used again"})
    page = browser.get("/desk/retention").text
    assert "/desk/tickets/" not in page.partition("<main")[2]
    assert "No story is erased" not in page
    [following] = re.findall(r'rel="next" href="([^"]+)"', page)
    assert f"/desk/tickets/{stories[2].id}" in browser.get(following.replace("&amp;", "&")).text


def test_the_list_says_what_was_announced_and_the_worker_erases_what_it_says(
    live: LiveService, owner: Client, workspace: str, path: str
):
    ticket = story(owner, "The roof")
    owner.patch(path, json={"retention": {"ticketDays": 60}})
    clock = datetime.now(UTC) + 100 * DAY
    service = live.service
    retention = Retention(
        service.database,
        service.aggregates.retention_periods,
        RetentionCommands(service.commands.tickets),
        lambda: clock,
    )

    def due() -> list[tuple[bool, datetime]]:
        found, _ = retention.due_erasures(workspace, 10)
        return [(each.is_announced, each.erased_after) for each in found]

    assert due() == [(False, clock + 14 * DAY)]
    retention.run()
    [(announced, erased_after)] = due()
    assert (announced, erased_after) == (True, (clock + 14 * DAY).replace(microsecond=0))
    clock = erased_after - timedelta(minutes=1)
    retention.run()
    assert len(due()) == 1
    clock = erased_after
    retention.run()
    assert due() == []
    assert service.commands.tickets.store.get(UUID(ticket.id)).erased


def test_accountants_see_which_stories_are_erased_but_not_their_titles(
    live: LiveService, owner: Client, workspace: str, path: str, clock: Callable[[int], None]
):
    ticket = story(owner, "The roof")
    owner.patch(path, json={"retention": {"ticketDays": 60}})
    clock(55)
    address = new_address()
    joined_member(live, workspace, MemberRole.ACCOUNTANT, address)
    page = browser_of(live, address).get("/desk/retention").text
    assert ticket.id in page
    assert "The roof" not in page
    assert "<form" not in page.partition("<main")[2]


# The periods, on the desk.


def test_the_page_changes_both_periods_and_an_empty_field_removes_one(owner: Client, browser: Client, path: str):
    wrong = browser.post("/desk/retention", data={"ticketDays": "soon", "donorDays": "40000"})
    assert wrong.status_code == 422
    for name in ("ticketDays", "donorDays"):
        assert f'href="#{name}"' in wrong.text
    assert 'value="soon"' in wrong.text
    saved = browser.post("/desk/retention", data={"ticketDays": " 365 ", "donorDays": "3650"})
    assert (saved.status_code, saved.headers["location"]) == (303, "/desk/retention?done=saved")
    assert owner.get(path).json()["retention"] == {"ticketDays": 365, "donorDays": 3650}
    browser.post("/desk/retention", data={"ticketDays": "", "donorDays": "3650"})
    assert owner.get(path).json()["retention"] == {"ticketDays": None, "donorDays": 3650}
    assert "90 days" in browser.get("/desk/retention").text
    cursor = browser.get("/desk/retention?cursor=x", headers={"Accept": "application/json"})
    assert pointers(cursor) == ["/cursor"]


# Closing.


def test_a_workspace_is_closed_by_typing_its_name(owner: Client, browser: Client, workspace: str, path: str):
    owner.patch(path, json={"name": "Shelter at the river"})
    for typed in ("", "shelter at the river", workspace):
        again = browser.post("/desk/close", data={"name": typed})
        assert again.status_code == 422
        assert 'href="#name"' in again.text
    assert "closed" not in owner.get(path).json()
    closed = browser.post("/desk/close", data={"name": " Shelter at the river "})
    assert (closed.status_code, closed.headers["location"]) == (303, "/desk/close?done=closed")
    assert owner.get(path).json()["closed"] is True
    page = browser.get("/desk/close?done=closed").text
    assert "The workspace is closed." in page
    assert 'action="/desk/close"' not in page


def test_open_business_is_shown_before_a_workspace_is_closed(
    live: LiveService, owner: Client, browser: Client, workspace: str, path: str
):
    nothing = {
        "publicPages": 0,
        "waitingPages": 0,
        "openPayments": 0,
        "openDisputes": 0,
        "refundableGifts": 0,
        "refundRequests": 0,
        "keys": 0,
        "members": 1,
        "invitations": 0,
    }
    assert owner.get(f"{path}/closing").json() == nothing
    assert "Nothing is open" in browser.get("/desk/close").text
    public, other = owner.open_ticket(), owner.open_ticket()
    public.publish()
    gift = donate_in_sandbox(live, public)
    dispute(live, public, donate_in_sandbox(live, public))
    other.pay()
    answer = owner.post(f"/api/donations/{gift}/refund-requests", json={"reason": "Paid twice."})
    assert answer.status_code == 201, answer.text
    owner.post(f"{path}/keys", json={"scopes": ["tickets:read"]})
    owner.post(f"{path}/invitations", json={"email": new_address().value, "role": "admin"})
    assert owner.get(f"{path}/closing").json() == nothing | {
        "publicPages": 1,
        "openPayments": 1,
        "openDisputes": 1,
        "refundableGifts": 1,
        "refundRequests": 1,
        "keys": 1,
        "invitations": 1,
    }
    page = browser.get("/desk/close").text
    for sentence in ("1 dispute is open.", "1 gift of the last 120 days", "1 refund waits"):
        assert sentence in page


def test_pages_that_wait_for_an_approval_speak_against_closing(owner: Client, path: str):
    owner.patch(path, json={"publishing": "approval"})
    ticket = owner.open_ticket()
    ticket.write_draft()
    assert ticket.post("/request-publication", {"consent": True}).status_code == 200
    assert owner.get(f"{path}/closing").json()["waitingPages"] == 1


def test_only_an_owner_sees_the_page_and_the_built_in_workspace_stays_open(
    live: LiveService, owner: Client, workspace: str
):
    addresses = {role: new_address() for role in (MemberRole.ADMIN, MemberRole.CASEWORKER)}
    for role, address in addresses.items():
        member = joined_member(live, workspace, role, address)
        problem(member.get(f"/api/workspaces/{workspace}/closing"), 403, "forbidden")
        assert browser_of(live, address).get("/desk/close").status_code == 403
    address = new_address()
    joined_member(live, PUBLIC_WORKSPACE, MemberRole.OWNER, address)
    browser = browser_of(live, address)
    page = browser.get("/desk/close").text
    assert "stays open" in page
    assert 'action="/desk/close"' not in page
    assert browser.post("/desk/close", data={"name": PUBLIC_WORKSPACE}).status_code == 409

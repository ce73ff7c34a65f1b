"""The day's list over HTTP, and what the staff note about a ticket."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from adapters.ids import uuid7
from adapters.mail.reminders import remind_of_due_tickets
from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import pointers, problem
from tests.members import joined_member

FIELDS = {
    "id", "workspace", "status", "contentStatus", "kind", "displayName", "title", "labels", "assignee", "dueAt",
    "createdAt", "updatedAt", "goalAmountMinor", "paidMinor", "currency",
}  # fmt: skip


@pytest.fixture
def staff(live: LiveService, workspace: str) -> Iterator[Client]:
    """A client with a key of the workspace that may read and open tickets."""
    scopes = ("tickets:read", "tickets:write", "tickets:search")
    with live.client_with_key(Role.CLIENT, *scopes, workspace=workspace) as client:
        yield client


@pytest.fixture
def caseworker(live: LiveService, workspace: str) -> Iterator[Client]:
    with joined_member(live, workspace, MemberRole.CASEWORKER) as client:
        yield client


@pytest.fixture
def grace(caseworker: Client) -> str:
    """The member id of the caseworker."""
    return str(caseworker.get("/api/me").json()["member"]["id"])


def ids(client: Client, **query: Any) -> list[str]:
    answer = client.get("/api/tickets", params=query)
    assert answer.status_code == 200, answer.text
    return [listed["id"] for listed in answer.json()["tickets"]]


def noted(admin: Client, ticket: Ticket, **changes: Any) -> dict[str, Any]:
    answer = admin.patch(f"{ticket.path}/desk", json=changes)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


# The list.


def test_the_list_shows_the_tickets_of_the_workspace_with_their_counts(
    live: LiveService, staff: Client, admin: Client, workspace: str, grace: str
):
    first, second = (staff.open_ticket(displayName=name) for name in ("Ada Lovelace", "Grace Hopper"))
    live.client().open_ticket()
    first.patch("/draft", {"title": "A roof", "goalAmount": 1500, "currency": "USD"})
    noted(admin, first, labels=["roof"], assignee=grace, dueAt="2026-05-08T09:00:00Z")
    body = staff.get("/api/tickets").json()
    assert [listed["id"] for listed in body["tickets"]] == [second.id, first.id]
    assert {status: n for status, n in body["counts"].items() if n} == {"DRAFT": 2}
    listed = body["tickets"][1]
    assert set(listed) == FIELDS
    assert (listed["displayName"], listed["title"], listed["labels"]) == ("Ada Lovelace", "A roof", ["roof"])
    assert (listed["assignee"], listed["dueAt"], listed["workspace"]) == (grace, "2026-05-08T09:00:00Z", workspace)
    assert (listed["goalAmountMinor"], listed["paidMinor"], listed["currency"]) == (150_000, 0, "USD")
    assert body["nextCursor"] is None


def test_a_paid_ticket_has_its_own_status_and_what_was_given(live: LiveService, staff: Client):
    ticket = staff.open_ticket()
    donate_in_sandbox(live, ticket)
    body = staff.get("/api/tickets", params={"status": "PAYMENT_RECEIVED"}).json()
    [listed] = body["tickets"]
    assert (listed["status"], listed["contentStatus"], body["counts"]["PAYMENT_RECEIVED"]) == (
        "PAYMENT_RECEIVED", "DRAFT", 1,
    )  # fmt: skip
    assert (listed["paidMinor"], listed["currency"]) == (5000, "USD")
    assert ids(staff, status="DRAFT") == []


def test_every_page_of_the_list_leads_to_the_next(staff: Client):
    opened = [staff.open_ticket().id for _ in range(3)]
    for sort, expected in (("createdAt", opened), ("-createdAt", opened[::-1]), ("dueAt", sorted(opened))):
        found, path, query = [], "/api/tickets", {"limit": "2", "sort": sort}
        answer = staff.get(path, params=query)
        found += [listed["id"] for listed in answer.json()["tickets"]]
        assert answer.json()["nextCursor"] in answer.headers["link"]
        answer = staff.get(answer.links["next"]["url"])
        found += [listed["id"] for listed in answer.json()["tickets"]]
        assert (found, answer.json()["nextCursor"]) == (expected, None)
    cursor = staff.get("/api/tickets", params={"limit": 1}).json()["nextCursor"]
    assert pointers(staff.get("/api/tickets", params={"cursor": cursor, "sort": "updatedAt"})) == ["/cursor"]


def test_the_list_is_filtered(staff: Client, admin: Client, caseworker: Client, grace: str):
    first, second = staff.open_ticket(), staff.open_ticket()
    noted(admin, first, labels=["Call back", "roof"], assignee=grace)
    noted(admin, second, labels=["roof"])
    assert ids(staff, assignee=grace) == ids(caseworker, assignee="me") == [first.id]
    assert pointers(staff.get("/api/tickets", params={"assignee": "me"})) == ["/assignee"]
    assert ids(staff, assignee="none") == [second.id]
    assert ids(staff, label="call back") == ids(staff, label=["ROOF", "call back"]) == [first.id]
    assert ids(staff, label="unknown") == []
    today = datetime.now(UTC).date()
    assert len(ids(staff, **{"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))})) == 2
    assert ids(staff, **{"from": str(today + timedelta(days=2))}) == []
    assert ids(staff, kind="campaign", status="DRAFT") == [second.id, first.id]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"status": "ERASED"}, "/status"),
        ({"kind": "letter"}, "/kind"),
        ({"assignee": "grace"}, "/assignee"),
        ({"from": "yesterday"}, "/from"),
        ({"sort": "title"}, "/sort"),
        ({"label": ""}, "/label"),
        ({"q": "a" * 201}, "/q"),
        ({"limit": "0"}, "/limit"),
        ({"cursor": "x"}, "/cursor"),
        ({"workspace": "another"}, "/workspace"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_an_invalid_or_unknown_parameter_is_refused(staff: Client, query: dict[str, str], pointer: str):
    assert pointers(staff.get("/api/tickets", params=query)) == [pointer]


def test_a_search_finds_contacts_names_and_titles(staff: Client, workspace: str):
    mail, phone = f"{workspace}@example.com", "+4930901820"
    ada = staff.open_ticket(contactValue=mail, displayName="José Núñez")
    grace = staff.open_ticket(contactType="PHONE", contactValue=phone, displayName="Grace Hopper")
    ada.patch("/draft", {"title": "A roof before winter"})
    assert ids(staff, q="nunez") == ids(staff, q="roof WINTER") == ids(staff, q="win") == [ada.id]
    assert ids(staff, q=f" {mail.upper()} ") == [ada.id]
    assert ids(staff, q="+49 (30) 901 820") == ids(staff, q="hop") == [grace.id]
    assert ids(staff, q="nobody") == ids(staff, q="!?") == []
    assert ids(staff, q=" ") == [grace.id, ada.id]
    ada.patch("", {"displayName": "Ada"})
    assert (ids(staff, q="nunez"), ids(staff, q="ada")) == ([], [ada.id])


def test_a_search_finds_nothing_of_another_workspace(live: LiveService, staff: Client):
    other = f"w-{uuid7().hex[-12:]}"
    with live.client_with_key(Role.CLIENT, "tickets:read", "tickets:write", workspace=other) as stranger:
        ticket = stranger.open_ticket(displayName="Zebedee")
        assert (ids(staff, q="zebedee"), ids(stranger, q="zebedee")) == ([], [ticket.id])


def test_the_operator_lists_every_workspace_or_one(live: LiveService, staff: Client, admin: Client, workspace: str):
    other = f"w-{uuid7().hex[-12:]}"
    name = f"Zeb{uuid7().hex[-8:]}"
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=other) as stranger:
        expected = [stranger.open_ticket(displayName=name).id]
    expected.insert(0, staff.open_ticket(displayName=name).id)
    assert ids(admin, q=name) == expected
    assert ids(admin, workspace=workspace) == expected[:1]
    first = admin.get("/api/tickets", params={"q": name, "limit": 1}).json()
    assert ids(admin, q=name, limit=1, cursor=first["nextCursor"]) == expected[1:]
    assert sum(first["counts"].values()) >= 2


def test_auditors_see_the_list_masked(staff: Client, admin: Client, auditor: Client, workspace: str):
    ticket = staff.open_ticket()
    ticket.patch("/draft", {"title": "A roof"})
    noted(admin, ticket, labels=["roof"])
    [listed] = auditor.get("/api/tickets", params={"workspace": workspace}).json()["tickets"]
    assert (listed["displayName"], listed["title"], listed["labels"]) == ("[masked]", "[masked]", ["[masked]"])


def test_an_erased_ticket_leaves_the_list(staff: Client, ticket: Ticket):
    ticket = staff.open_ticket(displayName="Ada")
    ticket.http.delete(ticket.path)
    body = staff.get("/api/tickets").json()
    assert (body["tickets"], sum(body["counts"].values()), ids(staff, q="ada")) == ([], 0, [])


# Labels, assignee, due date.


def test_a_patch_changes_only_what_it_names(staff: Client, admin: Client, grace: str):
    ticket = staff.open_ticket()
    noted(admin, ticket, labels=["roof", "Roof", " call  back "], assignee=grace, dueAt="2026-05-08T11:00:00+02:00")
    assert noted(admin, ticket, labels=["roof"]) == {
        "ticketId": ticket.id, "labels": ["roof"], "assignee": grace, "dueAt": "2026-05-08T09:00:00Z",
    }  # fmt: skip
    cleared = {"ticketId": ticket.id, "labels": [], "assignee": None, "dueAt": None}
    assert noted(admin, ticket, labels=None, assignee=None, dueAt=None) == cleared
    assert noted(admin, ticket) == cleared


def test_a_note_of_the_staff_does_not_change_the_version_that_the_person_has_read(admin: Client, ticket: Ticket):
    before = ticket.get()
    noted(admin, ticket, labels=["roof"])
    admin.post(f"{ticket.path}/notes", json={"text": "Call back."})
    assert ticket.get().json() == before.json()
    edited = ticket.patch("/draft", {"title": "A roof"}, headers={"If-Match": before.headers["etag"]})
    assert edited.status_code == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"labels": ["x" * 51]}, "/labels"),
        ({"labels": [" "]}, "/labels"),
        ({"assignee": "grace"}, "/assignee"),
        ({"dueAt": "2026-05-08"}, "/dueAt"),
        ({"dueAt": "9999-05-08T00:00:00Z"}, "/dueAt"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_an_invalid_change_is_refused(admin: Client, ticket: Ticket, change: dict[str, Any], pointer: str):
    assert pointers(admin.patch(f"{ticket.path}/desk", json=change)) == [pointer]


def test_only_members_who_work_with_stories_take_care_of_a_ticket(
    live: LiveService, staff: Client, caseworker: Client, grace: str, workspace: str
):
    ticket = staff.open_ticket()
    assert noted(caseworker, ticket, assignee=grace)["assignee"] == grace
    with (
        joined_member(live, workspace, MemberRole.ACCOUNTANT) as accountant,
        joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER) as stranger,
    ):
        for other in (accountant, stranger):
            other_id = other.get("/api/me").json()["member"]["id"]
            refused = caseworker.patch(f"{ticket.path}/desk", json={"assignee": other_id})
            assert pointers(refused) == ["/assignee"]
        assert accountant.patch(f"{ticket.path}/desk", json={"labels": ["roof"]}).status_code == 403
        assert stranger.patch(f"{ticket.path}/desk", json={"labels": ["roof"]}).status_code == 404
        assert stranger.get(f"{ticket.path}/notes").status_code == 404
        assert accountant.get(f"{ticket.path}/notes").status_code == 403
        assert ids(stranger) == []
        [listed] = accountant.get("/api/tickets").json()["tickets"]
        assert (listed["displayName"], listed["assignee"]) == ("[masked]", grace)


@pytest.mark.parametrize("query", [{"q": "ada"}, {"q": ""}, {"label": "roof"}, {"q": "ada", "status": "DRAFT"}])
def test_an_accountant_cannot_search_for_people_whom_the_list_masks(
    live: LiveService, staff: Client, workspace: str, query: dict[str, str]
):
    staff.open_ticket(displayName="Ada Lovelace")
    with joined_member(live, workspace, MemberRole.ACCOUNTANT) as accountant:
        problem(accountant.get("/api/tickets", params=query), 403, "forbidden")
        assert len(ids(accountant, status="DRAFT", sort="createdAt")) == 1


@pytest.mark.parametrize("role", sorted(set(MemberRole) - {MemberRole.ACCOUNTANT}))
def test_all_other_members_search(live: LiveService, staff: Client, workspace: str, role: MemberRole):
    ticket = staff.open_ticket(displayName="Ada Lovelace")
    with joined_member(live, workspace, role) as member:
        assert ids(member, q="lovelace") == [ticket.id]


def test_the_chore_reminds_the_assignee_of_a_ticket_that_is_due(
    live: LiveService, staff: Client, caseworker: Client, grace: str
):
    ticket, later = staff.open_ticket(), staff.open_ticket()
    noted(caseworker, ticket, assignee=grace, dueAt="2026-01-01T00:00:00Z")
    noted(caseworker, later, assignee=grace, dueAt="2090-01-01T00:00:00Z")
    reminders = partial(remind_of_due_tickets, live.service.database, live.service.commands.desk)
    reminders()
    reminders()
    queued = "SELECT count(*) FROM outbox WHERE kind = 'ticket_due' AND ticket_id = %s"
    assert [live.service.database.row(queued, (about.id,)) for about in (ticket, later)] == [(1,), (0,)]
    last = caseworker.get(f"{ticket.path}/history", params={"limit": 100}).json()["events"][-1]
    assert (last["type"], last["actor"], last["data"]) == ("DueReminderSent", "system", {"assignee": grace})


# Notes.


def test_notes_are_listed_newest_first_page_by_page(admin: Client, ticket: Ticket):
    for text in ("first", "second", "third"):
        added = admin.post(f"{ticket.path}/notes", json={"text": text})
        assert (added.status_code, added.json()["text"], added.json()["actor"][:6]) == (201, text, "admin:")
    page = admin.get(f"{ticket.path}/notes", params={"limit": 2})
    assert [note["text"] for note in page.json()["notes"]] == ["third", "second"]
    rest = admin.get(page.links["next"]["url"]).json()
    assert ([note["text"] for note in rest["notes"]], rest["nextCursor"]) == (["first"], None)


def test_a_repeated_note_is_added_once(admin: Client, ticket: Ticket):
    key = {"Idempotency-Key": f"note-{ticket.id}"}
    answers = [admin.post(f"{ticket.path}/notes", json={"text": "Once."}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(admin.get(f"{ticket.path}/notes").json()["notes"]) == 1


def test_auditors_see_that_there_are_notes(admin: Client, auditor: Client, ticket: Ticket):
    admin.post(f"{ticket.path}/notes", json={"text": "A secret."})
    assert [note["text"] for note in auditor.get(f"{ticket.path}/notes").json()["notes"]] == ["[masked]"]


def test_the_person_sees_in_the_history_that_something_was_noted_and_never_what(admin: Client, ticket: Ticket):
    noted(admin, ticket, labels=["difficult"])
    admin.post(f"{ticket.path}/notes", json={"text": "A secret."})
    events = ticket.get("/history").json()["events"]
    assert [(event["type"], event["data"]) for event in events[-3:]] == [
        ("DeskOpened", {}), ("LabelsChanged", {}), ("NoteAdded", {}),
    ]  # fmt: skip
    shown = admin.get(f"{ticket.path}/history").json()["events"]
    assert (shown[-2]["data"]["labels"], shown[-1]["data"]["text"]) == (["difficult"], "A secret.")
    for path in ("/export", "/audit"):
        content = ticket.get(path).content
        assert b"difficult" not in content
        assert b"A secret." not in content
    archive = zipfile.ZipFile(io.BytesIO(ticket.get("/export").content))
    assert "desk.json" not in archive.namelist()
    assert "A secret." not in archive.read("history.json").decode()


def test_the_archive_of_the_staff_has_their_notes(staff: Client, caseworker: Client, grace: str):
    ticket = staff.open_ticket()
    noted(caseworker, ticket, labels=["roof"], assignee=grace)
    caseworker.post(f"{ticket.path}/notes", json={"text": "Call back."})
    archive = zipfile.ZipFile(io.BytesIO(caseworker.get(f"{ticket.path}/export").content))
    kept = json.loads(archive.read("desk.json"))
    assert (kept["labels"], kept["assignee"], kept["dueAt"]) == (["roof"], grace, None)
    assert [note["text"] for note in kept["notes"]] == ["Call back."]


def test_nothing_is_noted_about_an_erased_ticket(admin: Client, ticket: Ticket):
    admin.post(f"{ticket.path}/notes", json={"text": "Call back."})
    ticket.http.delete(ticket.path)
    assert problem(admin.post(f"{ticket.path}/notes", json={"text": "Again."}), 404, "not-found")
    assert problem(admin.patch(f"{ticket.path}/desk", json={"labels": ["roof"]}), 404, "not-found")
    assert [note["text"] for note in admin.get(f"{ticket.path}/notes").json()["notes"]] == ["[erased]"]

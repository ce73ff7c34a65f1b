"""The audit log of a workspace: who did what, when, and from which network address."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.identity.access_log import (
    RECORDS_OF_MEMBER,
    RECORDS_OF_WORKSPACE,
    AccessDetails,
    AccessRecord,
    verify_access_log,
)
from adapters.ids import uuid7
from domain.errors import UnavailableError
from domain.members import MemberRole
from domain.values import Role
from entrypoints.http.middleware.audit import MAX_RECENT_READS, READ_SECONDS, RecentReads
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem
from tests.fakes.clock import StandingClock
from tests.members import joined_member, new_address, signed_in

Entries = Callable[..., list[dict[str, Any]]]
TICKET = "/api/tickets/{ticket_id}"


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def log(workspace: str) -> str:
    return f"/api/workspaces/{workspace}/audit-log"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


@pytest.fixture
def caseworker(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.CASEWORKER)


@pytest.fixture
def entries(owner: Client, log: str) -> Entries:
    """Return a function that returns the entries of the workspace's audit log, oldest first."""

    def entries(**filters: str) -> list[dict[str, Any]]:
        answer = owner.get(log, params={"limit": "100"} | {name.rstrip("_"): text for name, text in filters.items()})
        assert answer.status_code == 200, answer.text
        listed: list[dict[str, Any]] = answer.json()["auditLog"]
        return listed[::-1]

    return entries


def short(entries: list[dict[str, Any]]) -> list[tuple[str, str | None, str]]:
    return [(entry["operation"], entry["object"], entry["outcome"]) for entry in entries]


def my_id(member: Client) -> str:
    return str(member.get("/api/me").json()["member"]["id"])


def test_each_write_of_a_member_is_logged_before_it_begins_and_with_its_outcome(caseworker: Client, entries: Entries):
    ticket = caseworker.open_ticket()
    assert caseworker.patch(ticket.path, json={"displayName": "Ada"}).status_code == 200
    assert caseworker.post(f"{ticket.path}/retry", json={}).status_code == 409
    logged = entries()
    assert short(logged) == [
        ("POST /api/tickets/create", None, "begun"),
        ("POST /api/tickets/create", None, "answered 201"),
        (f"PATCH {TICKET}", ticket.id, "begun"),
        (f"PATCH {TICKET}", ticket.id, "answered 200"),
        (f"POST {TICKET}/retry", ticket.id, "begun"),
        (f"POST {TICKET}/retry", ticket.id, "answered 409"),
    ]
    assert {entry["actor"] for entry in logged} == {f"member:{my_id(caseworker)}"}
    assert {entry["address"] for entry in logged} == {"127.0.0.1"}
    assert logged[0]["requestId"] == logged[1]["requestId"]


def test_a_member_who_opens_a_ticket_is_logged_once_in_an_hour(
    live: LiveService, workspace: str, caseworker: Client, entries: Entries
):
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as program:
        ticket = program.open_ticket()
    for _ in range(3):
        assert caseworker.get(ticket.path).status_code == 200
        assert caseworker.get(f"{ticket.path}/status").status_code == 200
    assert caseworker.get("/api/tickets/search", params={"contact": "ada@example.com"}).status_code == 200
    assert short(entries()) == [(f"GET {TICKET}", ticket.id, "looked"), (f"GET {TICKET}/status", ticket.id, "looked")]


def test_exports_are_logged_each_time(owner: Client, log: str, entries: Entries):
    for _ in range(2):
        assert owner.get("/api/exports/donations").status_code == 200
    assert owner.get(f"{log}/export").status_code == 200
    assert [(entry[0], entry[2]) for entry in short(entries())] == [
        ("GET /api/exports/donations", "looked"),
        ("GET /api/exports/donations", "looked"),
        ("GET /api/workspaces/{workspace}/audit-log/export", "looked"),
    ]


def test_denied_writes_of_members_and_of_keys_are_logged(
    live: LiveService, workspace: str, caseworker: Client, entries: Entries
):
    ticket, foreign = caseworker.open_ticket(), live.client().open_ticket()
    before = len(entries())
    problem(caseworker.post(f"{ticket.path}/suspend", json={"reason": "Fraud."}), 403, "forbidden")
    problem(caseworker.patch(foreign.path, json={"displayName": "x"}), 404, "not-found")
    key, secret = live.service.access.credentials.create(Role.CLIENT, workspace)
    with live.client(secret) as program:
        problem(program.patch(ticket.path, json={"displayName": "x"}), 403, "forbidden")
        live.service.access.credentials.revoke(key.id)
        problem(program.patch(ticket.path, json={"displayName": "x"}), 401, "unauthenticated")
    denied = entries()[before:]
    assert [(entry["actor"].partition(":")[0], entry["object"], entry["outcome"]) for entry in denied] == [
        ("member", ticket.id, "denied 403"),
        ("member", foreign.id, "denied 404"),
        ("client", ticket.id, "denied 403"),
        ("client", ticket.id, "denied 401"),
    ]


def test_acts_of_the_installation_on_what_the_workspace_has_are_logged(
    live: LiveService, workspace: str, caseworker: Client, owner: Client, entries: Entries
):
    ticket = caseworker.open_ticket()
    before = len(entries())
    with live.client_with_key(Role.ADMIN) as admin:
        assert admin.get(ticket.path).status_code == 200
        assert admin.post(f"{ticket.path}/suspend", json={"reason": "Fraud."}).status_code == 200
        assert admin.patch(f"/api/workspaces/{workspace}", json={"name": "Shelter"}).status_code == 200
        assert admin.get("/api/exports/donations", params={"workspace": workspace}).status_code == 200
        assert admin.get("/admin/projections").status_code == 200
    acts = entries()[before:]
    assert [entry["outcome"] for entry in acts] == [
        "looked", "begun", "answered 200", "begun", "answered 200", "looked"
    ]  # fmt: skip
    assert {entry["actor"].partition(":")[0] for entry in acts} == {"admin"}
    assert {entry["memberName"] for entry in acts} == {None}


def test_another_workspace_sees_none_of_it(live: LiveService, caseworker: Client, log: str):
    other = f"w-{uuid7().hex[-12:]}"
    with joined_member(live, other, MemberRole.OWNER) as stranger:
        caseworker.open_ticket()
        assert stranger.get(f"/api/workspaces/{other}/audit-log").json()["auditLog"] == []
        for path in (log, f"{log}/export"):
            problem(stranger.get(path), 404, "not-found")


def test_entries_are_filtered_by_member_operation_and_time_page_by_page(
    owner: Client, caseworker: Client, log: str, entries: Entries
):
    for client in (owner, caseworker, owner):
        client.open_ticket()
    assert len(entries()) == 6
    mine = entries(member=my_id(caseworker))
    assert [entry["outcome"] for entry in mine] == ["begun", "answered 201"]
    assert entries(operation="POST /api/tickets/create") == entries()
    assert entries(operation="DELETE /api/tickets/{ticket_id}") == []
    several = owner.get(log, params={"operation": ["DELETE /x", "POST /api/tickets/create"], "limit": "1"})
    assert len(several.json()["auditLog"]) == 1
    assert several.headers["link"].count("operation=") == 2
    assert entries(from_=mine[0]["at"], to=mine[1]["at"]) == [mine[0]]
    assert entries(to="2020-01-01") == []
    assert entries(member=str(uuid7())) == []
    pages, cursor = [], None
    while cursor is not None or not pages:
        answer = owner.get(log, params={"limit": "4"} | ({"cursor": cursor} if cursor else {})).json()
        pages.append([entry["position"] for entry in answer["auditLog"]])
        cursor = answer["nextCursor"]
    assert pages == [[entry["position"] for entry in entries()][::-1][start : start + 4] for start in (0, 4)]
    for parameters in (
        {"member": "ada"},
        {"from": "2026-05-02", "to": "2026-05-01"},
        {"cursor": "bm9uZQ"},
        {"who": "x"},
    ):
        problem(owner.get(log, params=parameters), 422, "invalid")


def test_the_beginning_of_an_act_is_left_out_once_its_outcome_is_recorded(
    live: LiveService, workspace: str, owner: Client, entries: Entries
):
    owner.open_ticket()
    live.service.access.log.append(
        AccessRecord("admin", "POST /interrupted", "", "begun", "r-interrupted"), AccessDetails(workspace)
    )
    assert [entry["outcome"] for entry in entries(begun="false")] == ["answered 201", "begun"]
    assert [entry["outcome"] for entry in entries(begun="true")] == ["begun", "answered 201", "begun"]
    problem(owner.get(f"/api/workspaces/{workspace}/audit-log", params={"begun": "x"}), 422, "invalid")


def test_an_act_has_the_same_object_at_its_beginning_and_its_end(owner: Client, caseworker: Client, entries: Entries):
    member = my_id(caseworker)
    owner.post(f"/desk/members/{member}", data={"do": "role", "role": "admin"}, headers={"Accept": "text/html"})
    assert {entry["object"] for entry in entries(operation="POST /desk/members/{member_id}")} == {member}


def test_the_export_has_the_same_entries_as_a_table_and_as_lines(owner: Client, log: str, entries: Entries):
    owner.open_ticket()
    expected = entries()[::-1]
    table = owner.get(f"{log}/export")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(table.text.splitlines()))[1:]
    assert [row["requestId"] for row in rows] == [entry["requestId"] for entry in expected]
    lines = owner.get(f"{log}/export", params={"format": "jsonl", "to": expected[0]["at"]}).text.splitlines()
    assert [json.loads(line) for line in lines] == expected[1:]


def test_an_auditor_sees_neither_addresses_nor_names(live: LiveService, workspace: str, owner: Client, log: str):
    owner.open_ticket()
    with joined_member(live, workspace, MemberRole.AUDITOR) as auditor, live.client_with_key(Role.AUDITOR) as overseer:
        for reader in (auditor, overseer):
            entry = reader.get(log).json()["auditLog"][0]
            assert entry["address"] is None
            assert "***" in entry["memberName"]
    assert owner.get(log).json()["auditLog"][0]["memberName"].endswith("@example.com")


def test_addresses_are_sealed_and_forgotten_after_a_time_and_the_entries_are_kept(
    live: LiveService, workspace: str, owner: Client, entries: Entries
):
    owner.open_ticket()
    database = live.service.database
    rows = database.rows("SELECT address FROM access_log_details WHERE workspace = %s", (workspace,))
    assert rows
    assert all(b"127.0.0.1" not in row[0] for row in rows)
    live.service.access.log.forget_addresses(1)
    assert {entry["address"] for entry in entries()} == {"127.0.0.1"}
    database.execute(
        "UPDATE access_log_details SET recorded_at = recorded_at - interval '2 days' WHERE workspace = %s", (workspace,)
    )
    live.service.access.log.forget_addresses(1)
    assert [entry["address"] for entry in entries()] == [None, None]
    with database.connection() as connection:
        assert verify_access_log(connection).ok


def test_a_member_who_accepts_an_invitation_is_in_the_log_of_that_workspace(
    live: LiveService, owner: Client, workspace: str, entries: Entries
):
    email = new_address()
    owner.post(f"/api/workspaces/{workspace}/invitations", json={"email": email.value, "role": "caseworker"})
    with signed_in(live, email) as newcomer:
        [invitation] = newcomer.get("/api/me").json()["workspaces"]
        newcomer.post(f"/api/invitations/{invitation['memberId']}/accept", json={})
    assert entries()[-1]["operation"] == "POST /api/invitations/{member_id}/accept"


def test_an_act_that_cannot_be_logged_is_not_performed(
    live: LiveService, caseworker: Client, monkeypatch: pytest.MonkeyPatch
):
    ticket: Ticket = caseworker.open_ticket()

    def away(*_: object) -> None:
        raise UnavailableError("away")

    monkeypatch.setattr(live.service.access.log, "append", away)
    problem(caseworker.patch(ticket.path, json={"displayName": "Grace"}), 503, "unavailable")
    problem(caseworker.get(ticket.path), 503, "unavailable")
    monkeypatch.undo()
    assert caseworker.get(ticket.path).json()["displayName"] != "Grace"


def test_a_read_is_new_again_after_an_hour_and_the_memory_of_reads_is_bounded():
    clock = StandingClock()
    reads = RecentReads(clock.monotonic)
    assert [reads.is_new(("a",)) for _ in range(2)] == [True, False]
    clock.now += READ_SECONDS
    assert reads.is_new(("a",))
    for number in range(MAX_RECENT_READS):
        assert reads.is_new((str(number),))
    assert reads.is_new(("a",))


def test_a_page_of_the_log_reads_no_more_than_its_entries(live: LiveService, workspace: str):
    """The pages of a workspace and of a member follow an index, so that they do not slow down as the log grows."""
    log, database, member = live.service.access.log, live.service.database, uuid7()
    record = AccessRecord(f"member:{member}", "POST /x", "", "begun", "r-1")
    log.append(record, AccessDetails(workspace, member, "127.0.0.1"))
    queries = ((RECORDS_OF_WORKSPACE, "access_log_of_workspace"), (RECORDS_OF_MEMBER, "access_log_of_member"))
    for query, index in queries:
        values: dict[str, object] = dict.fromkeys(("operations", "since", "until", "time", "position"))
        values["without_begun"] = True
        with database.transaction() as cursor:
            # The tables of a test are so small that nothing else would follow an index.
            cursor.execute(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
            )
            cursor.execute("EXPLAIN " + query, values | {"workspace": workspace, "member_id": member, "limit": 10})
            plan = " ".join(str(row[0]) for row in cursor.fetchall())
        assert f"Index Scan Backward using {index}" in plan
        assert "Sort" not in plan

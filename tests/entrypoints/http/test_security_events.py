"""Possible misuse is counted, and shown to those who run a workspace."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.identity import security_events
from adapters.identity.security_events import SecurityEventKind, SecurityEventSelection
from adapters.ids import uuid7
from adapters.quotas import OwnerKind, Owners, Quota, QuotaExceeded, Use
from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_members import request_code
from tests.fakes.databases import recorded_statements
from tests.members import joined_member, new_address


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def place(workspace: str) -> str:
    return f"/api/workspaces/{workspace}/security-events"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


def listed(client: Client, place: str, **filters: object) -> list[dict[str, Any]]:
    answer = client.get(place, params={"limit": "100"} | {name: str(value).lower() for name, value in filters.items()})
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["securityEvents"]
    return events


def counts(events: list[dict[str, Any]]) -> dict[str, int]:
    """Return how often each kind happened; what happens about a full hour has a row in each of the two."""
    sums: Counter[str] = Counter()
    for event in events:
        sums[event["kind"]] += event["count"]
    return dict(sums)


def try_wrong_code(live: LiveService, request_id: str) -> None:
    with live.client() as visitor:
        wrong = {"requestId": request_id, "code": "0000 0000"}
        problem(visitor.post("/api/session", json=wrong), 401, "unauthenticated")


def test_wrong_codes_and_locks_of_a_member_are_counted(live: LiveService, workspace: str, owner: Client, place: str):
    email = new_address()
    with joined_member(live, workspace, MemberRole.CASEWORKER, email) as member:
        id = member.get("/api/me").json()["member"]["id"]
    for _ in range(2):
        request_id = request_code(live, email.value)
        for _ in range(5):
            try_wrong_code(live, request_id)
    events = listed(owner, place)
    assert counts(events) == {"wrong_code": 10, "locked_request": 2, "locked_address": 1}
    assert {event["subject"] for event in events} == {id}
    assert {event["address"] for event in events} == {"127.0.0.1"}


def test_a_wrong_code_for_an_address_that_is_no_members_runs_the_same_statements(
    live: LiveService, workspace: str, owner: Client, place: str
):
    member = new_address()
    joined_member(live, workspace, MemberRole.CASEWORKER, member)
    statements_by_address = []
    for request_id in (request_code(live, member.value), request_code(live, new_address().value), str(uuid7())):
        with recorded_statements(live.service.database) as statements:
            try_wrong_code(live, request_id)
        statements_by_address.append([statement for statement in statements if "append_access_log" not in statement])
    assert statements_by_address[0] == statements_by_address[1] == statements_by_address[2]
    assert counts(listed(owner, place)) == {"wrong_code": 1}


def test_misuse_of_a_key_is_counted_for_its_workspace(live: LiveService, workspace: str, owner: Client, place: str):
    credentials = live.service.access.credentials
    key, secret = credentials.create(Role.CLIENT, workspace, ["tickets:read"])
    expired, expired_secret = credentials.create(
        Role.CLIENT, workspace, expires_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    foreign = live.client().open_ticket()
    with live.client(secret) as program, live.client(expired_secret) as late:
        for id in (foreign.id, str(uuid7())):
            problem(program.get(f"/api/tickets/{id}"), 404, "not-found")
        problem(program.get("/api/donations"), 403, "forbidden")
        problem(program.get("/admin/projections"), 403, "forbidden")
        problem(late.get("/api/donations"), 401, "unauthenticated")
        credentials.revoke(key.id)
        for _ in range(3):
            problem(program.get("/api/donations"), 401, "unauthenticated")
    events = listed(owner, place)
    assert counts(events) == {
        "unknown_ticket": 2,
        "missing_scope": 1,
        "forbidden_operation": 1,
        "expired_key": 1,
        "revoked_key": 3,
    }
    assert {event["subject"] for event in events if event["kind"] != "expired_key"} == {str(key.id)}
    assert {event["subject"] for event in events if event["kind"] == "expired_key"} == {str(expired.id)}


def test_events_of_the_installation_are_shown_to_its_administrators_alone(live: LiveService):
    place = "/api/workspaces/public/security-events"
    credentials = live.service.access.credentials
    revoked, secret = credentials.create(Role.AUDITOR)
    credentials.revoke(revoked.id)
    with live.client(secret) as former, live.client() as stranger:
        problem(former.get("/api/donations"), 401, "unauthenticated")
        problem(stranger.post("/api/webhooks/stripe", json={}), 400, "malformed")
    with live.client_with_key(Role.ADMIN) as admin, joined_member(live, "public", MemberRole.OWNER) as owner:
        event = next(event for event in listed(admin, place) if event["subject"] == str(revoked.id))
        assert event["kind"] == "revoked_key"
        assert any(event["kind"] == "invalid_signature" for event in listed(admin, place))
        assert not [e for e in listed(owner, place) if e["kind"] == "invalid_signature" or e["id"] == event["id"]]
        problem(owner.post(f"{place}/{event['id']}/seen", json={}), 404, "not-found")
        assert admin.post(f"{place}/{event['id']}/seen", json={}).json()["seenBy"].startswith("admin:")


def test_an_exceeded_quota_is_counted(
    live: LiveService, workspace: str, owner: Client, place: str, monkeypatch: pytest.MonkeyPatch
):
    quotas, ticket = live.service.content.quotas, uuid7()
    monkeypatch.setattr(quotas, "quotas", dict.fromkeys(OwnerKind, Quota()) | {OwnerKind.TICKET: Quota(documents=1)})
    owners = Owners(ticket, workspace, "192.0.2.7")
    with pytest.raises(QuotaExceeded), quotas.reserved(owners, Use(documents=2)):
        pass
    [event] = listed(owner, place)
    assert (event["kind"], event["subject"], event["address"]) == ("exceeded_quota", str(ticket), "192.0.2.7")


def test_an_event_is_marked_as_seen_until_it_happens_again(
    live: LiveService, workspace: str, owner: Client, place: str
):
    note = live.service.access.security_events.note
    note(SecurityEventKind.REVOKED_KEY, workspace, "a")
    [event] = listed(owner, place, seen=False)
    seen = owner.post(f"{place}/{event['id']}/seen", json={}).json()
    assert seen["seenBy"] == f"member:{owner.get('/api/me').json()['member']['id']}"
    with joined_member(live, workspace, MemberRole.ADMIN) as admin:
        assert admin.post(f"{place}/{event['id']}/seen", json={}).json() == seen
    assert listed(owner, place, seen=True) == [seen]
    assert listed(owner, place, seen=False) == []
    note(SecurityEventKind.REVOKED_KEY, workspace, "a")
    assert listed(owner, place, seen=False) != []
    assert counts(listed(owner, place)) == {"revoked_key": 2}
    problem(owner.post(f"{place}/{uuid7()}/seen", json={}), 404, "not-found")


def test_nobody_fills_the_table(
    live: LiveService, workspace: str, owner: Client, place: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(security_events, "MAX_ROWS_PER_HOUR", 3)
    for number in range(9):
        live.service.access.security_events.note(SecurityEventKind.REVOKED_KEY, workspace, str(number % 6))
    events = listed(owner, place)
    assert len(events) == 4
    assert sum(event["count"] for event in events) == 9
    assert [event["count"] for event in events if event["subject"] is None] == [6]


def test_events_are_filtered_and_listed_page_by_page(live: LiveService, workspace: str, owner: Client, place: str):
    for kind in SecurityEventKind:
        live.service.access.security_events.note(kind, workspace)
    assert [event["kind"] for event in listed(owner, place, kind="expired_key")] == ["expired_key"]
    pages, cursor = [], None
    while cursor is not None or not pages:
        answer = owner.get(place, params={"limit": "4"} | ({"cursor": cursor} if cursor else {})).json()
        pages.append([event["id"] for event in answer["securityEvents"]])
        cursor = answer["nextCursor"]
    assert [id for page in pages for id in page] == [event["id"] for event in listed(owner, place)]
    assert sum(map(len, pages)) == len(SecurityEventKind)
    for parameters in ({"kind": "x"}, {"seen": "x"}, {"who": "x"}, {"cursor": "bm9uZQ"}):
        problem(owner.get(place, params=parameters), 422, "invalid")


def test_another_workspace_sees_none_of_it_and_auditors_see_no_address(
    live: LiveService, workspace: str, owner: Client, place: str
):
    events, other = live.service.access.security_events, f"w-{uuid7().hex[-12:]}"
    events.note(SecurityEventKind.REVOKED_KEY, workspace, "a", "192.0.2.7")
    [event] = listed(owner, place)
    with joined_member(live, other, MemberRole.OWNER) as stranger:
        own = f"/api/workspaces/{other}/security-events"
        assert listed(stranger, own) == []
        problem(stranger.get(place), 404, "not-found")
        for path in (place, own):
            problem(stranger.post(f"{path}/{event['id']}/seen", json={}), 404, "not-found")
    with joined_member(live, workspace, MemberRole.AUDITOR) as auditor:
        assert [event["address"] for event in listed(auditor, place)] == [None]
    assert event["address"] == "192.0.2.7"


def test_addresses_are_sealed_and_events_are_deleted_after_a_time(live: LiveService, workspace: str):
    events, database = live.service.access.security_events, live.service.database
    for subject in ("old", "new"):
        events.note(SecurityEventKind.REVOKED_KEY, workspace, subject, "192.0.2.7")
    assert all(
        b"192.0.2.7" not in row[0]
        for row in database.rows("SELECT address FROM security_events WHERE workspace = %s", (workspace,))
    )
    database.execute(
        "UPDATE security_events SET last_at = now() - interval '9 days' WHERE workspace = %s AND subject = 'old'",
        (workspace,),
    )
    events.purge(7)
    assert [event.subject for event in events.page(SecurityEventSelection(workspace), 10)] == ["new"]

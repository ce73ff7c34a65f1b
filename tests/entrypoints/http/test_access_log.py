"""Acts of administrators and denied writes are logged before they are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.identity.access_log import verify_access_log
from adapters.ids import uuid7
from domain.errors import UnavailableError
from domain.values import Role
from entrypoints.composition.service import Parts
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem
from tests.fakes.databases import recorded_statements


@pytest.fixture
def noted(live: LiveService) -> Callable[[], list[tuple[str, str, str, str]]]:
    """Actor, operation, object and outcome of what came on record since the test began, oldest first."""
    newest = live.service.access.log.page(1)
    start = newest[0].position if newest else 0

    def noted() -> list[tuple[str, str, str, str]]:
        entries = [entry for entry in live.service.access.log.page(1000) if entry.position > start]
        return [(entry.actor, entry.operation, entry.object, entry.outcome) for entry in reversed(entries)]

    return noted


@pytest.fixture
def admin_key(live: LiveService) -> Iterator[tuple[str, Client]]:
    key, secret = live.service.access.credentials.create(Role.ADMIN)
    with live.client(secret) as client:
        yield f"admin:{key.id}", client


# Admin acts.


def test_an_admin_act_is_logged_before_it_begins_and_with_its_outcome(admin_key: Any, noted: Any):
    actor, admin = admin_key
    place = "/admin/projections/contact_index/rebuild"
    assert admin.post(place, json={}, headers={"X-Request-Id": "7700-0077"}).status_code == 202
    operation = "POST /admin/projections/{name}/rebuild"
    assert noted() == [
        (actor, operation, "contact_index", "begun"),
        (actor, operation, "contact_index", "answered 202"),
    ]


def test_which_read_model_was_rebuilt_is_on_record_and_no_word_of_the_callers(admin_key: Any, noted: Any):
    _, admin = admin_key
    for name in ("documents", "ada"):
        admin.post(f"/admin/projections/{name}/rebuild", json={})
    assert [about for _, _, about, _ in noted()] == ["documents", "documents", "?", "?"]


def test_an_act_that_is_refused_or_breaks_is_on_record_too(
    live: LiveService, admin_key: Any, noted: Any, monkeypatch: pytest.MonkeyPatch
):
    actor, admin = admin_key
    problem(admin.post("/admin/dead-letters/evt_1/retry", json={}), 404, "not-found")

    def away(*_: object) -> int:
        raise UnavailableError("away")

    monkeypatch.setattr(live.service.payments.dead_letters, "retry", away)
    problem(admin.post("/admin/dead-letters/evt_1/retry", json={}), 503, "unavailable")
    outcomes = [outcome for who, _, _, outcome in noted() if who == actor]
    assert outcomes == ["begun", "answered 404", "begun", "answered 503"]


def test_no_act_is_done_that_cannot_be_put_on_record(
    live: LiveService, admin_key: Any, monkeypatch: pytest.MonkeyPatch
):
    _, admin = admin_key

    def away(*_: object) -> None:
        raise UnavailableError("away")

    done = []
    monkeypatch.setattr(live.service.access.log, "append", away)
    monkeypatch.setattr(live.service.payments.dead_letters, "retry", lambda ids: done.append(ids) or 1)
    problem(admin.post("/admin/dead-letters/evt_1/retry", json={}), 503, "unavailable")
    assert done == []


def test_a_look_at_somebodys_ticket_is_on_record_and_one_at_the_service_is_not(
    admin_key: Any, ticket: Ticket, noted: Any
):
    actor, admin = admin_key
    assert admin.get(ticket.path).status_code == 200
    assert admin.get("/api/tickets/search", params={"contact": "ada@example.com"}).status_code == 200
    assert admin.get("/admin/projections").status_code == 200
    assert admin.get("/admin/access-log").status_code == 200
    assert admin.get("/openapi.json").status_code == 200
    assert noted() == [
        (actor, "GET /api/tickets/{ticket_id}", ticket.id, "looked"),
        (actor, "GET /api/tickets/search", "", "looked"),
    ]


def test_acts_of_holders_and_clients_are_not_in_the_access_log(live: LiveService, ticket: Ticket, noted: Any):
    ticket.write_draft()
    with live.client_with_key(Role.CLIENT, "tickets:write") as client:
        client.open_ticket()
    assert noted() == []


# Denied writes.


def test_every_denied_write_is_logged_with_actor_and_reason(
    live: LiveService, client: Client, ticket: Ticket, noted: Any
):
    draft, body = f"{ticket.path}/draft", {"title": "x"}
    key, secret = live.service.access.credentials.create(Role.CLIENT, "elsewhere", ["tickets:write"])
    lacking, lacks = live.service.access.credentials.create(Role.CLIENT)
    revoked, gone = live.service.access.credentials.create(Role.CLIENT, scopes=["tickets:write"])
    live.service.access.credentials.revoke(revoked.id)
    auditor, audits = live.service.access.credentials.create(Role.AUDITOR)
    stranger = client.open_ticket()
    askers = [live.client(), live.client("slk_guessed"), live.client(gone), live.client(secret), live.client(lacks),
              live.client(audits), stranger.http]  # fmt: skip
    statuses = [asker.patch(draft, json=body).status_code for asker in askers]
    assert statuses == [401, 401, 401, 404, 403, 403, 404]
    who = ["visitor", "unknown", f"client:{revoked.id}", f"client:{key.id}", f"client:{lacking.id}",
           f"auditor:{auditor.id}", f"holder:{stranger.id}"]  # fmt: skip
    operation = "PATCH /api/tickets/{ticket_id}/draft"
    assert noted() == [
        (actor, operation, ticket.id, f"denied {status}") for actor, status in zip(who, statuses, strict=True)
    ]


def test_a_denied_admin_act_is_logged(client: Client, ticket: Ticket, noted: Any):
    donation = str(uuid7())
    problem(client.post(f"/admin/donations/{donation}/refund", json={"reason": "x"}), 401, "unauthenticated")
    problem(ticket.http.post(f"/admin/donations/{donation}/refund", json={"reason": "x"}), 403, "forbidden")
    operation = "POST /admin/donations/{donation_id}/refund"
    assert noted() == [
        ("visitor", operation, donation, "denied 401"),
        (f"holder:{ticket.id}", operation, donation, "denied 403"),
    ]


def test_a_wrong_code_is_on_record(client: Client, noted: Any):
    given = {"requestId": str(uuid7()), "code": "1234 5678"}
    problem(client.post("/api/access/verify", json=given), 401, "unauthenticated")
    assert noted() == [("visitor", "POST /api/access/verify", "", "denied 401")]


def test_denied_reads_bad_requests_and_stripes_door_leave_nothing(client: Client, ticket: Ticket, noted: Any):
    problem(client.get(ticket.path), 401, "unauthenticated")
    problem(ticket.patch("/draft", {"titel": "x"}), 422, "invalid")
    problem(ticket.post("/process"), 409, "conflict")
    problem(client.post("/api/webhooks/stripe", json={}), 400, "malformed")
    assert client.post("/api/nothing", json={}).status_code == 404
    assert noted() == []


def test_no_secret_and_no_person_is_ever_in_it(live: LiveService, client: Client):
    headers = {"Authorization": "Bearer slk_canary-of-a-secret"}
    for place in ("/api/tickets/canary@example.com/publish", "/admin/projections/Canary Lovelace/rebuild"):
        client.post(place, json={"displayName": "canary"}, headers=headers)
    with live.service.database.connection() as connection:
        rows = str(connection.execute("SELECT access_log::text FROM access_log").fetchall())
    assert "canary" not in rows.lower()
    assert "127.0.0.1" not in rows


def test_a_denial_costs_one_statement(live: LiveService, client: Client, ticket: Ticket):
    with recorded_statements(live.service.database) as said:
        problem(client.patch(ticket.path, json={"displayName": "x"}), 401, "unauthenticated")
    assert [statement.split("(")[0] for statement in said] == ["SELECT append_access_log"]


def test_a_flood_of_denied_writes_is_on_record_as_far_as_it_is_let_through(migrated_url: str, tmp_path: Path):
    parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
    with LiveService(migrated_url, tmp_path / "var", parts, rate_limit_default="5/hour") as live:
        with live.client() as visitor, live.client("slk_guessed") as guesser:
            got = [asker.patch(f"/api/tickets/{uuid7()}", json={}).status_code for asker in (visitor, guesser) * 20]
        assert got == [401] * 5 + [429] * 35
        assert live.row_count("access_log") == 5


# Reading it.


def test_admins_and_auditors_read_it_a_page_at_a_time(
    live: LiveService, client: Client, admin: Client, auditor: Client
):
    for number in range(3):
        client.post("/admin/projections/none/rebuild", json={}, headers={"X-Request-Id": f"9a9e-000{number}"})
    for reader in (admin, auditor):
        first = reader.get("/admin/access-log", params={"limit": 2}).json()
        assert [entry["requestId"] for entry in first["accessLog"]] == ["9a9e-0002", "9a9e-0001"]
        assert first["accessLog"][0] | {"position": 0, "at": ""} == {
            "position": 0,
            "at": "",
            "actor": "visitor",
            "operation": "POST /admin/projections/{name}/rebuild",
            "object": "?",
            "outcome": "denied 401",
            "requestId": "9a9e-0002",
        }
        rest = reader.get("/admin/access-log", params={"limit": 1, "cursor": first["nextCursor"]}).json()
        assert [entry["requestId"] for entry in rest["accessLog"]] == ["9a9e-0000"]
    with live.service.database.connection() as connection:
        assert verify_access_log(connection).ok

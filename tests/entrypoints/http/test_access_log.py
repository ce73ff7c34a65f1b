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
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem
from tests.fakes.databases import recorded_statements


@pytest.fixture
def new_records(live: LiveService) -> Callable[[], list[tuple[str, str, str, str]]]:
    """Return a function that returns actor, operation, object and outcome of the test's records, oldest first."""
    newest = live.service.access.log.page(1)
    start = newest[0].position if newest else 0

    def new_records() -> list[tuple[str, str, str, str]]:
        entries = [entry for entry in live.service.access.log.page(1000) if entry.position > start]
        return [(entry.actor, entry.operation, entry.object, entry.outcome) for entry in reversed(entries)]

    return new_records


@pytest.fixture
def admin_key(live: LiveService) -> Iterator[tuple[str, Client]]:
    key, secret = live.service.access.credentials.create(Role.ADMIN)
    with live.client(secret) as client:
        yield f"admin:{key.id}", client


# Admin acts.


def test_an_admin_act_is_logged_before_it_begins_and_with_its_outcome(admin_key: Any, new_records: Any):
    actor, admin = admin_key
    place = "/admin/projections/contact_index/rebuild"
    assert admin.post(place, json={}, headers={"X-Request-Id": "7700-0077"}).status_code == 202
    operation = "POST /admin/projections/{name}/rebuild"
    assert new_records() == [
        (actor, operation, "contact_index", "begun"),
        (actor, operation, "contact_index", "answered 202"),
    ]


def test_a_rebuild_is_logged_with_the_read_models_name_and_without_the_callers_text(admin_key: Any, new_records: Any):
    _, admin = admin_key
    for name in ("documents", "ada"):
        admin.post(f"/admin/projections/{name}/rebuild", json={})
    assert [about for _, _, about, _ in new_records()] == ["documents", "documents", "?", "?"]


def test_a_refused_or_failing_act_is_logged_too(
    live: LiveService, admin_key: Any, new_records: Any, monkeypatch: pytest.MonkeyPatch
):
    actor, admin = admin_key
    problem(admin.post("/admin/dead-letters/evt_1/retry", json={}), 404, "not-found")

    def away(*_: object) -> int:
        raise UnavailableError("away")

    monkeypatch.setattr(live.service.payments.dead_letters, "retry", away)
    problem(admin.post("/admin/dead-letters/evt_1/retry", json={}), 503, "unavailable")
    outcomes = [outcome for logged_actor, _, _, outcome in new_records() if logged_actor == actor]
    assert outcomes == ["begun", "answered 404", "begun", "answered 503"]


def test_an_act_that_cannot_be_logged_is_not_performed(
    live: LiveService, admin_key: Any, monkeypatch: pytest.MonkeyPatch
):
    _, admin = admin_key

    def away(*_: object) -> None:
        raise UnavailableError("away")

    retried = []
    monkeypatch.setattr(live.service.access.log, "append", away)
    monkeypatch.setattr(live.service.payments.dead_letters, "retry", lambda ids: retried.append(ids) or 1)
    problem(admin.post("/admin/dead-letters/evt_1/retry", json={}), 503, "unavailable")
    assert retried == []


def test_reading_a_ticket_as_an_admin_is_logged_and_reading_the_services_state_is_not(
    admin_key: Any, ticket: Ticket, new_records: Any
):
    actor, admin = admin_key
    assert admin.get(ticket.path).status_code == 200
    assert admin.get("/api/tickets/search", params={"contact": "ada@example.com"}).status_code == 200
    assert admin.get("/admin/projections").status_code == 200
    assert admin.get("/admin/access-log").status_code == 200
    assert admin.get("/openapi.json").status_code == 200
    assert new_records() == [
        (actor, "GET /api/tickets/{ticket_id}", ticket.id, "looked"),
        (actor, "GET /api/tickets/search", "", "looked"),
    ]


def test_reading_a_support_ticket_with_its_contact_in_full_is_logged(client: Client, admin_key: Any, new_records: Any):
    actor, admin = admin_key
    body = {"category": "OTHER", "message": "Help", "contact": "ada@example.com"}
    support_id = client.post("/api/support/ticket", json=body).json()["id"]
    assert admin.get(f"/admin/support/{support_id}").json()["contact"] == "ada@example.com"
    problem(admin.get(f"/admin/support/{uuid7()}"), 404, "not-found")
    assert [record[:2] for record in new_records()] == [(actor, "GET /admin/support/{id}")] * 2
    assert new_records()[0][2:] == (support_id, "looked")


def test_acts_of_holders_and_clients_are_not_in_the_access_log(live: LiveService, ticket: Ticket, new_records: Any):
    ticket.write_draft()
    with live.client_with_key(Role.CLIENT, "tickets:write") as client:
        client.open_ticket()
    assert new_records() == []


def test_hearing_a_recording_of_another_person_is_logged(
    live: LiveService, admin_key: Any, ticket: Ticket, new_records: Any
):
    admin_actor, admin = admin_key
    recording_id = ticket.upload(RECORDING.read_bytes()).json()["audioId"]
    heard, archive = f"{ticket.path}/recordings/{recording_id}", f"{ticket.path}/export"
    key, secret = live.service.access.credentials.create(Role.CLIENT, scopes=["tickets:read"])
    with live.client(secret) as client:
        assert client.get(heard, headers={"Range": "bytes=0-9"}).status_code == 206
        assert client.get(archive).status_code == 200
        assert client.get(f"{ticket.path}/recordings").status_code == 200
    assert admin.get(heard).status_code == 200
    assert ticket.http.get(heard).status_code == ticket.http.get(archive).status_code == 200
    play = "GET /api/tickets/{ticket_id}/recordings/{recording_id}"
    assert new_records() == [
        (f"client:{key.id}", play, f"{ticket.id}/{recording_id}", "looked"),
        (f"client:{key.id}", "GET /api/tickets/{ticket_id}/export", ticket.id, "looked"),
        (admin_actor, play, f"{ticket.id}/{recording_id}", "looked"),
    ]


def test_a_recording_is_not_heard_if_that_cannot_be_logged(
    live: LiveService, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
):
    def away(*_: object) -> None:
        raise UnavailableError("away")

    recording_id = ticket.upload(RECORDING.read_bytes()).json()["audioId"]
    monkeypatch.setattr(live.service.access.log, "append", away)
    with live.client_with_key(Role.CLIENT, "tickets:read") as client:
        problem(client.get(f"{ticket.path}/recordings/{recording_id}"), 503, "unavailable")
    assert ticket.get(f"/recordings/{recording_id}").status_code == 200


# Denied writes.


def test_every_denied_write_is_logged_with_actor_and_reason(
    live: LiveService, client: Client, ticket: Ticket, new_records: Any
):
    draft, body = f"{ticket.path}/draft", {"title": "x"}
    key, secret = live.service.access.credentials.create(Role.CLIENT, "elsewhere", ["tickets:write"])
    key_without_scope, secret_without_scope = live.service.access.credentials.create(Role.CLIENT)
    revoked, revoked_secret = live.service.access.credentials.create(Role.CLIENT, scopes=["tickets:write"])
    live.service.access.credentials.revoke(revoked.id)
    auditor, auditor_secret = live.service.access.credentials.create(Role.AUDITOR)
    stranger = client.open_ticket()
    secrets = ["slk_guessed", revoked_secret, secret, secret_without_scope, auditor_secret]
    askers = [live.client(), *map(live.client, secrets), stranger.http]
    statuses = [asker.patch(draft, json=body).status_code for asker in askers]
    assert statuses == [401, 401, 401, 404, 403, 403, 404]
    actors = ["visitor", "unknown", f"client:{revoked.id}", f"client:{key.id}", f"client:{key_without_scope.id}",
           f"auditor:{auditor.id}", f"holder:{stranger.id}"]  # fmt: skip
    operation = "PATCH /api/tickets/{ticket_id}/draft"
    assert new_records() == [
        (actor, operation, ticket.id, f"denied {status}") for actor, status in zip(actors, statuses, strict=True)
    ]


def test_a_denied_admin_act_is_logged(client: Client, ticket: Ticket, new_records: Any):
    donation = str(uuid7())
    problem(client.post(f"/admin/donations/{donation}/refund", json={"reason": "x"}), 401, "unauthenticated")
    problem(ticket.http.post(f"/admin/donations/{donation}/refund", json={"reason": "x"}), 403, "forbidden")
    operation = "POST /admin/donations/{donation_id}/refund"
    assert new_records() == [
        ("visitor", operation, donation, "denied 401"),
        (f"holder:{ticket.id}", operation, donation, "denied 403"),
    ]


def test_a_wrong_login_code_is_logged(client: Client, new_records: Any):
    verification = {"requestId": str(uuid7()), "code": "1234 5678"}
    problem(client.post("/api/access/verify", json=verification), 401, "unauthenticated")
    assert new_records() == [("visitor", "POST /api/access/verify", "", "denied 401")]


def test_denied_reads_bad_requests_and_webhooks_are_not_logged(client: Client, ticket: Ticket, new_records: Any):
    problem(client.get(ticket.path), 401, "unauthenticated")
    problem(ticket.patch("/draft", {"titel": "x"}), 422, "invalid")
    problem(ticket.post("/process"), 409, "conflict")
    problem(client.post("/api/webhooks/stripe", json={}), 400, "malformed")
    assert client.post("/api/nothing", json={}).status_code == 404
    assert new_records() == []


def test_the_access_log_has_no_secret_and_no_personal_data(live: LiveService, client: Client):
    headers = {"Authorization": "Bearer slk_canary-of-a-secret"}
    for place in ("/api/tickets/canary@example.com/publish", "/admin/projections/Canary Lovelace/rebuild"):
        client.post(place, json={"displayName": "canary"}, headers=headers)
    with live.service.database.connection() as connection:
        rows = str(connection.execute("SELECT access_log::text FROM access_log").fetchall())
    assert "canary" not in rows.lower()
    assert "127.0.0.1" not in rows


def test_a_denial_costs_one_statement(live: LiveService, client: Client, ticket: Ticket):
    with recorded_statements(live.service.database) as statements:
        problem(client.patch(ticket.path, json={"displayName": "x"}), 401, "unauthenticated")
    assert [statement.split("(")[0] for statement in statements] == ["SELECT append_access_log"]


def test_denied_writes_beyond_the_rate_limit_are_not_logged(migrated_url: str, tmp_path: Path):
    parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
    with LiveService(migrated_url, tmp_path / "var", parts, rate_limit_default="5/hour") as live:
        with live.client() as visitor, live.client("slk_guessed") as guesser:
            statuses = [
                asker.patch(f"/api/tickets/{uuid7()}", json={}).status_code for asker in (visitor, guesser) * 20
            ]
        assert statuses == [401] * 5 + [429] * 35
        assert live.row_count("access_log") == 5


# Reading it.


def test_admins_and_auditors_read_the_access_log_page_by_page(
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
        next_page = reader.get("/admin/access-log", params={"limit": 1, "cursor": first["nextCursor"]}).json()
        assert [entry["requestId"] for entry in next_page["accessLog"]] == ["9a9e-0000"]
    with live.service.database.connection() as connection:
        assert verify_access_log(connection).ok

"""Owners and admins change the settings of their workspace; all its members read them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Role
from domain.workspaces import workspace_stream
from projections.workspaces import workspace_settings
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import problem
from tests.members import joined_member

ORGANISATION = {
    "legalName": "Shelter at the river e.V.",
    "address": "Uferweg 3\n50667 Köln",
    "registrationNumber": "VR 12345",
    "taxWording": "No goods or services were provided.",
    "contact": "office@shelter.example",
    "privacyPage": "https://shelter.example/privacy",
    "replyTo": "office@shelter.example",
}


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def path(workspace: str) -> str:
    return f"/api/workspaces/{workspace}"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


def test_a_new_workspace_has_the_defaults(owner: Client, workspace: str, path: str):
    assert owner.get(path).json() == {
        "id": workspace,
        "name": workspace,
        "organisation": dict.fromkeys(ORGANISATION),
        "intake": "open",
        "publishing": "free",
        "language": None,
        "currency": None,
        "hasLogo": False,
        "retention": {"ticketDays": None, "donorDays": None},
    }


def test_a_patch_changes_what_it_names(live: LiveService, owner: Client, workspace: str, path: str):
    changes = {"name": "Shelter", "organisation": ORGANISATION, "intake": "invited", "publishing": "approval"}
    changed = owner.patch(path, json=changes | {"language": "es", "currency": "eur"})
    assert changed.status_code == 200, changed.text
    retention = {"ticketDays": None, "donorDays": None}
    expected = {
        "id": workspace,
        "language": "es",
        "currency": "EUR",
        "hasLogo": False,
        "retention": retention,
    } | changes
    assert changed.json() == expected
    patched = owner.patch(path, json={"organisation": {"taxWording": None}, "language": None})
    expected |= {"organisation": ORGANISATION | {"taxWording": None}, "language": None}
    assert patched.json() == expected
    assert owner.get(path).json() == expected
    with live.service.database.reading() as cursor:
        settings = workspace_settings(cursor, workspace)
    assert (settings.title, settings.organisation.legal_name) == ("Shelter", "Shelter at the river e.V.")
    assert owner.patch(path, json={"organisation": None}).json()["organisation"] == dict.fromkeys(ORGANISATION)


def test_only_owners_and_admins_change_the_settings(live: LiveService, owner: Client, workspace: str, path: str):
    assert owner.get(path).status_code == 200
    for role in MemberRole:
        member = joined_member(live, workspace, role)
        assert member.get(path).status_code == 200
        answer = member.patch(path, json={"intake": "closed"})
        assert answer.status_code == (200 if role in (MemberRole.OWNER, MemberRole.ADMIN) else 403)
    stranger = joined_member(live, f"{workspace}-other", MemberRole.OWNER)
    problem(stranger.get(path), 404, "not-found")
    problem(stranger.patch(path, json={"intake": "open"}), 404, "not-found")


def test_the_operator_changes_the_settings_of_every_workspace(owner: Client, admin: Client, path: str):
    assert owner.get(path).status_code == 200
    assert admin.patch(path, json={"organisation": {"legalName": "Shelter"}}).status_code == 200
    assert owner.get(path).json()["organisation"]["legalName"] == "Shelter"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "a" * 101}, "/name"),
        ({"title": "Shelter"}, "/title"),
        ({"intake": "half"}, "/intake"),
        ({"publishing": None}, "/publishing"),
        ({"language": "tlh"}, "/language"),
        ({"currency": "XXX"}, "/currency"),
        ({"organisation": {"legalName": "a\nb"}}, "/organisation/legalName"),
        ({"organisation": {"address": "a" * 501}}, "/organisation/address"),
        ({"organisation": {"privacyPage": "javascript:alert(1)"}}, "/organisation/privacyPage"),
        ({"organisation": {"privacyPage": "https://user:secret@shelter.example/"}}, "/organisation/privacyPage"),
        ({"organisation": {"privacyPage": "https://[shelter"}}, "/organisation/privacyPage"),
        ({"organisation": {"replyTo": "office"}}, "/organisation/replyTo"),
        ({"organisation": {"colour": "red"}}, "/organisation/colour"),
        ({"retention": {"ticketDays": 0}}, "/retention/ticketDays"),
        ({"retention": {"ticketDays": "30"}}, "/retention/ticketDays"),
        ({"retention": {"donorDays": 36_501}}, "/retention/donorDays"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(owner: Client, path: str, change: dict[str, Any], pointer: str):
    details = problem(owner.patch(path, json=change), 422, "invalid")
    assert [error["pointer"] for error in details["errors"]] == [pointer]
    assert owner.get(path).json()["name"] == path.rpartition("/")[2]


# Retention.


def test_a_change_of_the_retention_names_who_made_it_and_is_what_the_worker_reads(
    live: LiveService, owner: Client, workspace: str, path: str
):
    changed = owner.patch(path, json={"retention": {"ticketDays": 365}})
    assert changed.json()["retention"] == {"ticketDays": 365, "donorDays": None}
    owner.patch(path, json={"retention": {"donorDays": 3_650}})
    assert owner.get(path).json()["retention"] == {"ticketDays": 365, "donorDays": 3_650}
    stored = live.service.aggregates.retention_periods
    assert (stored.ticket_periods()[workspace], stored.donor_periods()[workspace]) == (365, 3_650)
    entries = live.service.history.log.stream(workspace_stream(workspace))
    changes = [json.loads(entry.state) for entry in entries if entry.topic == "retention_changed"]
    assert [(each["actor"]["role"], each["ticket_days"], each["donor_days"]) for each in changes] == [
        ("member", 365, None),
        ("member", 365, 3_650),
    ]
    assert owner.patch(path, json={"retention": None}).json()["retention"] == {"ticketDays": None, "donorDays": None}
    assert workspace not in stored.ticket_periods()


def test_a_period_that_an_earlier_version_stored_without_an_event_holds_until_it_is_changed(
    live: LiveService, owner: Client, workspace: str, path: str
):
    live.service.database.execute("INSERT INTO workspace_retention (workspace, days) VALUES (%s, 90)", (workspace,))
    assert owner.get(path).json()["retention"] == {"ticketDays": 90, "donorDays": None}
    changed = owner.patch(path, json={"retention": {"ticketDays": None}})
    assert changed.json()["retention"] == {"ticketDays": None, "donorDays": None}


# Intake, and closing.

OPENING = {"contactType": "EMAIL", "contactValue": "ada@example.com"}


def opened(caller: Client) -> int:
    return caller.post("/api/tickets/create", json=OPENING).status_code


def test_an_invited_intake_is_for_staff_and_programs_and_a_closed_one_for_nobody(
    live: LiveService, owner: Client, workspace: str, path: str
):
    with (
        joined_member(live, workspace, MemberRole.CASEWORKER) as caseworker,
        live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as program,
    ):
        for intake, status in (("open", 201), ("invited", 201), ("closed", 403), ("open", 201)):
            assert owner.patch(path, json={"intake": intake}).status_code == 200
            assert [opened(caller) for caller in (owner, caseworker, program)] == [status] * 3
        owner.patch(path, json={"intake": "closed"})
        assert (
            "no new tickets" in problem(program.post("/api/tickets/create", json=OPENING), 403, "forbidden")["detail"]
        )


def test_the_intake_of_the_built_in_workspace_is_that_of_visitors(live: LiveService, client: Client, admin: Client):
    ticket = client.open_ticket()
    try:
        for intake, visitor, key in (("invited", 401, 201), ("closed", 401, 403)):
            assert admin.patch("/api/workspaces/public", json={"intake": intake}).status_code == 200
            assert (opened(client), opened(admin)) == (visitor, key)
            assert ticket.http.post("/api/tickets/create", json=OPENING).status_code == 403
    finally:
        assert admin.patch("/api/workspaces/public", json={"intake": "open"}).status_code == 200
    assert opened(client) == 201


def test_an_owner_closes_the_workspace_and_what_exists_stays(
    live: LiveService, owner: Client, workspace: str, path: str
):
    ticket = owner.open_ticket()
    invited = owner.post(f"{path}/invitations", json={"email": "new@example.com", "role": "admin"})
    assert invited.status_code == 201
    with joined_member(live, workspace, MemberRole.ADMIN) as manager:
        problem(manager.post(f"{path}/close", json={}), 403, "forbidden")
        for _ in range(2):
            assert owner.post(f"{path}/close", json={}).json()["closed"] is True
        assert opened(owner) == opened(manager) == 403
        problem(owner.post(f"{path}/invitations", json={"email": "b@example.com", "role": "admin"}), 409, "conflict")
        assert owner.get(f"{path}/invitations").json()["invitations"] == []
        assert manager.get(ticket.path).status_code == 200
        assert owner.get(path).json()["closed"] is True


def test_the_built_in_workspace_is_not_closed(admin: Client):
    problem(admin.post("/api/workspaces/public/close", json={}), 409, "conflict")

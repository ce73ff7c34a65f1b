"""Owners and admins of a workspace manage the API keys of its programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import problem
from tests.members import joined_member


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


@pytest.fixture
def keys(workspace: str) -> str:
    return f"/api/workspaces/{workspace}/keys"


def created(client: Client, keys: str, *scopes: str, **fields: object) -> dict[str, Any]:
    answer = client.post(keys, json={"scopes": scopes or ("tickets:read", "tickets:write"), **fields})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def test_a_new_key_works_in_its_workspace_and_is_shown_once(live: LiveService, owner: Client, keys: str):
    me = owner.get("/api/me").json()["member"]["id"]
    expires_at = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    key = created(owner, keys, "tickets:read", "tickets:write", expiresAt=expires_at, rateLimits={"payment": "5/hour"})
    with live.client(key["key"]) as program:
        ticket = program.open_ticket()
        assert program.get(ticket.path).status_code == 200
        problem(program.get("/api/donations"), 403, "forbidden")
    assert owner.get(ticket.path).status_code == 200
    listed = owner.get(keys)
    assert key["key"] not in listed.text
    [view] = listed.json()["keys"]
    assert (view["id"], view["scopes"], view["rateLimits"]) == (key["id"], key["scopes"], {"payment": "5/hour"})
    assert view["createdBy"] == f"member:{me}"
    assert datetime.fromisoformat(view["expiresAt"]) == datetime.fromisoformat(expires_at)
    assert view["lastUsedAt"].endswith(":00:00Z")


def test_a_revoked_key_is_refused_from_the_next_request_on(live: LiveService, owner: Client, keys: str):
    key = created(owner, keys)
    with live.client(key["key"]) as program:
        ticket = program.open_ticket()
        assert owner.delete(f"{keys}/{key['id']}").status_code == 204
        problem(program.get(ticket.path), 401, "unauthenticated")
    assert owner.delete(f"{keys}/{key['id']}").status_code == 204
    assert owner.get(keys).json()["keys"][0]["revokedAt"]


def test_a_replaced_key_stays_valid_for_the_overlap(live: LiveService, owner: Client, keys: str):
    old = created(owner, keys)
    new = owner.post(f"{keys}/{old['id']}/replace", json={"overlapDays": 2}).json()
    assert new["scopes"] == old["scopes"]
    for key in (old, new):
        with live.client(key["key"]) as program:
            program.open_ticket()
    replaced, successor = owner.get(keys).json()["keys"]
    assert (replaced["replacedBy"], successor["id"]) == (new["id"], new["id"])
    ends_in = datetime.fromisoformat(replaced["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=1) < ends_in <= timedelta(days=2)
    problem(owner.post(f"{keys}/{old['id']}/replace", json={}), 409, "conflict")
    assert owner.post(f"{keys}/{new['id']}/replace", json={"overlapDays": 0}).status_code == 201
    with live.client(new["key"]) as program:
        problem(program.get("/api/tickets/search", params={"contact": "a@b.co"}), 401, "unauthenticated")


def test_a_repeated_request_creates_one_key_and_shows_it_again(owner: Client, keys: str):
    headers = {"Idempotency-Key": uuid7().hex}
    first, again = (owner.post(keys, json={"scopes": ["tickets:read"]}, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    headers = {"Idempotency-Key": uuid7().hex}
    place = f"{keys}/{first.json()['id']}/replace"
    first, again = (owner.post(place, json={}, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert len(owner.get(keys).json()["keys"]) == 2


def test_keys_are_listed_page_by_page(owner: Client, keys: str):
    ids = [created(owner, keys)["id"] for _ in range(3)]
    first = owner.get(keys, params={"limit": 2})
    rest = owner.get(keys, params={"limit": 2, "cursor": first.json()["nextCursor"]}).json()
    assert [key["id"] for page in (first.json(), rest) for key in page["keys"]] == ids
    assert rest["nextCursor"] is None
    assert 'rel="next"' in first.headers["link"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"scopes": ["tickets:read"], "expiresAt": "2020-01-01T00:00:00Z"}, "/expiresAt"),
        ({"scopes": ["tickets:read"], "expiresAt": "2040-01-01T00:00:00"}, "/expiresAt"),
        ({"scopes": ["tickets:read"], "rateLimits": {"payment": "often"}}, "/rateLimits"),
        ({"scopes": ["tickets:read"], "role": "admin"}, "/role"),
    ],
)  # fmt: skip
def test_a_member_makes_no_key_that_may_do_more_than_a_program_may(
    owner: Client, keys: str, body: dict[str, Any], pointer: str
):
    assert [error["pointer"] for error in problem(owner.post(keys, json=body), 422, "invalid")["errors"]] == [pointer]
    assert owner.get(keys).json()["keys"] == []


def test_only_the_installation_grants_rates_above_the_general_ones(live: LiveService, owner: Client, keys: str):
    amount, _, period = live.service.settings.rate_limit_payment.partition("/")
    higher = f"{int(amount) + 1}/{period}"
    refused = owner.post(keys, json={"scopes": ["tickets:read"], "rateLimits": {"create": "1/day", "payment": higher}})
    assert problem(refused, 422, "invalid")["errors"][0]["pointer"] == "/rateLimits/payment"
    with live.client_with_key(Role.ADMIN) as admin:
        key = created(admin, keys, rateLimits={"payment": higher})
        assert admin.get(keys).json()["keys"][0]["createdBy"].startswith("admin:")
    assert owner.get(keys).json()["keys"][0]["id"] == key["id"]


def test_keys_of_other_workspaces_and_of_the_installation_are_not_there(live: LiveService, owner: Client, keys: str):
    credentials = live.service.access.credentials
    foreign, _ = credentials.create(Role.CLIENT, "elsewhere", ["tickets:read"])
    operators = [credentials.create(role)[0] for role in (Role.ADMIN, Role.AUDITOR)]
    public_owner = joined_member(live, "public", MemberRole.OWNER)
    for asker, place in ((owner, keys), (public_owner, "/api/workspaces/public/keys")):
        for key in (foreign, *operators):
            problem(asker.delete(f"{place}/{key.id}"), 404, "not-found")
            problem(asker.post(f"{place}/{key.id}/replace", json={}), 404, "not-found")
            assert str(key.id) not in asker.get(place, params={"limit": 100}).text
    assert all(key.revoked_at is None for key in credentials.list() if key.id in (foreign.id, operators[0].id))

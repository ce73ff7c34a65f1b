"""While no follower runs, acknowledged writes stay visible and issued credentials stay valid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

import projections
from adapters.identity.credentials import ticket_token
from adapters.identity.tokens import digest
from adapters.ids import uuid7
from adapters.read_models.follower import Follower
from domain.errors import UnavailableError
from domain.values import Actor, Contact, ContactType, Role
from entrypoints.composition.service import Parts, Service
from tests.client import LiveService, eventually
from tests.entrypoints.http.contract import Contract, problem
from tests.fakes.databases import recorded_statements


@pytest.fixture
def lagging(migrated_url: str, tmp_path: Path) -> Iterator[LiveService]:
    """Run a web process without followers. Writes wait for them in vain, but shorter than usual."""
    with LiveService(migrated_url, tmp_path / "var", frozenset({Parts.WEB})) as running:
        running.service.history.barrier.max_wait_seconds = 0.02
        running.watchers.append(Contract(running.openapi).check)
        yield running


def test_a_new_ticket_is_readable_by_its_holder_at_once(lagging: LiveService):
    ticket = lagging.client().open_ticket()
    for subpath in ("", "/status", "/donations", "/donations/total", "/history", "?include=draft,documents,support"):
        assert ticket.get(subpath).status_code == 200, subpath
    assert ticket.get().json()["displayName"] == "Ada Lovelace"


def test_the_answer_of_a_write_shows_the_change(lagging: LiveService):
    ticket = lagging.client().open_ticket()
    for number in range(2, 5):
        answer = ticket.patch("", {"displayName": f"Ada {number}"})
        assert (answer.status_code, answer.json()["displayName"]) == (200, f"Ada {number}")
        assert answer.headers["etag"] == f'"{number}"'
        assert ticket.get().json()["displayName"] == f"Ada {number}"
        assert ticket.patch("/draft", {"title": "x"}, headers={"If-Match": f'"{number - 1}"'}).status_code == 412
    assert ticket.publish()
    assert ticket.get("/status").json()["contentStatus"] == "PUBLISHED"
    assert ticket.pay()["checkoutUrl"]


def test_a_write_stays_visible_if_the_database_is_lost_while_it_waits_for_the_read_models(
    lagging: LiveService, monkeypatch: pytest.MonkeyPatch
):
    def fail(_: int) -> bool:
        raise UnavailableError("The database is not available.")

    monkeypatch.setattr(lagging.service.history.barrier, "wait_for", fail)
    assert lagging.client().open_ticket().get().json()["displayName"] == "Ada Lovelace"


def test_a_ticket_of_a_client_is_found_only_by_clients_of_its_workspace(lagging: LiveService):
    with (
        lagging.client_with_key(Role.CLIENT, "tickets:write", "tickets:read", workspace="ours") as own_client,
        lagging.client_with_key(Role.CLIENT, "tickets:read", workspace="theirs") as foreign_client,
    ):
        ticket = own_client.open_ticket()
        assert own_client.get(ticket.path).status_code == 200
        problem(foreign_client.get(ticket.path), 404, "not-found")
        problem(own_client.get(f"/api/tickets/{uuid7()}"), 404, "not-found")


def test_a_new_token_opens_the_ticket_at_every_process_and_the_old_one_no_longer_does(
    lagging: LiveService, migrated_url: str, tmp_path: Path
):
    service: Service = lagging.service
    ticket = lagging.client().open_ticket()
    new = ticket_token(UUID(ticket.id), b"n" * 32)
    contact = Contact(ContactType.EMAIL, "new@example.com")
    admin = Actor(Role.ADMIN)
    service.aggregates.tickets.change(UUID(ticket.id), lambda t: t.change_contact(admin, contact, "index", digest(new)))
    assert lagging.client(new).get(ticket.path).status_code == 200
    problem(ticket.get(), 401, "unauthenticated")
    with LiveService(migrated_url, tmp_path / "var", frozenset({Parts.WEB})) as other:
        assert other.client(new).get(ticket.path).status_code == 200


def test_the_token_of_an_erased_ticket_is_invalid_at_once(lagging: LiveService):
    ticket = lagging.client().open_ticket()
    assert ticket.http.delete(ticket.path).status_code == 202
    problem(ticket.get(), 401, "unauthenticated")
    with lagging.client_with_key(Role.ADMIN) as admin:
        assert "Ada" not in admin.get(ticket.path).text


def test_a_token_that_was_never_issued_stays_invalid_while_read_models_lag(lagging: LiveService):
    ticket = lagging.client().open_ticket()
    for token in (ticket_token(UUID(ticket.id), b"x" * 32), ticket_token(uuid7(), b"x" * 32)):
        problem(lagging.client(token).get(ticket.path), 401, "unauthenticated")


def test_the_history_is_not_queried_once_the_read_models_have_the_ticket(lagging: LiveService, migrated_url: str):
    ticket = lagging.client().open_ticket()

    def count_statements() -> int:
        with recorded_statements(lagging.service.database) as statements:
            assert ticket.get().status_code == 200
        return len(statements)

    assert count_statements() > 1
    follower = Follower(migrated_url, projections.ALL)
    follower.start()
    try:
        eventually(lambda: count_statements() == 1)
    finally:
        follower.stop()

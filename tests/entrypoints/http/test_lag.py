"""While nobody follows the history: what was answered stays true, and no credential that was given out is worthless."""

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
from domain.values import Actor, Contact, ContactType, Role
from entrypoints.composition.service import Parts, Service
from tests.client import LiveService, eventually
from tests.entrypoints.http.contract import Contract, problem
from tests.fakes.databases import recorded_statements


@pytest.fixture
def lagging(migrated_url: str, tmp_path: Path) -> Iterator[LiveService]:
    """A web process whose followers are all gone; writes wait for them in vain, but not as long as they would."""
    with LiveService(migrated_url, tmp_path / "var", frozenset({Parts.WEB})) as running:
        running.service.history.barrier.max_wait_seconds = 0.02
        running.watchers.append(Contract(running.openapi).check)
        yield running


def test_a_ticket_that_was_just_opened_is_its_holders(lagging: LiveService):
    ticket = lagging.client().open_ticket()
    for rest in ("", "/status", "/donations", "/donations/total", "/history", "?include=draft,documents,support"):
        assert ticket.get(rest).status_code == 200, rest
    assert ticket.get().json()["displayName"] == "Ada Lovelace"


def test_a_write_is_answered_with_what_it_changed(lagging: LiveService):
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


def test_a_ticket_of_a_client_is_found_only_by_clients_of_its_workspace(lagging: LiveService):
    with (
        lagging.client_with_key(Role.CLIENT, "tickets:write", "tickets:read", workspace="ours") as ours,
        lagging.client_with_key(Role.CLIENT, "tickets:read", workspace="theirs") as theirs,
    ):
        ticket = ours.open_ticket()
        assert ours.get(ticket.path).status_code == 200
        problem(theirs.get(ticket.path), 404, "not-found")
        problem(ours.get(f"/api/tickets/{uuid7()}"), 404, "not-found")


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


def test_an_erased_persons_token_is_worthless_at_once(lagging: LiveService):
    ticket = lagging.client().open_ticket()
    assert ticket.http.delete(ticket.path).status_code == 202
    problem(ticket.get(), 401, "unauthenticated")
    with lagging.client_with_key(Role.ADMIN) as admin:
        assert "Ada" not in admin.get(ticket.path).text


def test_a_token_that_was_never_issued_stays_invalid_while_read_models_lag(lagging: LiveService):
    ticket = lagging.client().open_ticket()
    for token in (ticket_token(UUID(ticket.id), b"x" * 32), ticket_token(uuid7(), b"x" * 32)):
        problem(lagging.client(token).get(ticket.path), 401, "unauthenticated")


def test_once_the_read_models_have_seen_it_the_history_is_not_asked_any_more(lagging: LiveService, migrated_url: str):
    ticket = lagging.client().open_ticket()

    def asked() -> int:
        with recorded_statements(lagging.service.database) as said:
            assert ticket.get().status_code == 200
        return len(said)

    assert asked() > 1
    follower = Follower(migrated_url, projections.ALL)
    follower.start()
    try:
        eventually(lambda: asked() == 1)
    finally:
        follower.stop()

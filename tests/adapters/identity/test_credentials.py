"""Every credential gives its own rights until it is revoked, and nothing else gives any."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import projections
from adapters.event_store.log import EventLog
from adapters.identity.credentials import (
    API_KEY,
    SCOPES,
    SECRET_BYTES,
    TICKET_TOKEN,
    Credentials,
    Principal,
    ticket_holder,
    ticket_token,
)
from adapters.identity.tokens import digest
from adapters.postgres.database import Database, connect
from adapters.read_models.follower import Follower
from adapters.read_models.projection_barrier import ProjectionBarrier
from adapters.read_models.read_your_writes import ReadYourWrites, TicketRows
from domain.errors import InvalidError, NotFoundError
from domain.values import Role
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.worlds import entry_of, opened

SECRET = bytes(range(32))


@pytest.fixture
def credentials(database: Database) -> Credentials:
    return Credentials(database)


@pytest.fixture
def tickets(database: Database) -> TicketRows:
    barrier = ProjectionBarrier(database, list(projections.BY_NAME), None)
    return TicketRows(ReadYourWrites(database, EventLog(database), barrier))


@pytest.fixture
def holder(database: Database) -> Callable[..., UUID]:
    """Return a function that opens a ticket whose token has a given secret, and applies requests to it."""

    def make(secret: bytes = SECRET, *requests: Callable[[Any], None]) -> UUID:
        ticket_id = uuid4()
        ticket = opened(ticket_id)
        ticket.change_contact(HOLDER, CONTACT, "index", digest(ticket_token(ticket_id, secret)))
        for request in requests:
            request(ticket)
        EventLog(database).append([entry_of(event) for event in ticket.collect_events()])  # type: ignore[arg-type]
        with connect(database.url) as connection:
            follower = Follower(database.url, projections.ALL)
            while follower.fold_next_batch(connection):
                pass
        return ticket_id

    return make


# Ticket tokens.


def test_a_ticket_token_opens_its_own_ticket(tickets: TicketRows, holder: Callable[..., UUID]):
    ticket = holder()
    assert ticket_holder(ticket_token(ticket, SECRET), tickets) == Principal(Role.HOLDER, ticket=ticket)


def test_another_secret_or_another_ticket_opens_nothing(tickets: TicketRows, holder: Callable[..., UUID]):
    ada, grace = holder(), holder(bytes(32))
    assert ticket_holder(ticket_token(ada, bytes(32)), tickets) is None
    assert ticket_holder(ticket_token(grace, SECRET), tickets) is None
    assert ticket_holder(ticket_token(uuid4(), SECRET), tickets) is None


def test_a_token_that_was_replaced_opens_nothing(tickets: TicketRows, holder: Callable[..., UUID]):
    def replace(ticket: Any) -> None:
        ticket.change_contact(HOLDER, CONTACT, "index", digest(ticket_token(ticket.id, b"n" * 32)))

    ticket = holder(SECRET, replace)
    assert ticket_holder(ticket_token(ticket, SECRET), tickets) is None
    assert ticket_holder(ticket_token(ticket, b"n" * 32), tickets) is not None


def test_the_token_of_an_erased_ticket_opens_nothing(tickets: TicketRows, holder: Callable[..., UUID]):
    ticket = holder(SECRET, lambda t: t.erase(HOLDER))
    assert ticket_holder(ticket_token(ticket, SECRET), tickets) is None


def test_a_token_changed_in_any_character_opens_nothing(tickets: TicketRows, holder: Callable[..., UUID]):
    token = ticket_token(holder(), SECRET)
    for at in range(len(token)):
        for changed in (token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :], token[:at]):
            assert ticket_holder(changed, tickets) is None
    for more in ("=", " ", "A", "\n"):
        assert ticket_holder(token + more, tickets) is None


# API keys.


def test_a_key_opens_its_workspace_with_its_scopes(credentials: Credentials):
    key, secret = credentials.create(Role.CLIENT, "ngo", ["tickets:read", "exports:read"])
    principal = credentials.principal(secret)
    assert principal == Principal(Role.CLIENT, key.id, "ngo", frozenset({"tickets:read", "exports:read"}))
    assert str(principal.actor) == f"client:{key.id}"
    assert secret.startswith(API_KEY)
    assert len(base64.urlsafe_b64decode(secret.removeprefix(API_KEY) + "=")) == SECRET_BYTES


def test_only_the_digest_of_a_key_is_stored(database: Database, credentials: Credentials):
    _, secret = credentials.create(Role.ADMIN)
    with database.connection() as connection:
        [(row,)] = connection.execute("SELECT api_keys::text FROM api_keys").fetchall()
    assert secret.removeprefix(API_KEY) not in row
    assert digest(secret) in row


def test_a_revoked_key_opens_nothing_and_revoking_it_again_is_no_error(credentials: Credentials):
    key, secret = credentials.create(Role.AUDITOR)
    credentials.revoke(key.id)
    first = credentials.list()[0].revoked_at
    credentials.revoke(key.id)
    assert credentials.principal(secret) is None
    assert credentials.list()[0].revoked_at == first is not None


def test_an_unknown_key_cannot_be_revoked(credentials: Credentials):
    with pytest.raises(NotFoundError):
        credentials.revoke(uuid4())


def test_an_expired_key_opens_nothing(credentials: Credentials):
    now = datetime.now(UTC)
    _, past = credentials.create(Role.CLIENT, expires_at=now - timedelta(seconds=1))
    _, future = credentials.create(Role.CLIENT, expires_at=now + timedelta(hours=1))
    assert credentials.principal(past) is None
    assert credentials.principal(future) is not None


def test_the_last_use_of_a_key_is_stored_to_the_minute(database: Database, credentials: Credentials):
    _, secret = credentials.create(Role.ADMIN)
    assert credentials.list()[0].last_used_at is None
    credentials.principal(secret)
    used = credentials.list()[0].last_used_at
    credentials.principal(secret)
    assert credentials.list()[0].last_used_at == used is not None
    with database.connection() as connection:
        connection.execute("UPDATE api_keys SET last_used_at = last_used_at - interval '2 minutes'")
    assert credentials.principal(secret) is not None
    assert credentials.list()[0].last_used_at > used  # type: ignore[operator]


def test_keys_are_listed_oldest_first_without_their_secrets(credentials: Credentials):
    created = [credentials.create(Role.CLIENT, "ngo")[0], credentials.create(Role.ADMIN)[0]]
    assert credentials.list() == created


def test_a_given_key_is_registered_once(credentials: Credentials):
    first, _ = credentials.create(Role.ADMIN, key="slk_given")
    registered_again, _ = credentials.create(Role.ADMIN, key="slk_given")
    assert first.id == registered_again.id
    assert len(credentials.list()) == 1


@pytest.mark.parametrize("role", [Role.VISITOR, Role.HOLDER, Role.STRIPE, Role.SYSTEM])
def test_only_clients_admins_and_auditors_have_keys(credentials: Credentials, role: Role):
    with pytest.raises(InvalidError):
        credentials.create(role)


def test_an_unknown_scope_is_refused(credentials: Credentials):
    with pytest.raises(InvalidError, match="tickets:burn"):
        credentials.create(Role.CLIENT, scopes=["tickets:burn"])
    assert credentials.create(Role.CLIENT, scopes=SCOPES)[0].scopes == SCOPES


# Invalid credentials.


@given(st.one_of(st.text(max_size=230), st.text(max_size=60).map(lambda t: TICKET_TOKEN + t)))
@settings(max_examples=60)
def test_a_text_that_is_not_a_credential_opens_nothing(credentials: Credentials, tickets: TicketRows, credential: str):
    assert credentials.principal(credential) is None
    assert ticket_holder(credential, tickets) is None


def test_a_principals_name_holds_no_secret(credentials: Credentials, holder: Callable[..., UUID]):
    key, secret = credentials.create(Role.CLIENT)
    principal = credentials.principal(secret)
    assert principal is not None
    assert principal.name == f"client:{key.id}"
    ticket = holder()
    assert Principal(Role.HOLDER, ticket=ticket).name == f"holder:{ticket}"

"""An API key is replaced without an interruption for its client, and revoked at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.identity.credentials import Credentials
from adapters.postgres.database import Database
from domain.errors import NotFoundError, RefusedError
from domain.values import Role

WEEK = timedelta(days=7)


@pytest.fixture
def credentials(database: Database) -> Credentials:
    return Credentials(database)


def elapse(database: Database, by: timedelta) -> None:
    with database.connection() as connection:
        connection.execute("UPDATE api_keys SET created_at = created_at - %s, expires_at = expires_at - %s", (by, by))


def test_a_replacing_key_has_the_same_rights_and_both_work_for_the_overlap(
    database: Database, credentials: Credentials
):
    old, old_secret = credentials.create(Role.CLIENT, "ngo", ["tickets:read", "exports:read"])
    new, new_secret = credentials.replace(old.id, WEEK)
    assert (new.role, new.workspace, new.scopes) == (old.role, old.workspace, old.scopes)
    assert new_secret != old_secret
    old_principal, new_principal = credentials.principal(old_secret), credentials.principal(new_secret)
    assert old_principal is not None
    assert new_principal is not None
    assert (old_principal.workspace, old_principal.scopes) == (new_principal.workspace, new_principal.scopes)
    assert [key.replaced_by for key in credentials.list()] == [new.id, None]
    elapse(database, WEEK)
    assert credentials.principal(old_secret) is None
    assert credentials.principal(new_secret) is not None


def test_without_an_overlap_the_key_ends_at_once(credentials: Credentials):
    old, old_secret = credentials.create(Role.ADMIN)
    _, new_secret = credentials.replace(old.id, timedelta(0))
    assert credentials.principal(old_secret) is None
    assert credentials.principal(new_secret) is not None


def test_a_key_that_ends_sooner_than_the_overlap_is_not_given_longer(credentials: Credentials):
    soon = datetime.now(UTC) + timedelta(hours=1)
    old, _ = credentials.create(Role.CLIENT, expires_at=soon)
    credentials.replace(old.id, WEEK)
    assert credentials.list()[0].expires_at == soon


def test_a_successor_lives_as_long_as_the_key_did_or_until_a_given_time(database: Database, credentials: Credentials):
    old, _ = credentials.create(Role.CLIENT, expires_at=datetime.now(UTC) + timedelta(days=90))
    elapse(database, timedelta(days=80))
    new, _ = credentials.replace(old.id, WEEK)
    assert new.expires_at is not None
    assert abs(new.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    expires_at = datetime(2040, 1, 1, tzinfo=UTC)
    assert credentials.replace(new.id, WEEK, expires_at)[0].expires_at == expires_at
    endless, _ = credentials.create(Role.CLIENT)
    assert credentials.replace(endless.id, WEEK)[0].expires_at is None


def test_a_key_has_one_successor_and_only_while_it_works(credentials: Credentials):
    old, _ = credentials.create(Role.CLIENT)
    revoked, _ = credentials.create(Role.CLIENT)
    expired, _ = credentials.create(Role.CLIENT, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    credentials.revoke(revoked.id)
    credentials.replace(old.id, WEEK)
    before = len(credentials.list())
    for id in (old.id, revoked.id, expired.id):
        with pytest.raises(RefusedError):
            credentials.replace(id, WEEK)
    with pytest.raises(NotFoundError):
        credentials.replace(uuid4(), WEEK)
    assert len(credentials.list()) == before


def test_only_one_of_several_concurrent_replacements_of_a_key_succeeds(credentials: Credentials):
    old, _ = credentials.create(Role.CLIENT)

    def replace(_: int) -> str:
        try:
            return str(credentials.replace(old.id, WEEK)[0].id)
        except RefusedError:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(replace, range(4)))
    assert results.count("refused") == 3
    assert str(credentials.list()[0].replaced_by) in results


def test_a_revoked_or_replaced_key_opens_nothing_in_any_process_at_once(database: Database, migrated_url: str):
    credentials = Credentials(database)
    with Database(migrated_url, size=2) as other_database:
        other_credentials = Credentials(other_database)
        keys = [credentials.create(Role.CLIENT) for _ in range(2)]
        assert all(other_credentials.principal(secret) for _, secret in keys)
        credentials.revoke(keys[0][0].id)
        credentials.replace(keys[1][0].id, timedelta(0))
        assert not any(other_credentials.principal(secret) for _, secret in keys)


def test_only_the_digest_of_a_successor_is_stored(database: Database, credentials: Credentials):
    old, _ = credentials.create(Role.ADMIN)
    _, secret = credentials.replace(old.id, WEEK)
    with database.connection() as connection:
        rows = str(connection.execute("SELECT api_keys::text FROM api_keys").fetchall())
    assert secret.removeprefix("slk_") not in rows

"""A database is used again only with its template's content, and for a test it cannot be told from a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from tests import database_reset
from tests.client import eventually
from tests.database_reset import FEW_CHANGES, Content, read_content, reset
from tests.postgres import at, fresh_database, template_database

CONTENT = """
CREATE TABLE campaigns (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text UNIQUE);
CREATE TABLE donations (campaign bigint REFERENCES campaigns, note text DEFAULT repeat('x', 10000));
CREATE TABLE steps (name text);
CREATE SEQUENCE numbers;
CREATE SCHEMA "read models";
CREATE TABLE "read models"."the totals" (minor bigint);
INSERT INTO steps VALUES (E'with\\ttab'), (NULL);
SELECT nextval('numbers');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'donations are final'; END $$;
CREATE TRIGGER final BEFORE DELETE OR TRUNCATE ON donations FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"""


def execute(url: str, statements: str) -> None:
    """Execute statements in a session, and wait for its end."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.encode())
        pid = connection.info.backend_pid
    with psycopg.connect(at(url, "postgres"), autocommit=True) as observer:
        eventually(lambda: not observer.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall())


@pytest.fixture(scope="module")
def template(server_url: str) -> str:
    return template_database(server_url, f"resets_{os.getpid()}", lambda url: execute(url, CONTENT))


@pytest.fixture
def url(server_url: str, template: str) -> Iterator[str]:
    """Return the URL of a database that was not used before."""
    name = f"{template}_copy"
    execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    yield at(server_url, name)
    execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def content(url: str) -> Content:
    return read_content(url)


@pytest.mark.parametrize("few", [FEW_CHANGES, 0], ids=["few changes", "many changes"])
def test_changed_rows_and_sequences_are_reset(
    url: str, content: Content, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_reset, "FEW_CHANGES", few)
    execute(url, "INSERT INTO campaigns (title) VALUES ('Roof'), ('Well')")
    execute(url, "INSERT INTO donations VALUES (1), (2)")
    execute(url, "UPDATE steps SET name = 'changed'; DELETE FROM campaigns WHERE false")
    execute(url, 'INSERT INTO "read models"."the totals" VALUES (5)')
    execute(url, "SELECT nextval('numbers'), nextval('numbers')")
    assert reset(url, content)
    assert read_content(url) == content
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT * FROM steps").fetchall() == [("with\ttab",), (None,)]
        assert connection.execute("SELECT nextval('numbers')").fetchone() == (2,)
        assert connection.execute("INSERT INTO campaigns (title) VALUES ('Roof') RETURNING id").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM donations").fetchone() == (0,)


def test_deleted_rows_come_back(url: str, content: Content) -> None:
    execute(url, "DELETE FROM steps")
    assert reset(url, content)
    assert read_content(url) == content


def test_a_reset_leaves_no_statistics(url: str, content: Content) -> None:
    execute(url, "INSERT INTO campaigns (title) VALUES ('Roof')")
    assert reset(url, content)
    with psycopg.connect(url) as connection:
        counts = connection.execute("SELECT sum(n_tup_ins + n_live_tup + n_dead_tup) FROM pg_stat_user_tables")
        assert counts.fetchone() == (0,)


def test_a_database_can_be_reset_repeatedly(url: str, content: Content) -> None:
    for _ in range(3):
        execute(url, "INSERT INTO campaigns (title) VALUES ('Roof'); DELETE FROM steps")
        assert reset(url, content)
        assert read_content(url) == content


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE another (id int)",
        "DROP TABLE donations",
        "ALTER TABLE steps ALTER name SET DEFAULT 'none'",
        "ALTER TABLE donations DISABLE TRIGGER final",
        "TRUNCATE steps",
        "CREATE SCHEMA another",
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "ALTER SEQUENCE numbers INCREMENT 2",
        "GRANT SELECT ON steps TO PUBLIC",
        "COMMENT ON TABLE steps IS 'done'",
        "SELECT lo_create(0)",
        "ANALYZE steps",
        "BEGIN; CREATE TABLE another (id int); ROLLBACK",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 1024', current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 50', current_database()); END $$",
    ],
)
def test_a_database_with_changed_definitions_or_settings_is_not_used_again(
    url: str, content: Content, change: str
) -> None:
    execute(url, change)
    assert not reset(url, content)


def test_a_database_that_was_used_again_has_a_new_name(server_url: str, template: str) -> None:
    names = set()
    for _ in range(5):
        with fresh_database(server_url, template) as url, psycopg.connect(url) as connection:
            connection.execute("INSERT INTO campaigns (title) VALUES ('Roof')")
            names.add(url)
    assert len(names) == 5


def test_a_database_is_not_used_again_while_somebody_is_connected(server_url: str, template: str) -> None:
    with fresh_database(server_url, template) as url:
        earlier = psycopg.connect(url, autocommit=True)
    with earlier, fresh_database(server_url, template) as url, psycopg.connect(url) as connection:
        earlier.execute("INSERT INTO campaigns (title) VALUES ('Roof')")
        assert connection.execute("SELECT count(*) FROM campaigns").fetchone() == (0,)
        assert connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone() != (
            earlier.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        )

"""The schema's migrations are applied once each, in order, all or none, by any number of processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from adapters.postgres import migrations
from adapters.postgres.database import connect
from entrypoints.composition.startup_checks import NotReadyError, reach
from tests.client import WAIT_SECONDS, eventually

NAMES = [name for name, _ in migrations.steps()]


def migrated(url: str) -> list[str]:
    with connect(url) as connection:
        return migrations.migrate(connection)


def applied(url: str) -> list[str]:
    with connect(url) as connection:
        return migrations.applied(connection)


def test_every_step_is_applied_to_an_empty_database_in_order(database_url: str):
    assert applied(database_url) == []
    assert migrated(database_url) == NAMES
    assert sorted(applied(database_url)) == sorted(NAMES)
    reach(database_url)


def test_migrating_again_applies_no_step(database_url: str):
    migrated(database_url)
    assert migrated(database_url) == []


def test_migrating_from_several_processes_at_once_applies_each_step_once(database_url: str):
    with ThreadPoolExecutor(4) as pool:
        applied_steps = list(pool.map(migrated, [database_url] * 4))
    assert sorted(applied_steps, key=len) == [[], [], [], NAMES]


def test_a_second_migration_waits_however_long_the_first_one_takes(database_url: str):
    with (
        connect(database_url) as first,
        connect(database_url) as second,
        connect(database_url) as third,
        ThreadPoolExecutor(1) as pool,
    ):
        second.execute("SET lock_timeout = '50ms'")
        second.execute("SET statement_timeout = '50ms'")
        with first.transaction():
            migrations.migrate(first)
            waiting = pool.submit(migrations.migrate, second)
            # Longer than the connection's own timeouts.
            waited = (
                "SELECT now() - query_start > '200ms' FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            )
            pid = second.info.backend_pid
            eventually(lambda: third.execute(waited, (pid,)).fetchone() == (True,))
        assert waiting.result(WAIT_SECONDS) == []


def test_a_step_that_fails_leaves_the_database_as_it_was(database_url: str, monkeypatch: pytest.MonkeyPatch):
    steps: list[Any] = [*migrations.steps(), ("9999_broken", "CREATE TABLE half (); SELECT 1/0")]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "steps", lambda: steps)
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrated(database_url)
    assert applied(database_url) == []
    with connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('half'), to_regclass('events')").fetchone() == (None, None)


def test_the_error_of_a_schema_that_is_behind_says_what_to_run(database_url: str):
    with pytest.raises(NotReadyError, match="storyledger migrate"):
        reach(database_url)
    migrated(database_url)
    with connect(database_url) as connection:
        connection.execute("DELETE FROM schema_steps WHERE name = %s", (NAMES[-1],))
    with pytest.raises(NotReadyError, match=f"behind.*{NAMES[-1]}.*storyledger migrate"):
        reach(database_url)


def test_a_schema_of_a_later_version_is_refused(database_url: str):
    migrated(database_url)
    with connect(database_url) as connection:
        connection.execute("INSERT INTO schema_steps (name) VALUES ('9999_later')")
    with pytest.raises(NotReadyError, match=r"ahead.*9999_later"):
        reach(database_url)


def test_the_steps_are_numbered_without_a_gap():
    own = [name for name in NAMES if name[:4].isdigit()]
    assert [int(name[:4]) for name in own] == list(range(1, len(own) + 1))


def test_the_queues_tables_are_those_of_the_installed_library():
    """After an upgrade of procrastinate that changes its schema, add the library's migrations as a numbered step."""
    assert dict(migrations.steps())["procrastinate_3_10"] == (files("procrastinate") / "sql" / "schema.sql").read_text()

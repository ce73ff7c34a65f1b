"""The line to PostgreSQL tells what PostgreSQL did: each commit once, and before its client hears of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from adapters.postgres.database import ConnectionRegistry
from tests.fakes.line import Commit, Line


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    with Line(database_url) as made:
        with psycopg.connect(made.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE told (n int)")
        yield made


@pytest.fixture
def heard(line: Line) -> list[Commit]:
    found: list[Commit] = []
    line.before = found.append
    return found


def test_each_commit_is_reported_once_with_its_writer_and_its_tables(line: Line, heard: list[Commit]):
    with psycopg.connect(line.url, autocommit=True, application_name="somebody") as connection:
        for number in range(8):  # the later ones as a prepared statement
            connection.execute("INSERT INTO told VALUES (%s)", [number])
        with connection.transaction():
            connection.execute("UPDATE told SET n = n + 1 WHERE n < 3")
            connection.execute("DELETE FROM told WHERE n = 0")
            assert len(heard) == 8
        with connection.cursor() as cursor, cursor.copy("COPY told FROM STDIN") as copying:
            copying.write_row([1])
    assert heard == [Commit("somebody", frozenset({"told"}))] * 10


def test_a_transaction_that_changed_nothing_is_not_reported(line: Line, heard: list[Commit]):
    with psycopg.connect(line.url, autocommit=True) as connection:
        connection.execute("SELECT * FROM told FOR UPDATE SKIP LOCKED")
        connection.execute("UPDATE told SET n = 1 WHERE n = 2")
        connection.execute("WITH gone AS (DELETE FROM told RETURNING n) SELECT n FROM gone")
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO told VALUES (1)")
        with suppress(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute("INSERT INTO told VALUES (1)")
            connection.execute("SELECT 1 / 0")
        assert connection.execute("SELECT count(*) FROM told").fetchone() == (0,)
    assert heard == []


def test_a_commit_is_durable_and_its_client_has_not_heard_while_it_is_told(line: Line, database_url: str):
    answered = threading.Event()
    seen: list[tuple[int, bool]] = []

    def look(_: Commit) -> None:
        with psycopg.connect(database_url) as other:
            row = other.execute("SELECT count(*) FROM told").fetchone()
        assert row is not None
        seen.append((row[0], answered.wait(0.1)))

    line.before = look
    with psycopg.connect(line.url, autocommit=True) as connection:
        connection.execute("INSERT INTO told VALUES (1)")
        answered.set()
    assert seen == [(1, False)]


def test_a_line_that_is_dead_says_nothing_and_new_ones_are_fine(line: Line):
    old = psycopg.connect(line.url, autocommit=True)
    line.go_dead()
    ended = threading.Event()

    def ask() -> None:
        with suppress(psycopg.OperationalError):
            old.execute("SELECT 1")
        ended.set()

    threading.Thread(target=ask, daemon=True).start()
    assert not ended.wait(0.3)
    with psycopg.connect(line.url) as new:
        assert new.execute("SELECT 1").fetchone() == (1,)
    registry = ConnectionRegistry()
    registry.add(old)
    registry.disconnect_all()
    assert ended.wait(60)

"""The proxy for PostgreSQL reports each commit once, before the client gets the answer."""

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
    with Line(database_url) as line_to_database:
        with psycopg.connect(line_to_database.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE numbers (n int)")
        yield line_to_database


@pytest.fixture
def commits(line: Line) -> list[Commit]:
    commits: list[Commit] = []
    line.before = commits.append
    return commits


def test_each_commit_is_reported_once_with_its_writer_and_its_tables(line: Line, commits: list[Commit]):
    with psycopg.connect(line.url, autocommit=True, application_name="writer") as connection:
        for number in range(8):  # psycopg prepares the statement after five executions
            connection.execute("INSERT INTO numbers VALUES (%s)", [number])
        with connection.transaction():
            connection.execute("UPDATE numbers SET n = n + 1 WHERE n < 3")
            connection.execute("DELETE FROM numbers WHERE n = 0")
            assert len(commits) == 8
        with connection.cursor() as cursor, cursor.copy("COPY numbers FROM STDIN") as copying:
            copying.write_row([1])
    assert commits == [Commit("writer", frozenset({"numbers"}))] * 10


def test_a_transaction_that_changed_nothing_is_not_reported(line: Line, commits: list[Commit]):
    with psycopg.connect(line.url, autocommit=True) as connection:
        connection.execute("SELECT * FROM numbers FOR UPDATE SKIP LOCKED")
        connection.execute("UPDATE numbers SET n = 1 WHERE n = 2")
        connection.execute("WITH gone AS (DELETE FROM numbers RETURNING n) SELECT n FROM gone")
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO numbers VALUES (1)")
        with suppress(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute("INSERT INTO numbers VALUES (1)")
            connection.execute("SELECT 1 / 0")
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
    assert commits == []


def test_a_commit_is_durable_and_unanswered_while_it_is_reported(line: Line, database_url: str):
    is_answered = threading.Event()
    observed: list[tuple[int, bool]] = []

    def observe(_: Commit) -> None:
        with psycopg.connect(database_url) as other:
            row = other.execute("SELECT count(*) FROM numbers").fetchone()
        assert row is not None
        observed.append((row[0], is_answered.wait(0.1)))

    line.before = observe
    with psycopg.connect(line.url, autocommit=True) as connection:
        connection.execute("INSERT INTO numbers VALUES (1)")
        is_answered.set()
    assert observed == [(1, False)]


def test_a_dead_connection_gets_no_answers_and_new_connections_work(line: Line):
    old = psycopg.connect(line.url, autocommit=True)
    line.go_dead()
    ended = threading.Event()

    def run_query() -> None:
        with suppress(psycopg.OperationalError):
            old.execute("SELECT 1")
        ended.set()

    threading.Thread(target=run_query, daemon=True).start()
    assert not ended.wait(0.3)
    with psycopg.connect(line.url) as new:
        assert new.execute("SELECT 1").fetchone() == (1,)
    registry = ConnectionRegistry()
    registry.add(old)
    registry.disconnect_all()
    assert ended.wait(60)

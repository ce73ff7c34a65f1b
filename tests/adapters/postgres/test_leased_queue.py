"""The leased queue: one process at a time works on a row, and a failed row is tried again until its last attempt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.postgres.database import Database
from adapters.postgres.leased_queue import LeasedQueue

CREATE = """
CREATE TABLE work (
    id text PRIMARY KEY, content text NOT NULL, state text NOT NULL DEFAULT 'waiting', attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(), error text
)
"""
LOCKED = LeasedQueue("work", "id", "id, content", max_attempts=3, first_pause_seconds=10, longest_pause_seconds=15)
LEASED = LeasedQueue("work", "id", "id, content", lease_seconds=60)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.open()
    with database.connection() as connection:
        connection.execute(CREATE)
        connection.execute("INSERT INTO work (id, content) SELECT n, 'c' || n FROM generate_series(1, 3) AS n")
    yield database
    database.close()


def rows(database: Database, columns: str) -> list[tuple[object, ...]]:
    with database.connection() as connection:
        return connection.execute(f"SELECT {columns} FROM work ORDER BY id".encode()).fetchall()


def test_a_claimed_row_is_locked_until_the_transaction_ends(database: Database):
    with database.transaction() as first, database.transaction() as second:
        assert LOCKED.claim(first, 2) == [("1", "c1", 1), ("2", "c2", 1)]
        assert LOCKED.claim(second, 2) == [("3", "c3", 1)]
    with database.transaction() as cursor:
        assert len(LOCKED.claim(cursor, 5)) == 3


def test_a_leased_row_stays_hidden_after_the_transaction_until_the_lease_ends(database: Database):
    for _ in range(3):
        with database.transaction() as cursor:
            assert len(LEASED.claim(cursor)) == 1
    with database.transaction() as cursor:
        assert LEASED.claim(cursor) == []
        cursor.execute("UPDATE work SET next_attempt_at = now() WHERE id = '2'")
        assert LEASED.claim(cursor) == [("2", "c2", 2)]


def test_one_row_can_be_claimed_by_its_key(database: Database):
    with database.transaction() as cursor:
        assert LOCKED.claim(cursor, 1, "2") == [("2", "c2", 1)]
        assert LOCKED.claim(cursor, 1, "unknown") == []


def test_a_done_row_gets_its_final_state_and_columns(database: Database):
    with database.connection() as connection:
        assert LOCKED.done(connection, "1", "finished", content="")
        assert not LOCKED.done(connection, "unknown", "finished")
        assert LOCKED.due(connection, 5) == [("2", 1), ("3", 1)]
    assert rows(database, "state, content")[0] == ("finished", "")


def test_a_failed_row_is_tried_again_after_growing_pauses_and_is_dead_after_the_last_attempt(database: Database):
    with database.connection() as connection:
        for attempt, pause in ((1, 10), (2, 15)):
            # In one transaction it is now the same time for both statements.
            with connection.transaction():
                assert not LOCKED.retry(connection, "1", attempt, "away")
                pause_of_row = connection.execute("SELECT next_attempt_at - now() FROM work WHERE id = '1'").fetchone()
            assert pause_of_row == (timedelta(seconds=pause),)
        assert LOCKED.retry(connection, "1", 3, "broken", content="")
        assert LOCKED.due(connection, 5) == [("2", 1), ("3", 1)]
    assert rows(database, "state, attempts, error, content")[0] == ("dead", 3, "broken", "")


def test_a_row_that_no_longer_waits_is_neither_retried_nor_given_up(database: Database):
    with database.connection() as connection:
        LOCKED.done(connection, "1", "finished")
        LOCKED.retry(connection, "1", 1, "late")
        LOCKED.bury(connection, "1", 3, "late")
    assert rows(database, "state, error")[0] == ("finished", None)

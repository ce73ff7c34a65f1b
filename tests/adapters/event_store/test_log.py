"""The events table is append-only and without gaps, and each append is atomic and takes one round trip."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from tests.client import WAIT_SECONDS, eventually
from tests.fakes.databases import LosingDatabase
from tests.fakes.entries import STATE, entries, entry

APPEND_LOCK = 7305808869229538


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def transactions(database: Database) -> int:
    """Return how many transactions wrote the events."""
    [(count,)] = rows(database, "SELECT count(DISTINCT xmin::text) FROM events")
    return int(count)


# Append-only.

REWRITES = [
    "UPDATE events SET topic = topic",
    "DELETE FROM events",
    "DELETE FROM events WHERE false",
    "TRUNCATE events",
]


@pytest.mark.parametrize("statement", REWRITES)
def test_history_cannot_be_rewritten(database: Database, log: EventLog, statement: str):
    log.append([entry()])
    with database.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
    assert log.head() == 1


@pytest.mark.parametrize("statement", REWRITES)
def test_not_even_the_tables_owner_rewrites_history(migrated_url: str, statement: str):
    with connect(migrated_url) as connection, connection.transaction(force_rollback=True):
        owner = f"owner_{os.getpid()}"
        connection.execute(f"CREATE ROLE {owner}".encode())
        connection.execute(f"ALTER TABLE events OWNER TO {owner}".encode())
        connection.execute(f"SET LOCAL ROLE {owner}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(statement.encode())


# Appending.


def test_positions_have_no_gaps(log: EventLog):
    assert log.append(entries(3)) == [1, 2, 3]
    assert log.append([entry()]) == [4]
    assert [stored.position for stored in log.batch(0, 10)] == [1, 2, 3, 4]


def test_a_version_that_is_taken_is_refused_and_leaves_no_gap(log: EventLog):
    stream = uuid4()
    log.append(entries(2, stream))
    assert log.append([entry(stream, 2, state=STATE + b" ")]) is None
    assert log.append([entry(stream, 3), entry(stream, 2, state=STATE + b" ")]) is None
    assert log.append([entry(stream, 3)]) == [3]


def test_a_group_is_recorded_all_or_none(log: EventLog):
    stream, other = uuid4(), uuid4()
    log.append([entry(stream, 1)])
    assert log.append([entry(other, 1), entry(stream, 1, state=STATE + b" "), entry(other, 2)]) is None
    assert log.stream(other) == []
    assert log.head() == 1


def test_two_events_of_one_group_cannot_have_the_same_version(log: EventLog):
    stream = uuid4()
    assert log.append([entry(stream, 1), entry(stream, 1)]) is None
    assert log.head() == 0


def test_an_event_that_was_recorded_already_gets_its_old_position(log: EventLog):
    group = entries(2)
    assert log.append(group) == log.append(group) == [1, 2]
    assert log.append([entry()]) == [3]


def test_a_group_of_which_only_a_part_was_recorded_is_a_conflict(log: EventLog):
    group = entries(2)
    log.append(group[:1])
    assert log.append(group) is None


def test_appending_nothing_records_nothing(log: EventLog):
    assert log.append([]) == []
    assert log.head() == 0


def test_many_writers_of_one_stream_get_each_version_once(log: EventLog):
    stream = uuid4()

    def write(name: int) -> int:
        won = 0
        for version in range(1, 21):
            won += log.append([entry(stream, version, state=STATE + b" " * name)]) is not None
        return won

    with ThreadPoolExecutor(6) as writers:
        won = sum(writers.map(write, range(6)))
    assert won == 20
    assert [stored.originator_version for stored in log.stream(stream)] == list(range(1, 21))
    assert [stored.position for stored in log.batch(0, 100)] == list(range(1, 21))


def appended_together(url: str, log: EventLog, groups: list[Any]) -> list[Any]:
    """Return the result or error of each group when all others came while the first one was committing."""
    outcomes: dict[int, Any] = {}
    waiting = log._group_commit._queue

    def append(number: int) -> None:
        try:
            outcomes[number] = log.append(groups[number])
        except Exception as error:
            outcomes[number] = error

    first, *other_threads = (threading.Thread(target=append, args=(number,)) for number in range(len(groups)))
    with connect(url) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))
        first.start()
        eventually(lambda: log._group_commit._has_leader and not waiting)
        for other in other_threads:
            other.start()
        eventually(lambda: len(waiting) == len(other_threads))
    for thread in (first, *other_threads):
        thread.join(WAIT_SECONDS)
    return [outcomes[number] for number in range(len(groups))]


def test_commands_that_wait_together_share_a_transaction(database: Database, log: EventLog):
    outcomes = appended_together(database.url, log, [[entry()] for _ in range(12)])
    assert sorted(position for [position] in outcomes) == list(range(1, 13))
    assert transactions(database) == 2


def test_a_refused_group_does_not_affect_the_others_in_its_transaction(database: Database, log: EventLog):
    stream = uuid4()
    log.append([entry(stream, 1)])
    unstorable: Any = [entry(state=None)]  # type: ignore[arg-type]
    groups = [[entry()], [entry()], [entry(stream, 1, state=STATE + b" ")], unstorable, entries(2)]
    first, good, conflicting, bad, longer = appended_together(database.url, log, groups)
    assert conflicting is None
    assert isinstance(bad, psycopg.errors.NotNullViolation)
    assert sorted([*first, *good, *longer]) == [2, 3, 4, 5]
    assert log.append([entry()]) == [6]


def test_an_append_is_one_round_trip(migrated_url: str, tmp_path: Path):
    trace = tmp_path / "trace"
    with Database(migrated_url, size=1) as database, trace.open("w") as file:
        log = EventLog(database)
        log.append([entry()])  # the statement is prepared once for each connection
        with database.connection() as connection:
            connection.pgconn.trace(file.fileno())
        log.append([entry()])
        log.append(entries(50))
        with database.connection() as connection:
            connection.pgconn.untrace()
    waits = re.findall(r"\tF\t\d+\t(Sync|Query|Flush)", trace.read_text())
    assert waits == ["Sync", "Sync"]


# With other rows in the same transaction.


def test_the_effects_of_an_event_are_in_its_transaction(database: Database, log: EventLog):
    def beside(cursor: Any) -> None:
        cursor.execute("CREATE TABLE beside ()")
        assert log.head() == 0  # another connection does not see the uncommitted event

    assert log.append([entry()], beside) == [1]
    assert rows(database, "SELECT to_regclass('beside') IS NOT NULL") == [(True,)]


def test_an_event_whose_effects_fail_is_not_recorded(log: EventLog):
    def fail(cursor: Any) -> None:
        cursor.execute("SELECT 1/0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        log.append([entry()], fail)
    assert log.append([entry()]) == [1]


def test_an_event_whose_version_exists_has_no_effects(log: EventLog):
    stream = uuid4()
    log.append([entry(stream)])
    calls: list[Any] = []
    assert log.append([entry(stream, state=STATE + b" ")], calls.append) is None
    assert calls == []


# When the connection is lost.


def test_a_connection_lost_just_after_the_commit_is_neither_a_conflict_nor_a_duplicate(migrated_url: str):
    with LosingDatabase(migrated_url) as database:
        log = EventLog(database)
        database.losses = 1
        assert log.append(entries(2)) == [1, 2]
        assert log.head() == 2


def test_an_append_succeeds_after_its_idle_connection_died(migrated_url: str):
    with Database(migrated_url, size=1) as database, connect(migrated_url) as other:
        log = EventLog(database)
        with database.connection() as connection:
            pid = connection.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
        assert log.append([entry()]) == [1]


# Recording times.


def test_recorded_at_never_goes_back_not_even_when_the_clock_does(database: Database, log: EventLog):
    log.append([entry()])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with database.connection() as connection:
        connection.execute(
            "INSERT INTO events SELECT 2, gen_random_uuid(), 1, topic, ticket, %s, state, hash FROM events", (tomorrow,)
        )
    log.append(entries(2))
    assert [stored.recorded_at >= tomorrow for stored in log.batch(0, 10)] == [False, True, True, True]
    assert log.position_at(tomorrow - timedelta(hours=1)) == 1
    assert log.position_at(tomorrow) == 4


def test_before_the_first_event_there_is_no_position(log: EventLog):
    log.append([entry()])
    assert log.position_at(datetime(2020, 1, 1, tzinfo=UTC)) == 0


# Reading.


@pytest.fixture
def two_tickets(log: EventLog) -> tuple[UUID, UUID]:
    """Return the events of two tickets, one after the other, each with a donation's stream."""
    ada, grace = uuid4(), uuid4()
    for version in (1, 2, 3):
        log.append([entry(ada, version), entry(grace, version)])
    log.append([entry(ticket=ada)])
    return ada, grace


def positions(entries: Any) -> list[int]:
    return [stored.position for stored in entries]


def test_a_stream_is_read_in_order_and_between_versions(log: EventLog, two_tickets: tuple[UUID, UUID]):
    ada, _ = two_tickets
    assert positions(log.stream(ada)) == [1, 3, 5]
    assert positions(log.stream(ada, after=1)) == [3, 5]
    assert positions(log.stream(ada, until=2)) == [1, 3]
    assert positions(log.stream(ada, until=0)) == []


def test_a_batch_has_the_events_between_two_positions(log: EventLog, two_tickets: tuple[UUID, UUID]):
    assert positions(log.batch(2, 3)) == [3, 4, 5]
    assert positions(log.batch(2, 100, 4)) == [3, 4]
    assert positions(log.batch(0, 100, 0)) == []
    assert positions(log.batch(7, 100)) == []


def test_a_tickets_history_is_complete_and_in_order(log: EventLog, two_tickets: tuple[UUID, UUID]):
    ada, grace = two_tickets
    assert positions(log.ticket_events(ada)) == [1, 3, 5, 7]
    assert positions(log.ticket_events(grace)) == [2, 4, 6]
    assert positions(log.ticket_events(ada, until=3)) == [1, 3]
    assert positions(log.ticket_events(ada, until=0)) == []
    assert positions(log.ticket_page(ada, 1, 2)) == [3, 5]


def test_the_history_can_be_read_in_the_database_itself(database: Database, log: EventLog):
    log.append([entry()])
    assert rows(database, "SELECT data->'actor'->>'role' FROM readable_events") == [("system",)]

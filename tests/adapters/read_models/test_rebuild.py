"""A rebuild beside the live tables stops no reader, writer or follower, and is resumed if it is killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

import projections
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.read_models import builds, event_batches, rebuild
from adapters.read_models.follower import Follower
from adapters.read_models.rebuild_jobs import RebuildJobs
from domain.events import DocumentGenerated
from projections import documents, donation_ledger, ticket_status
from projections.desk import SHARDS
from tests.client import WAIT_SECONDS, eventually
from tests.domain.facts import HOLDER, fact
from tests.fakes.events import make_event
from tests.fakes.projections import Tally
from tests.fakes.worlds import donation_events, record, ticket_events

# What ticket status has of thirty tickets: their rows, that they are funded, their rows in the day's list, and its
# counts of those with and without a payment.
ROWS = 3 * 30 + 2 * SHARDS


def quiet(*_: Any) -> None:
    """Ignore the progress."""


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def renamed(ticket: Any) -> None:
    ticket.rename(HOLDER, "Grace")


@pytest.fixture
def tickets(log: EventLog, follow: Callable[..., None]) -> list[UUID]:
    """Record thirty tickets with two events and a donation each, and fold them into the read models."""
    # The last byte of an id says which row counts the ticket.
    ids = [UUID(bytes=uuid4().bytes[:-1] + bytes([number])) for number in range(30)]
    for ticket in ids:
        record(log, [*ticket_events(ticket, [renamed]), *donation_events(ticket, 100, [40])])
    follow()
    return ids


@contextmanager
def busy(database: Database) -> Iterator[Callable[[], int]]:
    """Open tickets in a thread and fold them with a follower. Yield a function that returns their number."""
    log, ended, written = EventLog(database), threading.Event(), [0]

    def write() -> None:
        while not ended.wait(0.01):
            record(log, ticket_events(uuid4(), [renamed]))
            written[0] += 1

    writer = threading.Thread(target=write)
    follower = Follower(database.url, projections.ALL)
    follower.start()
    writer.start()
    try:
        yield lambda: written[0]
    finally:
        ended.set()
        writer.join()
        follower.stop()


def live(database: Database, name: str = "ticket_status") -> list[tuple[Any, ...]]:
    return rows(database, f"SELECT build, live, trial FROM projections WHERE name = '{name}' ORDER BY build")


def test_a_rebuild_gives_the_same_rows_in_new_tables(database: Database, tickets: list[UUID]):
    before = rows(database, "SELECT * FROM read.ticket_status ORDER BY ticket_id")
    rebuilt = rebuild.rebuild(database.url, ticket_status, quiet)
    assert rows(database, "SELECT * FROM read.ticket_status ORDER BY ticket_id") == before
    assert (rebuilt.name, rebuilt.events, rebuilt.rows) == ("ticket_status", 150, ROWS)
    assert live(database) == [(2, True, False)]
    assert rows(database, "SELECT to_regnamespace('read_ticket_status_1') IS NULL") == [(True,)]


def test_a_rebuild_repairs_rows_that_were_changed_by_hand(database: Database, tickets: list[UUID]):
    rows(database, "UPDATE read_ticket_status_1.ticket_status SET workspace = 'elsewhere' RETURNING 1")
    rebuild.rebuild(database.url, ticket_status, quiet)
    assert rows(database, "SELECT DISTINCT workspace FROM read.ticket_status") == [("public",)]


def test_readers_writers_and_the_follower_go_on_during_rebuilds(
    database: Database, tickets: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", 20)
    ended, counts = threading.Event(), [30]

    def read() -> None:
        with connect(database.url) as connection:
            while not ended.is_set():
                row = connection.execute("SELECT count(*) FROM read.ticket_status").fetchone()
                assert row is not None
                counts.append(row[0])

    with busy(database) as written, ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        eventually(written)
        for projection in (ticket_status, donation_ledger):
            rebuild.rebuild(database.url, projection, quiet)
        ended.set()
        reader.result()
    assert counts == sorted(counts)
    for projection in projections.ALL:
        assert rebuild.verify(database.url, projection, quiet).differences == []


def test_a_rebuild_that_was_killed_continues_where_it_stopped(database: Database, tickets: list[UUID]):
    child = [sys.executable, "-m", "tests.adapters.read_models.rebuilding", database.url, "70"]
    with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        stopped_at = int(killed.stdout.readline())
        killed.kill()
    assert live(database) == [(1, True, False), (2, False, False)]
    with busy(database):
        assert rebuild.rebuild(database.url, ticket_status, quiet).events >= 150 - stopped_at > 0
        assert live(database) == [(2, True, False)]
    assert rebuild.verify(database.url, ticket_status, quiet).differences == []


def test_the_events_before_the_kill_are_not_read_again(database: Database, tickets: list[UUID]):
    with connect(database.url) as connection, connection.transaction(), connection.cursor() as cursor:
        build = builds.create(cursor, ticket_status)
        builds.fold(cursor, [build], event_batches.after(connection, 0, 70))
        builds.save_positions(cursor, {build: 70})
    assert rebuild.rebuild(database.url, ticket_status, quiet).events == 80


def test_read_models_rebuilt_together_have_the_rows_of_the_follower(
    database: Database, tickets: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", 20)
    reports = rebuild.rebuild_all(database.url, projections.ALL, quiet)
    assert [(report.name, report.events) for report in reports] == [(name, 150) for name in projections.BY_NAME]
    for projection in projections.ALL:
        assert live(database, projection.NAME) == [(2, True, False)]
        assert rebuild.verify(database.url, projection, quiet).differences == []


def test_builds_that_were_interrupted_apart_are_completed_together(database: Database, tickets: list[UUID]):
    tally = Tally()
    with connect(database.url) as connection, connection.transaction(), connection.cursor() as cursor:
        for projection, position in ((tally, 70), (ticket_status, 40)):
            build = builds.create(cursor, projection)
            builds.fold(cursor, [build], event_batches.after(connection, 0, position))
            builds.save_positions(cursor, {build: position})
    reports = rebuild.rebuild_all(database.url, [tally, ticket_status], quiet)
    assert [(report.name, report.events) for report in reports] == [("tally", 80), ("ticket_status", 110)]
    assert rows(database, "SELECT sum(events)::int FROM read.tally") == [(150,)]
    assert rebuild.verify(database.url, ticket_status, quiet).differences == []


def test_simultaneous_rebuilds_all_succeed(database: Database, tickets: list[UUID], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", 5)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            rebuilds = [pool.submit(rebuild.rebuild, database.url, ticket_status, quiet) for _ in range(3)]
            assert [rebuilding.result().rows for rebuilding in rebuilds] == [ROWS] * 3
    assert [is_live for _, is_live, _ in live(database) if is_live] == [True]
    assert rebuild.verify(database.url, ticket_status, quiet).differences == []


def test_processes_that_start_at_once_build_a_missing_read_model_together(database: Database, log: EventLog):
    record(log, ticket_events(uuid4(), [renamed]))
    counting = [Tally() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda tally: rebuild.ensure_live(database.url, [tally], quiet), counting))
    assert rows(database, "SELECT events FROM read.tally") == [(2,)]


def test_a_slow_reader_delays_the_swap_but_no_other_reader(database: Database, tickets: list[UUID]):
    with connect(database.url) as slow, ThreadPoolExecutor(1) as pool:
        with slow.transaction():
            slow.execute("SELECT count(*) FROM read.ticket_status")
            rebuilding = pool.submit(rebuild.rebuild, database.url, ticket_status, quiet)
            waits = "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND application_name ="
            for _ in range(2):
                # The swap waits for the slow reader. If other readers waited as well, this would end in an error.
                eventually(lambda: rows(database, f"{waits} 'storyledger rebuild' AND datname = current_database()"))
                rows(database, "SELECT count(*) FROM read.ticket_status")
            assert not rebuilding.done()
        assert rebuilding.result(WAIT_SECONDS).rows == ROWS


def test_a_build_that_was_replaced_is_never_live_again_also_if_it_was_not_dropped(
    database: Database, tickets: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    rows(database, "UPDATE read_ticket_status_1.ticket_status SET workspace = 'elsewhere' RETURNING 1")
    with monkeypatch.context() as patched:
        # As if the rebuild was killed after it had replaced the live build.
        patched.setattr(rebuild, "_drop_older_builds", lambda *_: None)
        rebuild.rebuild(database.url, ticket_status, quiet)
    assert live(database) == [(1, False, False), (2, True, False)]
    assert rebuild.rebuild(database.url, ticket_status, quiet).events == 150
    assert live(database) == [(3, True, False)]
    assert rows(database, "SELECT DISTINCT workspace FROM read.ticket_status") == [("public",)]


def test_a_rebuild_ends_if_a_newer_build_became_live_meanwhile(
    database: Database, tickets: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    with connect(database.url) as connection, connection.transaction(), connection.cursor() as cursor:
        replaced = builds.create(cursor, ticket_status)
        builds.make_live(cursor, builds.create(cursor, ticket_status))
    monkeypatch.setattr(rebuild, "_begin_or_resume", lambda *_: replaced)
    with pytest.raises(builds.BuildReplaced, match="read_ticket_status_2 was replaced meanwhile"):
        rebuild.rebuild(database.url, ticket_status, quiet)
    assert live(database) == [(1, False, False), (2, False, False), (3, True, False)]


def test_a_rebuild_counts_its_rows_before_another_one_can_drop_them(
    database: Database, tickets: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    make_live = rebuild._try_to_make_live

    def make_live_and_rebuild_again(*arguments: Any) -> Any:
        result = make_live(*arguments)
        with monkeypatch.context() as patched:
            patched.setattr(rebuild, "_try_to_make_live", make_live)
            rebuild.rebuild(database.url, ticket_status, quiet)
        return result

    monkeypatch.setattr(rebuild, "_try_to_make_live", make_live_and_rebuild_again)
    assert rebuild.rebuild(database.url, ticket_status, quiet).rows == ROWS
    assert live(database) == [(3, True, False)]


def test_a_requested_rebuild_that_another_one_replaced_is_no_failure(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    def replaced(*_: Any) -> None:
        raise builds.BuildReplaced(builds.Build(ticket_status, 2))

    monkeypatch.setattr(rebuild, "rebuild", replaced)
    rebuilds = RebuildJobs(database.url)
    with capture_logs() as logs:
        assert rebuilds.request(ticket_status)
        eventually(lambda: not rebuilds.is_requested("ticket_status"))
    assert [(line["event"], line["log_level"]) for line in logs] == [("rebuild replaced", "info")]


# Verifying.


def test_verifying_changes_nothing_and_leaves_nothing_behind(database: Database, tickets: list[UUID]):
    verified = rebuild.verify(database.url, ticket_status, quiet)
    assert (verified.events, verified.rows, verified.differences) == (150, ROWS, [])
    assert live(database) == [(1, True, False)]
    assert rows(database, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'read\\_ticket%'") == [(1,)]


def test_verifying_names_the_events_whose_rows_differ(database: Database, tickets: list[UUID]):
    table = "read_ticket_status_1.ticket_status"
    [(first,)] = rows(database, f"SELECT position FROM {table} ORDER BY position OFFSET 3 LIMIT 1")
    [(second,)] = rows(database, f"SELECT position FROM {table} ORDER BY position OFFSET 9 LIMIT 1")
    rows(database, f"UPDATE {table} SET workspace = 'elsewhere' WHERE position = {second} RETURNING 1")
    rows(database, f"DELETE FROM {table} WHERE position = {first} RETURNING 1")
    differences = rebuild.verify(database.url, ticket_status, quiet).differences
    assert [(difference.table, difference.position, difference.only_in) for difference in differences] == [
        ("ticket_status", first, "rebuilt"),
        ("ticket_status", second, "live"),
        ("ticket_status", second, "rebuilt"),
    ]
    assert "elsewhere" in differences[1].row


def test_verifying_finds_a_row_without_an_event(database: Database, tickets: list[UUID]):
    rows(database, f"INSERT INTO read_ticket_status_1.funded_tickets VALUES ('{UUID(int=1)}', 7) RETURNING 1")
    [difference] = rebuild.verify(database.url, ticket_status, quiet).differences
    assert (difference.table, difference.position, difference.only_in) == ("funded_tickets", 7, "live")


def test_verifying_up_to_a_position_compares_two_trials(database: Database, tickets: list[UUID]):
    verified = rebuild.verify(database.url, ticket_status, quiet, until=42)
    assert (verified.events, verified.differences) == (42, [])
    assert rebuild.verify(database.url, ticket_status, quiet, until=0).events == 0


def test_verifying_a_read_model_that_changes_finds_no_difference(database: Database, tickets: list[UUID]):
    with busy(database):
        for projection in (ticket_status, donation_ledger):
            assert rebuild.verify(database.url, projection, quiet).differences == []


def test_the_trial_of_a_killed_verification_is_dropped_by_the_next_one(database: Database, tickets: list[UUID]):
    with connect(database.url) as connection, connection.transaction(), connection.cursor() as cursor:
        builds.create(cursor, ticket_status, trial=True)
    rebuild.verify(database.url, ticket_status, quiet)
    assert live(database) == [(1, True, False)]


# Unusual histories.


def test_a_document_recorded_twice_does_not_stop_the_read_model(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    ticket = uuid4()
    fields = fact(DocumentGenerated).fields
    events = [make_event(DocumentGenerated, ticket, v, **fields | {"document_id": UUID(int=v)}) for v in range(1, 251)]
    repeated_events = [
        make_event(DocumentGenerated, ticket, v + 250, **fields | {"document_id": UUID(int=v)}) for v in range(1, 251)
    ]
    for batch in (events, repeated_events):
        record(log, batch)
        follow([documents])
    assert rows(database, "SELECT position FROM projections WHERE name = 'documents'") == [(500,)]
    assert rebuild.verify(database.url, documents, quiet).differences == []

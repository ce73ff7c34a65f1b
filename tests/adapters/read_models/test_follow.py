"""The live follower folds each event exactly once in each projection, whatever happens to the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import projections
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.read_models import builds, event_batches, follower, rebuild
from adapters.read_models.follower import Follower
from adapters.read_models.in_memory import folded
from adapters.read_models.projection_barrier import ProjectionBarrier
from domain.events import TicketEvent, TicketSuspended
from projections import contact_index, ticket_status
from projections.model import Projection, RecordedEvent, Table
from tests.client import WAIT_SECONDS, eventually
from tests.domain.facts import fact
from tests.examples import examples
from tests.fakes.entries import entries
from tests.fakes.events import make_event
from tests.fakes.projections import Tally
from tests.fakes.worlds import donation_events, record, ticket_events, worlds

NAMES = list(projections.BY_NAME)


def quiet(*_: Any) -> None:
    """Ignore the progress."""


def live_positions(database: Database) -> dict[str, int]:
    with database.connection() as connection:
        return dict(connection.execute("SELECT name, position FROM projections WHERE live").fetchall())


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    columns = ", ".join(table.columns)
    with database.connection() as connection:
        table_rows = connection.execute(f"SELECT {columns} FROM read.{table.name}".encode()).fetchall()
    return [dict(zip(table.columns, row, strict=True)) for row in table_rows]


def as_json(table_rows: list[dict[str, Any]]) -> list[str]:
    """Return the sorted rows, in which a tuple equals the list that it is stored as."""
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in table_rows)


def tallied(database: Database) -> int:
    with database.connection() as connection:
        row = connection.execute("SELECT coalesce(sum(events), 0)::int FROM read.tally").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def started(*followers: Follower) -> Iterator[None]:
    for running in followers:
        running.start()
    try:
        yield
    finally:
        for running in followers:
            running.stop()


@pytest.fixture
def tally(migrated_url: str) -> Tally:
    """A live projection besides the real ones."""
    counting = Tally()
    rebuild.ensure_live(migrated_url, [counting], quiet)
    return counting


# Laws for every history.


# The pool's own threads draw from `random` while an example is being made.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@given(events=worlds(), data=st.data())
@settings(examples(4), phases=[Phase.explicit, Phase.generate])
def test_following_in_batches_of_any_size_equals_replay_in_memory_and_a_rebuild(
    database: Database,
    log: EventLog,
    follow: Callable[..., None],
    events: list[TicketEvent],
    data: st.DataObject,
):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=3)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(follower, "BATCH_EVENTS", data.draw(st.integers(1, 9)))
        patched.setattr(rebuild, "BATCH_EVENTS", data.draw(st.integers(7, 40)))
        patched.setattr(event_batches, "PAGE_EVENTS", data.draw(st.integers(1, 9)))
        patched.setattr(event_batches, "MAX_BYTES", data.draw(st.integers(1, 10_000)))
        for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
            record(log, events[start:end])
            follow()
        for projection in projections.ALL:
            assert rebuild.verify(database.url, projection, quiet).differences == []
    recorded = [
        RecordedEvent(stored.position, stored.recorded_at, stored.event()) for stored in log.batch(0, 1_000_000)
    ]
    for projection in projections.ALL:
        replayed = folded(projection, recorded)
        for table in projection.TABLES:
            assert as_json(rows(database, table)) == as_json(replayed.all(table))


@given(events=worlds())
@examples(15)
def test_the_read_model_agrees_with_the_tickets_themselves(events: list[TicketEvent]):
    tickets: dict[Any, Any] = {}
    for event in events:
        if event.originator_id == event.ticket:
            tickets[event.ticket] = event.mutate(tickets.get(event.ticket))  # type: ignore[attr-defined]
    recorded = [RecordedEvent(position, event.timestamp, event) for position, event in enumerate(events, start=1)]
    for row in folded(ticket_status, recorded).all(ticket_status.TICKETS):
        ticket = tickets[row["ticket_id"]]
        assert ticket_status.with_status(row)["content_status"] is ticket.lifecycle.status
        assert (row["step"], row["version"], row["erased"]) == (ticket.lifecycle.step, ticket.version, ticket.erased)
        if not ticket.erased:
            assert ticket_status.draft_of(row) == ticket.draft
            assert frozenset(row["written"]) == ticket.written


def test_batches_of_many_rows_give_the_same_rows(database: Database, log: EventLog, follow: Callable[..., None]):
    """There are enough new and changed rows for COPY."""
    events = [ticket_events(uuid4(), [lambda t: t.rename(t.pending_events[0].actor, "Grace")]) for _ in range(260)]
    for version in (0, 1):
        record(log, [stream[version] for stream in events])
        follow()
    record(log, [event for stream in events for event in donation_events(stream[0].ticket, 100, [40])])
    follow()
    for projection in projections.ALL:
        assert rebuild.verify(database.url, projection, quiet).differences == []


def test_several_batches_of_many_rows_fit_into_one_transaction(
    database: Database, log: EventLog, monkeypatch: pytest.MonkeyPatch
):
    tickets = [uuid4() for _ in range(260)]
    for version in (1, 2, 3):
        log.append([entry for ticket in tickets for entry in entries(1, ticket, version)])
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", 260)
    counting = Tally()
    with connect(database.url) as connection, connection.transaction(), connection.cursor() as cursor:
        build = builds.create(cursor, counting)
        rebuild._catch_up(cursor, build, log.head())
        assert builds.position(cursor, build) == 780
        cursor.execute(f"SELECT DISTINCT events FROM {build.schema}.tally".encode())
        assert cursor.fetchall() == [(3,)]


def test_a_read_model_that_no_event_of_a_batch_concerns_costs_no_statement():
    class Unused:
        def __getattr__(self, name: str) -> None:
            raise AssertionError(name)

    suspended = make_event(TicketSuspended, uuid4(), 1, **fact(TicketSuspended).fields)
    others = [builds.Build(model, 1) for model in projections.ALL if model is not ticket_status]
    builds.fold(Unused(), others, [RecordedEvent(1, datetime.now(UTC), suspended)])  # type: ignore[arg-type]


# Durability.


class LogNoting(Tally):
    """Notes the last position of the write-ahead log at which it wrote rows."""

    written = "0/0"

    def fold(self, batch: Any, rows: Any) -> None:
        super().fold(batch, rows)
        rows.flush()
        self.written = rows._cursor.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()[0]


def is_flushed(database: Database, written: str) -> bool:
    row = database.row("SELECT pg_current_wal_flush_lsn() > %s::pg_lsn", (written,))
    return row == (True,)


def test_a_position_is_visible_only_once_a_standby_may_have_its_rows(
    database: Database, log: EventLog, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follower, "BATCH_EVENTS", 4)
    noting = LogNoting()
    rebuild.ensure_live(database.url, [noting], quiet)
    following = Follower(database.url, [noting])
    with connect(database.url) as connection:
        for _ in range(5):
            log.append(entries(8))
            assert following.fold_next_batch(connection)
            assert is_flushed(database, noting.written)


def test_a_rebuild_that_continues_a_live_build_makes_its_positions_durable_too(
    database: Database, log: EventLog, tally: Tally
):
    """Two rebuilds at once fill the same build, and one makes it live while the other one still folds."""
    noting = LogNoting()
    with connect(database.url) as connection:
        for _ in range(5):
            log.append(entries(8))
            with connection.cursor() as cursor:
                live = builds.live_build(cursor, noting)
            assert live is not None
            rebuild._fold(connection, [live], log.head(), quiet)
            assert is_flushed(database, noting.written)


# Exactly once.


def test_two_followers_at_once_fold_each_event_once(
    database: Database, log: EventLog, tally: Tally, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follower, "BATCH_EVENTS", 7)
    followed = [*projections.ALL, tally]
    with started(Follower(database.url, followed), Follower(database.url, followed)):
        for _ in range(30):
            log.append(entries(3))
        eventually(lambda: set(live_positions(database).values()) == {90})
    assert tallied(database) == 90


def test_a_position_reaches_the_head_also_past_irrelevant_events(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    log.append(entries(5))
    follow()
    assert set(live_positions(database).values()) == {5}


# A projection that fails.


def test_a_projection_that_fails_delays_no_other_and_catches_up(
    database: Database, log: EventLog, tally: Tally, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follower, "BATCH_EVENTS", 4)
    monkeypatch.setattr(follower, "FIRST_PAUSE_SECONDS", 0.0)
    tally.failure, tally.fails_at = RuntimeError("broken"), 6
    broken = Follower(database.url, [*projections.ALL, tally])
    with connect(database.url) as connection:
        for _ in range(5):
            log.append(entries(4))
            while broken.fold_next_batch(connection):
                pass
        assert live_positions(database) == dict.fromkeys(NAMES, 20) | {"tally": 4}
        tally.failure = None
        log.append(entries(4))
        broken.fold_next_batch(connection)
        # The others do not wait for the projection that has to catch up.
        assert live_positions(database) == dict.fromkeys(NAMES, 24) | {"tally": 8}
        while broken.fold_next_batch(connection):
            pass
    assert tallied(database) == 24


def test_a_projection_that_keeps_failing_is_left_out_for_growing_pauses(
    database: Database, tally: Tally, monkeypatch: pytest.MonkeyPatch
):
    now = 1000.0
    monkeypatch.setattr(follower, "time", SimpleNamespace(monotonic=lambda: now))
    EventLog(database).append(entries(1))
    tally.failure = RuntimeError("broken")
    failing = Follower(database.url, [tally])
    failures = failing._failures["tally"]
    pauses = []
    with connect(database.url) as connection:
        for _ in range(8):
            assert failing.fold_next_batch(connection) is False
            pauses.append(failures.retry_at - now)
            now = failures.retry_at - 0.001
            assert failing.fold_next_batch(connection) is False
            assert failures.count == len(pauses)
            now = failures.retry_at
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_database_error_in_a_fold_delays_no_other_projection(database: Database, log: EventLog, tally: Tally):
    class Failing(Tally):
        def fold(self, page: Any, rows: Any) -> None:
            rows._cursor.execute("SELECT 1/0")

    log.append(entries(2))
    failing = Follower(database.url, [*projections.ALL, Failing()])
    with connect(database.url) as connection:
        assert failing.fold_next_batch(connection) is True
    assert live_positions(database) == dict.fromkeys(NAMES, 2) | {"tally": 0}


# Versions.


class Renewed:
    """The contact index of a later version of the service."""

    NAME = contact_index.NAME
    VERSION = contact_index.VERSION + 1
    TOPICS = contact_index.TOPICS
    TABLES = contact_index.TABLES
    fold = staticmethod(contact_index.fold)


def live_builds(database: Database) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(
            "SELECT build, version, position FROM projections WHERE name = 'contact_index' AND live"
        ).fetchall()


def test_a_new_version_of_a_projection_builds_itself_on_start(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    record(log, ticket_events(uuid4(), []))
    follow()
    renewed: Projection = Renewed()
    rebuild.ensure_live(database.url, [renewed], quiet)
    assert live_builds(database) == [(2, Renewed.VERSION, 1)]
    assert len(rows(database, contact_index.CONTACTS)) == 1
    rebuild.ensure_live(database.url, [renewed], quiet)
    assert live_builds(database) == [(2, Renewed.VERSION, 1)]
    with database.connection() as connection:
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'read\\_contact\\_index%'"
        ).fetchall()
    assert schemas == [("read_contact_index_2",)]


def test_a_follower_leaves_another_versions_tables_alone(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    rebuild.rebuild(database.url, Renewed(), quiet)
    record(log, ticket_events(uuid4(), []))
    follow()
    assert live_builds(database) == [(2, Renewed.VERSION, 0)]
    follow([Renewed()])
    assert live_builds(database) == [(2, Renewed.VERSION, 1)]


# Read-your-writes.


def test_a_write_is_visible_once_the_follower_in_this_process_has_it(database: Database, log: EventLog):
    running = Follower(database.url, projections.ALL)
    barrier = ProjectionBarrier(database, NAMES, running)
    with started(running):
        for _ in range(5):
            position = record(log, ticket_events(uuid4(), []))
            assert barrier.wait_for(position, WAIT_SECONDS)
            assert len(rows(database, ticket_status.TICKETS)) == position


def test_a_write_is_visible_once_a_follower_elsewhere_has_it(database: Database, log: EventLog):
    barrier = ProjectionBarrier(database, NAMES)
    with started(Follower(database.url, projections.ALL)):
        for _ in range(5):
            position = record(log, ticket_events(uuid4(), []))
            assert barrier.wait_for(position, WAIT_SECONDS)
            assert len(rows(database, ticket_status.TICKETS)) == position


def test_a_write_is_visible_once_either_of_two_followers_has_it(database: Database, log: EventLog):
    local_follower, other_follower = Follower(database.url, projections.ALL), Follower(database.url, projections.ALL)
    barrier = ProjectionBarrier(database, NAMES, local_follower)
    with started(local_follower, other_follower):
        for _ in range(10):
            position = record(log, ticket_events(uuid4(), []))
            assert barrier.wait_for(position, WAIT_SECONDS)
            assert len(rows(database, ticket_status.TICKETS)) == position


def test_waiting_ends_without_a_follower(database: Database, log: EventLog):
    position = record(log, ticket_events(uuid4(), []))
    assert not ProjectionBarrier(database, NAMES).wait_for(position, 0.05)
    assert not ProjectionBarrier(database, NAMES, Follower(database.url, projections.ALL)).wait_for(position, 0.05)


def test_a_follower_continues_after_its_connection_was_lost(database: Database, log: EventLog):
    with started(Follower(database.url, projections.ALL)):
        log.append(entries(1))
        eventually(lambda: set(live_positions(database).values()) == {1})
        sessions = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'storyledger %'"
        with database.connection() as connection:
            # The follower and its listener.
            eventually(lambda: connection.execute(f"SELECT count(*) {sessions}".encode()).fetchone() == (2,))
            connection.execute(f"SELECT pg_terminate_backend(pid) {sessions}".encode())
        log.append(entries(1))
        eventually(lambda: set(live_positions(database).values()) == {2})


def test_a_follower_that_was_stopped_leaves_no_thread_behind(database: Database):
    # A service that other tests share may follow its own database in this process.
    earlier_threads = set(threading.enumerate())
    running = Follower(database.url, projections.ALL)
    running.start()
    running.stop(WAIT_SECONDS)
    assert not [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("follower") and thread not in earlier_threads
    ]

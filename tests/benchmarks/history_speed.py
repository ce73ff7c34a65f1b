"""Measures appends, a ticket with a long history, read models and the verification of the chain."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from psycopg.conninfo import conninfo_to_dict

import projections
from adapters.event_store import log as event_log
from adapters.ids import uuid7
from adapters.postgres.database import connect
from adapters.proof import audit, tiles
from adapters.read_models import rebuild
from adapters.read_models.follower import Follower
from domain.donations import Donation
from domain.values import Money
from projections import donation_ledger
from tests.benchmarks.report import Figure, Report, rate, seconds, typical_pair
from tests.benchmarks.world import HOLDER, gift, in_threads, migrated, opened, service_on, write_history
from tests.postgres import fresh_database

WRITERS = 16
APPENDS = 3_200


class Noted(Aggregate):
    """The library's own aggregate for comparison, with one event about as large as ours."""

    @event("Opened")
    def __init__(self, ticket_id: str, donation_id: str, minor: int, currency: str) -> None:
        self.minor = minor


def library_env(url: str) -> dict[str, str]:
    parts = conninfo_to_dict(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": str(parts.get("password", "")),
        "POSTGRES_POOL_SIZE": "16",
        "POSTGRES_MAX_OVERFLOW": "4",
    }


class Notes(Application[UUID]):
    name = "notes"


def appends(report: Report, server_url: str) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(migrated(server_url))
        other = stack.enter_context(fresh_database(server_url))
        service = stack.enter_context(service_on(url))
        library = stack.enter_context(Notes(library_env(other)))
        bare = [stack.enter_context(psycopg.connect(other)) for _ in range(WRITERS)]
        bare[0].execute(
            "CREATE TABLE bare (position bigserial PRIMARY KEY, stream uuid, version int, topic text, state bytea,"
            " UNIQUE (stream, version))"
        )
        bare[0].commit()
        ticket = uuid4()
        with connect(url) as connection, connection.cursor() as cursor:
            event_log.append(cursor, [[opened(ticket)]])
        service.history.keys.get(ticket, create=True)
        state = gift(ticket, 1)[0].state

        def ours(_: int) -> None:
            for _ in range(APPENDS // WRITERS):
                service.aggregates.donations.add(
                    Donation.request_checkout(HOLDER, ticket, uuid7(), Money(500, "USD"), None)
                )

        def librarys(_: int) -> None:
            for _ in range(APPENDS // WRITERS):
                library.save(Noted(str(ticket), str(uuid7()), 500, "USD"))

        def bares(number: int) -> None:
            connection = bare[number]
            for _ in range(APPENDS // WRITERS):
                connection.execute(
                    "INSERT INTO bare (stream, version, topic, state) VALUES (%b, %b, %b, %b)",
                    (uuid4(), 1, "topic", state),
                )
                connection.commit()

        measured = {name: [] for name in ("ours", "library", "bare")}
        for _ in range(3):
            for name, work in (("ours", ours), ("library", librarys), ("bare", bares)):
                measured[name].append(APPENDS / seconds(lambda work=work: in_threads(WRITERS, work)))
        rates = {name: median(found) for name, found in measured.items()}
        what = f"single-event appends, {WRITERS} writers"
        report.add(Figure(what, rates["ours"], "/s", 5, rates["library"], "the library's save()"))
        report.add(Figure(what, rates["ours"], "/s", 0.5, rates["bare"], "bare psycopg INSERT + COMMIT"))


def hot_ticket(report: Report, server_url: str, gifts: int) -> None:
    with migrated(server_url) as url, service_on(url) as service:
        hot, new = uuid4(), uuid4()
        for ticket in (hot, new):
            service.history.keys.get(ticket, create=True)
        with connect(url) as connection, connection.cursor() as cursor:
            event_log.append(cursor, [[opened(hot)], [opened(new)]])
        write_history(url, gifts, ticket=hot)
        write_history(url, 200, ticket=new)
        rebuild.rebuild_all(url, projections.ALL, lambda *_: None)

        def give(ticket: UUID) -> None:
            service.aggregates.donations.add(
                Donation.request_checkout(HOLDER, ticket, uuid7(), Money(500, "USD"), None)
            )

        def sixteen(ticket: UUID) -> float:
            return seconds(lambda: in_threads(16, lambda _: [give(ticket) for _ in range(20)]))

        name = f"a ticket with {gifts:,} donations"
        alone = [took * 1e3 for took in typical_pair(lambda: give(hot), lambda: give(new), 200)]
        report.add(Figure(f"{name}: the next gift", alone[0], "ms", 1.2, alone[1], "a new ticket's", at_most=True))
        pairs = [(sixteen(hot), sixteen(new)) for _ in range(5)]
        crowd = [median(pair[side] for pair in pairs) * 1e3 / 320 for side in (0, 1)]
        report.add(Figure(f"{name}: with 16 at once", crowd[0], "ms", 1.2, crowd[1], "a new ticket's", at_most=True))

        def total(ticket: UUID) -> Callable[[], object]:
            def read() -> object:
                with service.database.transaction() as cursor:
                    return donation_ledger.summary(cursor, ticket)

            return read

        reads: tuple[tuple[str, Callable[[UUID], Callable[[], object]]], ...] = (
            ("totals", total),
            ("a history page of 100", lambda ticket: lambda: service.history.log.ticket_page(ticket, 0, 100)),
        )
        for label, make in reads:
            values = [took * 1e3 for took in typical_pair(make(hot), make(new), 300)]
            report.add(Figure(f"{name}: {label}", values[0], "ms", 1.2, values[1], "a new ticket's", at_most=True))


def read_models(report: Report, server_url: str, events: int) -> None:
    with migrated(server_url) as url:
        count = write_history(url, int(events / 4.1))
        floor = _copy_floor(url, count)
        grown = _memory_mb()
        started = time.perf_counter()
        rebuild.rebuild_all(url, projections.ALL, lambda *_: None)
        ours = count / (time.perf_counter() - started)
        grown = _memory_mb() - grown
        runner = _projection_runner(server_url)
        label = f"rebuild of all read models, {count:,} events"
        report.add(Figure(label, ours, "events/s", 0.5, floor, "binary SELECT, then COPY of the same rows"))
        report.add(Figure(label, ours, "events/s", 100, runner, "the library's ProjectionRunner"))
        report.add(Figure(f"{label}: memory growth", grown, "MB", 64, at_most=True))
        live = _live_rate(url, 20_000)
        report.add(Figure("live read models", live, "events/s", 30, runner, "the library's ProjectionRunner"))
        _chain(report, url, count)
    with migrated(server_url) as url, service_on(url, frozenset({"projections", "web"})) as service:
        service.start()
        _visible(report, service)


def _copy_floor(url: str, count: int) -> float:
    """Read and write the same rows unchanged, which is a lower limit for every projection."""
    with connect(url, statement_seconds=0) as connection:
        connection.execute("CREATE TABLE floor (LIKE events)")

        def copy() -> None:
            connection.execute("TRUNCATE floor")
            with connection.transaction(), connection.cursor(binary=True) as cursor:
                after = 0
                while True:
                    cursor.execute("SELECT * FROM events WHERE position > %s ORDER BY position LIMIT 5000", (after,))
                    rows = cursor.fetchall()
                    if not rows:
                        break
                    after = rows[-1][0]
                    with connection.cursor() as writer, writer.copy("COPY floor FROM STDIN (FORMAT BINARY)") as into:
                        into.set_types(["int8", "uuid", "int4", "text", "uuid", "timestamptz", "bytea", "bytea"])
                        for row in rows:
                            into.write_row(row)

        measured = rate(count, copy, 1)
        connection.execute("DROP TABLE floor")
        return measured


def _memory_mb() -> float:
    with open(f"/proc/{os.getpid()}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class _Counts(Projection[PostgresTrackingRecorder]):
    """A ledger with totals made by the library's projection, with one transaction for each event."""

    name = "counts"

    def process_event(self, domain_event: Any, tracking: Any) -> None:
        minor = getattr(domain_event, "minor", 0)
        with self.view.datastore.transaction(commit=True) as cursor:
            self.view._insert_tracking(cursor, tracking)
            cursor.execute("INSERT INTO lines VALUES (%s, %s)", (domain_event.originator_id, minor))
            cursor.execute("UPDATE sums SET minor = minor + %s", (minor,))


class _View(PostgresTrackingRecorder):
    def __init__(self, datastore: Any, **more: Any) -> None:
        super().__init__(datastore, **more)


def _projection_runner(server_url: str, events: int = 2_000) -> float:
    with fresh_database(server_url) as url:
        env = library_env(url)
        with Notes(env) as library:
            for _ in range(events // 100):
                library.save(*[Noted(str(uuid4()), str(uuid4()), 500, "USD") for _ in range(100)])
        with connect(url) as connection:
            connection.execute("CREATE TABLE lines (id uuid, minor bigint)")
            connection.execute("CREATE TABLE sums (minor bigint)")
            connection.execute("INSERT INTO sums VALUES (0)")
        started = time.perf_counter()
        with ProjectionRunner(
            application_class=Notes,
            projection_class=_Counts,
            view_class=_View,
            env=env | {"TRACKING_RECORDER_TOPIC": get_topic(_View)},
        ) as runner:
            runner.wait(events, timeout=120)
        return events / (time.perf_counter() - started)


def _live_rate(url: str, events: int) -> float:
    """Return the rate at which the live follower folds events that were written while it was stopped."""
    write_history(url, int(events / 4.1))
    follower = Follower(url, projections.ALL)
    with connect(url, statement_seconds=0) as connection:
        before = _least(connection)
        started = time.perf_counter()
        while follower.fold_next_batch(connection):
            pass
        return (_least(connection) - before) / (time.perf_counter() - started)


def _least(connection: Any) -> int:
    return int(connection.execute("SELECT min(position) FROM projections WHERE live").fetchone()[0])


def _visible(report: Report, service: Any) -> None:
    ticket = uuid4()
    with connect(service.url) as connection, connection.cursor() as cursor:
        event_log.append(cursor, [[opened(ticket)]])
    service.history.keys.get(ticket, create=True)
    waits = []
    for _ in range(60):
        donation = Donation.request_checkout(HOLDER, ticket, uuid7(), Money(500, "USD"), None)
        recordings = service.history.application.save(donation)
        committed = time.perf_counter()
        assert service.history.barrier.wait_for(recordings[-1].notification.id)
        waits.append(time.perf_counter() - committed)
        threading.Event().wait(0.01)
    report.add(Figure("from commit to visible, at rest", median(waits) * 1e3, "ms", 20, at_most=True))


def _chain(report: Report, url: str, count: int) -> None:
    def plain() -> None:
        """Read the same rows in the same way and compute only SHA-256."""
        with connect(url, statement_seconds=0) as connection, connection.cursor(binary=True) as cursor:
            last = 0
            while True:
                cursor.execute(audit.COVERED, (last, audit.BATCH_EVENTS), prepare=True)
                page = cursor.fetchall()
                if not page:
                    return
                for _, covered, _ in page:
                    hashlib.sha256(covered).digest()
                last = page[-1][0]

    def grow() -> None:
        with connect(url) as connection:
            while tiles.grow(connection):
                pass

    growing = seconds(grow)
    report.add(Figure("the Merkle tree over the chain, kept up", count / growing, "events/s", 10_000))
    pairs = [(seconds(lambda: audit.verify(url)), seconds(plain)) for _ in range(3)]
    ours, floor = (count / median(pair[side] for pair in pairs) for side in (0, 1))
    report.add(Figure("audit verify", ours, "events/s", 0.6, floor, "SHA-256 over the same rows"))

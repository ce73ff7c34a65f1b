"""The way to the database: shut while it is away, and never a dead connection for whoever asks."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from adapters.postgres.database import ConnectionRegistry, Database, connect, fault_category
from adapters.postgres.watchdog import KEPT_CHECKS, KEPT_DAYS, Watchdog
from domain.errors import UnavailableError
from tests.client import eventually
from tests.fakes.line import Line

NAMES = "storyledger"


def answers(database: Database) -> bool:
    with database.reading() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,)


def terminate(url: str, name: str = NAMES) -> int:
    """End the sessions of that name, and wait until they are gone."""
    with connect(url, name="test") as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            (name,),
        ).fetchone()
    assert ended is not None
    return int(ended[0])


def sessions(url: str) -> set[int]:
    """The processes at the server that serve us."""
    with connect(url, name="test") as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s AND datname = current_database()",
            (f"{NAMES}%",),
        ).fetchall()
    return {pid for (pid,) in found}


def test_connections_that_died_in_the_pool_cost_nobody_an_error(database: Database):
    assert answers(database)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: answers(database), range(50)))
        for _ in range(3):
            assert terminate(database.url) > 0
            assert all(threads.map(lambda _: answers(database), range(50)))


def test_whoever_waits_for_an_answer_when_the_database_is_shut_hears_at_once(database: Database):
    def sleep() -> None:
        with database.reading() as cursor:
            cursor.execute("SELECT pg_sleep(30)")

    with ThreadPoolExecutor(12) as threads:
        # Eight have a connection, four wait for one.
        waiting = [threads.submit(sleep) for _ in range(12)]
        eventually(lambda: len([w for w in waiting if w.running()]) == 12)
        time.sleep(0.2)
        started = time.monotonic()
        database.shut()
        for one in waiting:
            with pytest.raises(UnavailableError):
                one.result(timeout=5)
        assert time.monotonic() - started < 1


def test_a_database_that_is_shut_turns_everybody_away_until_it_is_opened_anew(database: Database):
    database.shut()
    started = time.monotonic()
    for _ in range(100):
        with pytest.raises(UnavailableError):
            answers(database)
    assert time.monotonic() - started < 1
    database.reopen()
    assert answers(database)


def test_whoever_is_at_work_or_waits_while_it_is_opened_anew_notices_nothing(migrated_url: str):
    with Database(migrated_url, size=2) as database, ThreadPoolExecutor(6) as threads:
        begun = threading.Semaphore(0)

        def work() -> bool:
            with database.reading() as cursor:
                begun.release()
                cursor.execute("SELECT pg_sleep(0.3)")
                return True

        working = [threads.submit(work) for _ in range(6)]
        for _ in range(2):
            begun.acquire()
        database.reopen()
        assert all(one.result(timeout=10) for one in working)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('connection failed: FATAL:  password authentication failed for user "ada"', "wrong user or password"),
        ('connection failed: FATAL:  database "x" does not exist', "no such database or role"),
        ("FATAL:  the database system is starting up", "is starting"),
        ("FATAL:  sorry, too many clients already", "takes no more connections"),
        ("connection timeout expired", "does not answer"),
        ("connection to server at 10.0.0.1, port 5432 failed: Connection refused", "refuses connections"),
        ('FATAL: no pg_hba.conf entry for host "::1", user "ada"', "does not let this user in from here"),
        ("something about ada@example.com", "not reachable"),
    ],
)
def test_what_is_the_matter_is_told_without_names(said: str, told: str):
    assert fault_category(psycopg.OperationalError(said)) == told


# The watchdog.


def watchdog(database: Database) -> Watchdog:
    return Watchdog(database.url, [database], patience_seconds=0, give_up=lambda: None)


def test_a_watchdog_whose_own_connection_was_lost_has_everybody_begin_anew(database: Database):
    watching = watchdog(database)
    watching.start()
    try:
        assert answers(database)
        before = sessions(database.url)
        assert terminate(database.url, "storyledger watchdog") == 1
        # Its own session and those of the pool are others now, and nobody was turned away.
        eventually(lambda: sessions(database.url) and not sessions(database.url) & before)
        assert watching.health.available
        assert answers(database)
    finally:
        watching.stop()


def test_the_record_of_health_is_kept_for_a_while_and_no_longer(database: Database):
    with database.reading() as cursor:
        cursor.execute(
            "INSERT INTO health_checks (id, checked_at, outcome)"
            " SELECT gen_random_uuid(), now() - make_interval(days => %s), 'started' FROM generate_series(1, 5)",
            (KEPT_DAYS + 1,),
        )
        cursor.execute(
            "INSERT INTO health_checks (id, checked_at, outcome)"
            " SELECT gen_random_uuid(), now() - make_interval(mins => n), 'back' FROM generate_series(1, %s) n",
            (KEPT_CHECKS + 20,),
        )
    watching = watchdog(database)
    watching.start()
    watching.stop()
    with database.reading() as cursor:
        cursor.execute("SELECT outcome, count(*) FROM health_checks GROUP BY outcome ORDER BY outcome")
        assert cursor.fetchall() == [("back", KEPT_CHECKS - 1), ("started", 1)]


def test_lines_that_go_dead_are_cut_while_others_are_answered(migrated_url: str):
    registry = ConnectionRegistry()
    with Line(migrated_url) as line, Database(line.url, size=4) as database, ThreadPoolExecutor(4) as threads:
        watching = Watchdog(line.url, [database], registry, patience_seconds=0, give_up=lambda: None)
        watching.start()
        try:
            pooled = [threads.submit(_sleep, database) for _ in range(2)]
            own = connect(line.url, registry=registry)
            line.go_dead()
            waiting = threads.submit(own.execute, "SELECT 1")
            for one in (*pooled, waiting):
                with pytest.raises((UnavailableError, psycopg.OperationalError)):
                    one.result(timeout=20)
            assert watching.health.available
            assert answers(database)
        finally:
            watching.stop()


def _sleep(database: Database) -> None:
    with database.reading() as cursor:
        cursor.execute("SELECT pg_sleep(1)")

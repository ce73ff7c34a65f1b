"""The pool is shut while the database is unavailable, and never lends a dead connection."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from adapters.postgres import watchdog
from adapters.postgres.database import ConnectionRegistry, Database, connect, fault_category
from adapters.postgres.watchdog import KEPT_CHECKS, KEPT_DAYS, Watchdog
from domain.errors import UnavailableError
from tests.client import WAIT_SECONDS, eventually
from tests.fakes.line import Line

APPLICATION = "storyledger"


def answers(database: Database) -> bool:
    with database.reading() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,)


def terminate(url: str, name: str = APPLICATION) -> int:
    """End the sessions of that application and wait until they are gone. Return their number."""
    with connect(url, name="test") as connection:
        row = connection.execute(
            "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            (name,),
        ).fetchone()
    assert row is not None
    return int(row[0])


def sessions(url: str) -> set[int]:
    """Return the ids of the server processes of our sessions."""
    with connect(url, name="test") as connection:
        pids = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s AND datname = current_database()",
            (f"{APPLICATION}%",),
        ).fetchall()
    return {pid for (pid,) in pids}


def test_connections_that_died_in_the_pool_cause_no_error(database: Database):
    assert answers(database)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: answers(database), range(50)))
        for _ in range(3):
            assert terminate(database.url) > 0
            assert all(threads.map(lambda _: answers(database), range(50)))


def test_shutting_the_pool_ends_every_wait_for_an_answer_or_a_connection(database: Database):
    def sleep() -> None:
        with database.reading() as cursor:
            cursor.execute("SELECT pg_sleep(600)")

    with ThreadPoolExecutor(12) as threads:
        callers = [threads.submit(sleep) for _ in range(12)]
        # Eight callers have a connection, so four wait for one, at most WAIT_FOR_CONNECTION_SECONDS.
        eventually(lambda: database.occupancy().in_use == 8)
        database.shut()
        for caller in callers:
            with pytest.raises(UnavailableError):
                caller.result(WAIT_SECONDS)


def test_a_pool_that_is_shut_refuses_every_caller_until_it_is_reopened(database: Database):
    database.shut()
    with pytest.raises(UnavailableError):
        answers(database)
    database.reopen()
    assert answers(database)


def test_reopening_the_pool_disturbs_neither_running_nor_waiting_callers(migrated_url: str):
    with Database(migrated_url, size=2) as database, ThreadPoolExecutor(6) as threads:
        started, go_on = threading.Semaphore(0), threading.Event()

        def work() -> bool:
            with database.reading() as cursor:
                started.release()
                assert go_on.wait(WAIT_SECONDS)
                cursor.execute("SELECT 1")
                return True

        working = [threads.submit(work) for _ in range(6)]
        for _ in range(2):
            started.acquire()
        database.reopen()
        go_on.set()
        assert all(caller.result(WAIT_SECONDS) for caller in working)


@pytest.mark.parametrize(
    ("message", "category"),
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
def test_the_category_of_a_fault_names_no_host_and_no_user(message: str, category: str):
    assert fault_category(psycopg.OperationalError(message)) == category


# The watchdog.


def made_watchdog(database: Database) -> Watchdog:
    return Watchdog(database.url, [database], patience_seconds=0, give_up=lambda: None)


def test_a_watchdog_that_lost_its_connection_reopens_the_pools(database: Database):
    running_watchdog = made_watchdog(database)
    running_watchdog.start()
    try:
        assert answers(database)
        before = sessions(database.url)
        assert terminate(database.url, "storyledger watchdog") == 1
        # The watchdog and the pool have new sessions, and no caller was refused.
        eventually(lambda: sessions(database.url) and not sessions(database.url) & before)
        assert running_watchdog.health.available
        assert answers(database)
    finally:
        running_watchdog.stop()


def test_old_health_checks_are_deleted(database: Database):
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
    running_watchdog = made_watchdog(database)
    running_watchdog.start()
    running_watchdog.stop()
    with database.reading() as cursor:
        cursor.execute("SELECT outcome, count(*) FROM health_checks GROUP BY outcome ORDER BY outcome")
        assert cursor.fetchall() == [("back", KEPT_CHECKS - 1), ("started", 1)]


def test_silent_connections_are_closed_while_new_ones_are_answered(migrated_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watchdog, "ANSWER_SECONDS", 2)
    registry = ConnectionRegistry()
    with Line(migrated_url) as line, Database(line.url, size=4) as database, ThreadPoolExecutor(4) as threads:
        running_watchdog = Watchdog(line.url, [database], registry, patience_seconds=0, give_up=lambda: None)
        running_watchdog.start()
        try:
            pooled = [threads.submit(_sleep, database) for _ in range(2)]
            eventually(lambda: database.occupancy().in_use == 2)
            own = connect(line.url, registry=registry)
            line.go_dead()
            waiting = threads.submit(own.execute, "SELECT 1")
            for caller in (*pooled, waiting):
                with pytest.raises((UnavailableError, psycopg.OperationalError)):
                    caller.result(WAIT_SECONDS)
            eventually(lambda: running_watchdog.health.available)
            assert answers(database)
        finally:
            running_watchdog.stop()


def _sleep(database: Database) -> None:
    with database.reading() as cursor:
        cursor.execute("SELECT pg_sleep(600)")

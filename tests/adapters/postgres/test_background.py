"""A background loop calls its work until it is stopped, whatever the work raises."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest

from adapters.postgres.background import BackgroundLoop, DueWork, StepLoop
from adapters.postgres.database import Database
from domain.errors import UnavailableError
from tests.client import WAIT_SECONDS, eventually


def test_each_loop_works_whenever_its_condition_holds_until_nothing_is_left(database: Database):
    database.execute("CREATE TABLE work (of text)")

    def loop(name: str) -> StepLoop:
        delete = "DELETE FROM work WHERE ctid = (SELECT ctid FROM work WHERE of = %s LIMIT 1)"
        due = f"EXISTS (SELECT FROM work WHERE of = '{name}')"
        return StepLoop(name, lambda: database.execute(delete, (name,)) == 1, due)

    running = DueWork(database, [loop("test a"), loop("test b")])
    running.start()
    for names in (["test a", "test a", "test b"], ["test b"]):
        database.execute("INSERT INTO work SELECT unnest(%s::text[])", (names,))
        eventually(lambda: database.rows("SELECT FROM work") == [])
    running.stop(WAIT_SECONDS)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test")]


def test_a_loop_without_work_takes_no_step(database: Database):
    steps, looks = [0], threading.Semaphore(0)

    def step() -> bool:
        steps[0] += 1
        return False

    class Watched(StepLoop):
        def wake(self) -> None:
            looks.release()
            super().wake()

    always = Watched("test", lambda: False, "true")
    running = DueWork(database, [StepLoop("test", step, "false"), always])
    running.start()
    assert looks.acquire(timeout=WAIT_SECONDS)
    assert looks.acquire(timeout=WAIT_SECONDS)
    running.stop(WAIT_SECONDS)
    assert steps == [0]


def test_a_condition_that_fails_does_not_stop_the_other_loops(database: Database):
    worked = threading.Event()

    def step() -> bool:
        worked.set()
        return False

    running = DueWork(database, [StepLoop("test a", lambda: False, "1 / 0 = 1"), StepLoop("test b", step, "true")])
    running.start()
    assert worked.wait(WAIT_SECONDS)
    running.stop(WAIT_SECONDS)


def test_a_loop_that_is_started_again_during_a_call_that_outlasts_its_stop_goes_on():
    begun, go_on, worked_again = threading.Event(), threading.Event(), threading.Event()

    def work() -> float:
        if begun.is_set():
            worked_again.set()
        begun.set()
        go_on.wait(WAIT_SECONDS)
        return 0.0

    loop = running(work)
    begun.wait(WAIT_SECONDS)
    loop.stop(0)
    loop.start()
    go_on.set()
    assert worked_again.wait(WAIT_SECONDS)
    loop.stop(WAIT_SECONDS)


def test_a_loop_that_stops_starts_no_further_step():
    started, go_on = threading.Event(), threading.Event()
    steps = []

    def step() -> bool:
        steps.append(1)
        started.set()
        go_on.wait(WAIT_SECONDS)
        return True

    running = StepLoop("test", step, "true")
    running.start()
    running.wake()
    started.wait(WAIT_SECONDS)
    running.stop(0)  # asks the loop to end while its step is running
    go_on.set()
    running.stop(WAIT_SECONDS)
    assert steps == [1]


def test_a_loop_that_is_stopped_in_the_moment_in_which_it_wakes_ends():
    class Waking(threading.Event):
        """Lets the loop be stopped after it has woken and before it waits for the next time."""

        def clear(self) -> None:
            loop.request_stop()
            super().clear()

    loop = BackgroundLoop("test", lambda: None, wake=Waking())
    loop.start()
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "test"])


def running(work: Callable[[], float]) -> BackgroundLoop:
    started = BackgroundLoop("test", work)
    started.start()
    return started


def test_a_loop_survives_every_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.postgres.background.PAUSE_SECONDS", 0.01)
    outcomes: list[Exception | None] = [UnavailableError(), psycopg.OperationalError(), ValueError("ours"), None]
    is_recovered = threading.Event()

    def work() -> float:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        is_recovered.set()
        return 60

    loop = running(work)
    assert is_recovered.wait(WAIT_SECONDS)
    loop.stop(WAIT_SECONDS)


def test_a_pausing_loop_is_woken_and_stopped_at_once():
    calls = threading.Semaphore(0)

    def work() -> float:
        calls.release()
        return 60

    loop = running(work)
    assert calls.acquire(timeout=WAIT_SECONDS)
    loop.wake()
    assert calls.acquire(timeout=WAIT_SECONDS)
    loop.stop(WAIT_SECONDS)
    assert loop.stopping
    assert not [thread for thread in threading.enumerate() if thread.name == "test"]

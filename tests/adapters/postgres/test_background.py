"""Work is looked for again and again, whatever happens to it, until it is to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from adapters.postgres.background import BackgroundLoop
from domain.errors import UnavailableError
from tests.client import eventually


def test_work_in_the_background_steps_on_while_there_is_something_to_do_and_looks_again_after_a_pause():
    left, steps = [3], [0]

    def step() -> bool:
        steps[0] += 1
        left[0] -= 1
        return left[0] >= 0

    running = BackgroundLoop.steps("test", step, 0.01)
    running.start()
    eventually(lambda: steps[0] >= 4, 10)
    left[0] = 2
    eventually(lambda: left[0] < 0 and steps[0] >= 7, 10)
    running.stop()
    done = steps[0]
    time.sleep(0.05)
    assert steps[0] == done


def test_work_in_the_background_that_stops_begins_nothing_more():
    begun, go_on = threading.Event(), threading.Event()
    steps = []

    def step() -> bool:
        steps.append(1)
        begun.set()
        go_on.wait(10)
        return True

    running = BackgroundLoop.steps("test", step, 0.01)
    running.start()
    begun.wait(10)
    threading.Timer(0.05, go_on.set).start()
    running.stop()
    assert steps == [1]


def running(work: Callable[[], float]) -> BackgroundLoop:
    started = BackgroundLoop("test", work)
    started.start()
    return started


def test_what_goes_on_by_itself_survives_every_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.postgres.background.PAUSE_SECONDS", 0.01)
    outcomes: list[Exception | None] = [UnavailableError(), psycopg.OperationalError(), ValueError("ours"), None]
    done = threading.Event()

    def work() -> float:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        done.set()
        return 60

    going = running(work)
    assert done.wait(5)
    going.stop()


def test_what_pauses_is_woken_and_ends_at_once():
    calls = threading.Semaphore(0)

    def work() -> float:
        calls.release()
        return 60

    going = running(work)
    assert calls.acquire(timeout=5)
    going.wake()
    assert calls.acquire(timeout=5)
    started = time.monotonic()
    going.stop()
    assert time.monotonic() - started < 1
    assert going.stopping

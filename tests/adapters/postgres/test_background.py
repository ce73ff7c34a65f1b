"""A background loop calls its work until it is stopped, whatever the work raises."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest

from adapters.postgres.background import BackgroundLoop, StepLoop
from domain.errors import UnavailableError
from tests.client import WAIT_SECONDS, eventually


def test_a_loop_repeats_its_step_at_once_while_there_is_work_and_again_after_a_pause():
    remaining_steps, steps = [3], [0]

    def step() -> bool:
        steps[0] += 1
        remaining_steps[0] -= 1
        return remaining_steps[0] >= 0

    running = StepLoop("test", step, 0.01)
    running.start()
    eventually(lambda: steps[0] >= 4)
    remaining_steps[0] = 2
    eventually(lambda: remaining_steps[0] < 0 and steps[0] >= 7)
    running.stop(WAIT_SECONDS)
    assert not [thread for thread in threading.enumerate() if thread.name == "test"]


def test_a_loop_that_stops_starts_no_further_step():
    started, go_on = threading.Event(), threading.Event()
    steps = []

    def step() -> bool:
        steps.append(1)
        started.set()
        go_on.wait(WAIT_SECONDS)
        return True

    running = StepLoop("test", step, 0.01)
    running.start()
    started.wait(WAIT_SECONDS)
    running.stop(0)  # asks the loop to end while its step is running
    go_on.set()
    running.stop(WAIT_SECONDS)
    assert steps == [1]


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

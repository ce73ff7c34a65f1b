"""Work is looked for again and again, whatever happens to it, until it is to stop."""

from __future__ import annotations

import threading
import time

import pytest

from adapters import loop
from adapters.loop import Loop
from domain.errors import UnavailableError
from tests.client import eventually


def test_a_loop_steps_on_while_there_is_something_to_do_and_looks_again_after_a_pause():
    left, steps = [3], [0]

    def step() -> bool:
        steps[0] += 1
        left[0] -= 1
        return left[0] >= 0

    running = Loop("test", step, 0.01)
    running.start()
    eventually(lambda: steps[0] >= 4, 10)
    left[0] = 2
    eventually(lambda: left[0] < 0 and steps[0] >= 7, 10)
    running.stop()
    done = steps[0]
    time.sleep(0.05)
    assert steps[0] == done


@pytest.mark.parametrize("fault", [UnavailableError("away"), ValueError("ours")])
def test_no_fault_ends_a_loop(fault: Exception, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "AFTER_FAULT_SECONDS", 0.01)
    steps = []

    def step() -> bool:
        steps.append(1)
        raise fault

    running = Loop("test", step, 0.01)
    running.start()
    eventually(lambda: len(steps) >= 3, 10)
    running.stop()


def test_a_loop_that_stops_begins_nothing_more():
    begun, go_on = threading.Event(), threading.Event()
    steps = []

    def step() -> bool:
        steps.append(1)
        begun.set()
        go_on.wait(10)
        return True

    running = Loop("test", step, 0.01)
    running.start()
    begun.wait(10)
    threading.Timer(0.05, go_on.set).start()
    running.stop()
    assert steps == [1]

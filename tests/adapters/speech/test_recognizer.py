"""The recogniser's process may end at any moment: a request then starts another one, or may be tried again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.confined.errors import ChildInterrupted
from adapters.speech import recognizer
from adapters.speech.recognizer import Recognizer
from tests.fakes.children import speech_children
from tests.fakes.recognisers import ENDING_AT_A_REQUEST, FAKE, NAMING_ITSELF, READING_NOTHING


class FakeTimer:
    """A timer that goes off when a test says so."""

    daemon = False

    def __init__(self, _seconds: float, function: Callable[..., None], arguments: tuple[int, ...]) -> None:
        self.fire = lambda: function(*arguments)

    def start(self) -> None:
        """Wait for `fire`."""

    def cancel(self) -> None:
        """Come too late: the timer has gone off, and its function waits for the recogniser."""


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[FakeTimer]:
    """Return the timers that a recogniser sets, in their order."""
    timers: list[FakeTimer] = []

    def timer(*arguments: Any) -> FakeTimer:
        timers.append(FakeTimer(*arguments))
        return timers[-1]

    monkeypatch.setattr(recognizer, "Timer", timer)
    return timers


@pytest.fixture
def own_recognizer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recognizer]:
    monkeypatch.setattr(recognizer, "START", NAMING_ITSELF)
    own = Recognizer("no model")
    yield own
    own.close()


def process_of(own_recognizer: Recognizer) -> int:
    """Return the id of the process that answers a request."""
    (process,) = own_recognizer.languages(b"sound", lambda: None)
    return int(process)


def recogniser_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "recogniser"]


def test_requests_share_one_process(own_recognizer: Recognizer) -> None:
    assert process_of(own_recognizer) == process_of(own_recognizer)


def test_a_recogniser_that_was_killed_between_two_requests_is_started_again(own_recognizer: Recognizer) -> None:
    before = set(recogniser_threads())
    killed = process_of(own_recognizer)
    (reader,) = set(recogniser_threads()) - before
    os.kill(killed, signal.SIGKILL)
    reader.join()
    assert not own_recognizer.running
    assert process_of(own_recognizer) != killed
    assert own_recognizer.running


@pytest.mark.parametrize("program", [ENDING_AT_A_REQUEST, READING_NOTHING])
def test_a_recogniser_that_ends_at_a_request_interrupts_it_and_the_next_one_succeeds(
    own_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(recognizer, "START", program)
        with pytest.raises(ChildInterrupted):
            process_of(own_recognizer)
    assert process_of(own_recognizer) in speech_children(os.getpid(), FAKE)


def test_a_request_that_finds_closed_pipes_may_be_tried_again(
    own_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, and its pipes are closed, after it was taken for running."""
    process_of(own_recognizer)
    closed = own_recognizer._process
    assert closed is not None
    closed.end()
    closed._reader.join()
    monkeypatch.setattr(type(closed), "running", True)
    with pytest.raises(ChildInterrupted):
        process_of(own_recognizer)
    assert process_of(own_recognizer)


def test_a_recogniser_without_work_ends(own_recognizer: Recognizer, timers: list[FakeTimer]) -> None:
    process_of(own_recognizer)
    timers[0].fire()
    assert not own_recognizer.running


def test_a_request_that_begins_when_the_process_is_to_end_keeps_it(
    own_recognizer: Recognizer, timers: list[FakeTimer]
) -> None:
    first = process_of(own_recognizer)
    second = process_of(own_recognizer)
    timers[0].fire()
    assert first == second == process_of(own_recognizer)

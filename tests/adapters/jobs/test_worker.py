"""The work on recordings: queued with its event, done once, tried again while that helps, and always told."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from adapters.jobs import worker as job_worker
from adapters.jobs.queue import enqueue
from adapters.jobs.worker import MAX_ATTEMPTS, PAUSES_SECONDS, Worker
from adapters.postgres.database import Database
from domain.commands import Commands
from domain.commands.recordings import RecordingCommands, Upload
from domain.errors import StepFailed, UnavailableError
from domain.events import TicketEvent
from domain.ports import Report
from domain.values import ContentStatus, Step, Transcript
from tests.client import WAIT_SECONDS, eventually
from tests.domain.facts import AUDIO, HOLDER, NEWER_RECORDING, RECORDING
from tests.fakes.outside import fake_commands
from tests.fakes.speech import FakeTranscriber
from tests.fakes.stores import MemoryContents
from tests.fakes.worlds import opened
from tests.stores import Stores

CANARY = "canary-of-a-person"
NO_SPEECH = StepFailed("no_speech", "Nothing was said.", retryable=False)
AWAY = StepFailed("engine_away", "Later.", retryable=True)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """Capture log entries instead of printing them."""
    with capture_logs() as events:
        yield events


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long in a test."""
    monkeypatch.setattr(job_worker, "PAUSES_SECONDS", (0, 0, 0))
    monkeypatch.setattr(job_worker, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(job_worker, "RESCUE_SECONDS", 0.2)


@dataclass
class Attempts(FakeTranscriber):
    """Fails in these ways, one after the other, before it succeeds."""

    faults: list[Exception] = field(default_factory=list)
    tried: int = 0

    def transcribe(self, recording: BinaryIO, report: Report) -> Transcript:
        self.tried += 1
        if self.faults:
            raise self.faults.pop(0)
        return super().transcribe(recording, report)


class Work:
    """A ticket with a recording, the commands on it, and workers."""

    def __init__(self, database: Database, **parts: Any) -> None:
        self.database = database
        self.stores = Stores(database)
        self.contents = MemoryContents()
        self.asked: Commands = fake_commands(
            tickets=self.stores.tickets, donations=self.stores.donations, contents=self.contents, **parts
        )
        self.ticket = uuid4()
        self.stores.tickets.add(opened(self.ticket))
        self.upload(RECORDING)

    def upload(self, recording: UUID) -> None:
        self.asked.recordings.upload(HOLDER, self.ticket, Upload(recording, BytesIO(recording.bytes), AUDIO, None))

    def worker(self, **more: Any) -> Worker:
        return Worker(self.database.url, self.database, self.asked, **more)

    @property
    def status(self) -> ContentStatus:
        return self.stores.tickets.get(self.ticket).lifecycle.status

    def topics(self) -> list[str]:
        return [stored.topic for stored in self.stores.log.ticket_events(self.ticket)][2:]

    def told(self) -> TicketEvent:
        return [stored.event() for stored in self.stores.log.ticket_events(self.ticket)][-1]

    def queue(self) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(
                "SELECT status, args->>'step', attempts FROM procrastinate_jobs ORDER BY id"
            ).fetchall()


@pytest.fixture
def work(database: Database) -> Iterator[Callable[..., Work]]:
    """Makes the work; `workers` of them run."""
    with ExitStack() as stack:

        def make(workers: int = 1, **parts: Any) -> Work:
            made = Work(database, **parts)
            for _ in range(workers):
                worker = made.worker()
                worker.start()
                stack.callback(worker.stop)
            return made

        yield make


DONE = ["processing_requested", "transcribed", "analysed", "draft_proposed"]


def test_a_requested_recording_is_processed_to_a_draft_and_leaves_an_empty_queue(work: Callable[..., Work]):
    made = work(workers=2)
    made.asked.recordings.process(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.READY)
    assert made.topics() == DONE
    eventually(lambda: made.queue() == [])


def test_work_queued_twice_is_done_once(work: Callable[..., Work]):
    transcriber = Attempts()
    made = work(workers=0, transcriber=transcriber)
    made.asked.recordings.process(HOLDER, made.ticket)
    with made.database.transaction() as cursor:
        enqueue(cursor, made.ticket, Step.TRANSCRIBE, RECORDING)
    worker = made.worker(concurrency=1)
    worker.start()
    eventually(lambda: made.queue() == [])
    worker.stop()
    assert (made.topics(), transcriber.tried) == (DONE, 1)


def test_a_newer_recording_drops_the_work_on_the_older_one(work: Callable[..., Work]):
    made = work(workers=0)
    made.asked.recordings.process(HOLDER, made.ticket)
    made.upload(NEWER_RECORDING)
    worker = made.worker()
    worker.start()
    eventually(lambda: made.queue() == [])
    worker.stop()
    assert made.topics() == ["processing_requested", "audio_uploaded"]


def test_a_fault_that_may_pass_is_tried_again(work: Callable[..., Work]):
    transcriber = Attempts(faults=[AWAY, RuntimeError("broken"), UnavailableError("away")])
    made = work(transcriber=transcriber)
    made.asked.recordings.process(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.READY)
    assert transcriber.tried == 4
    assert made.topics() == DONE


@pytest.mark.parametrize(("fault", "code"), [(AWAY, "engine_away"), (RuntimeError("broken"), "internal_error")])
def test_a_fault_that_does_not_pass_is_told_in_the_end(work: Callable[..., Work], fault: Exception, code: str):
    transcriber = Attempts(faults=[fault] * 9)
    made = work(transcriber=transcriber)
    made.asked.recordings.process(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.ERROR)
    told: Any = made.told()
    assert (told.code, told.retryable, transcriber.tried) == (code, True, 4)
    eventually(lambda: made.queue() == [])


def test_a_fault_that_cannot_pass_is_told_at_once(work: Callable[..., Work]):
    transcriber = Attempts(faults=[NO_SPEECH])
    made = work(transcriber=transcriber)
    made.asked.recordings.process(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.ERROR)
    told: Any = made.told()
    assert (told.code, told.retryable, transcriber.tried) == ("no_speech", False, 1)
    made.asked.recordings.retry(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.READY)


@pytest.mark.parametrize("fault", [AWAY, RuntimeError("broken"), UnavailableError("away")])
def test_the_pauses_between_attempts_grow(work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch, fault: Exception):
    monkeypatch.setattr(job_worker, "PAUSES_SECONDS", PAUSES_SECONDS)
    made = work(workers=0, transcriber=Attempts(faults=[fault] * 3))
    made.asked.recordings.process(HOLDER, made.ticket)
    pauses = []
    for attempt in range(3):
        with pytest.raises(job_worker._TryAgain) as again:
            made.worker()._work(Step.TRANSCRIBE, made.ticket, RECORDING, attempt)
        pauses.append(again.value.seconds)
    assert pauses == sorted(pauses) == list(PAUSES_SECONDS)


def test_a_job_that_takes_its_workers_down_is_abandoned(work: Callable[..., Work]):
    transcriber = Attempts()
    made = work(workers=0, transcriber=transcriber)
    made.asked.recordings.process(HOLDER, made.ticket)
    made.worker()._work(Step.TRANSCRIBE, made.ticket, RECORDING, MAX_ATTEMPTS)
    told: Any = made.told()
    assert (told.code, told.retryable, transcriber.tried) == ("abandoned", True, 0)


def test_a_failure_that_could_not_be_told_is_told_later(work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch):
    made = work(workers=0, transcriber=Attempts(faults=[NO_SPEECH, NO_SPEECH]))
    made.asked.recordings.process(HOLDER, made.ticket)

    def away(*_: Any) -> None:
        raise UnavailableError("The database is not available.")

    with monkeypatch.context() as patched:
        patched.setattr(RecordingCommands, "fail_step", away)
        with pytest.raises(job_worker._TryAgain):
            made.worker()._work(Step.TRANSCRIBE, made.ticket, RECORDING, 0)
    made.worker()._work(Step.TRANSCRIBE, made.ticket, RECORDING, 1)
    assert made.status is ContentStatus.ERROR


def test_a_recording_that_is_lost_does_not_leave_the_person_waiting(work: Callable[..., Work]):
    made = work()
    made.contents.kept.clear()
    made.asked.recordings.process(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.ERROR)


def test_work_on_a_ticket_that_was_erased_is_dropped(work: Callable[..., Work]):
    made = work(workers=0)
    made.asked.recordings.process(HOLDER, made.ticket)
    made.asked.tickets.erase(HOLDER, made.ticket)
    worker = made.worker()
    worker.start()
    eventually(lambda: made.queue() == [])
    worker.stop()
    assert made.topics() == ["processing_requested", "erased"]


# Workers that stop, and workers that die.


@dataclass
class Slow(FakeTranscriber):
    """Begins, and ends when it may; listens to its report now and then, or is deaf to it."""

    deaf: bool = False
    begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def transcribe(self, recording: BinaryIO, report: Report) -> Transcript:
        self.begun.set()
        while not self.may_end.wait(0.05):
            if not self.deaf:
                report(0.5)
        return self.outcome  # type: ignore[return-value]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_worker_that_stops_hands_its_job_back_in_time(
    work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch, deaf: bool
):
    assert job_worker.GRACE_SECONDS < 8 - 2
    monkeypatch.setattr(job_worker, "GRACE_SECONDS", 1.0)
    slow = Slow(deaf=deaf)
    made = work(workers=0, transcriber=slow)
    made.asked.recordings.process(HOLDER, made.ticket)
    worker = made.worker()
    worker.start()
    assert slow.begun.wait(WAIT_SECONDS)
    # The recording is still being transcribed when this returns.
    worker.stop()
    assert not slow.may_end.is_set()
    [(status, step, _)] = made.queue()
    assert (status, step) == ("todo", "transcribe")
    slow.may_end.set()
    another = made.worker()
    another.start()
    eventually(lambda: made.status is ContentStatus.READY)
    another.stop()
    assert made.topics() == DONE


def test_the_job_of_a_killed_worker_is_rescued_and_done_once(
    work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(job_worker, "STALLED_SECONDS", 2.0)
    made = work(workers=0)
    made.asked.recordings.process(HOLDER, made.ticket)
    child = [sys.executable, "-m", "tests.adapters.jobs.working", made.database.url]
    with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline().strip() == "transcribing"
        killed.kill()
    worker = made.worker()
    worker.start()
    eventually(lambda: made.status is ContentStatus.READY)
    worker.stop()
    assert made.topics() == DONE


def test_a_worker_goes_on_when_its_connections_were_lost(work: Callable[..., Work]):
    made = work()
    eventually(lambda: made.queue() == [])
    with made.database.connection() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> 'storyledger'"
        )
    made.asked.recordings.process(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.READY)


# What the logs tell.


def test_the_logs_of_a_failing_job_name_no_person(
    work: Callable[..., Work], logged: list[EventDict], caplog: pytest.LogCaptureFixture, capfd: Any
):
    caplog.set_level(logging.DEBUG)
    faults = [
        RuntimeError(f"could not parse {CANARY}"),
        StepFailed("odd", f"{CANARY} was hard to hear", retryable=True),
        ValueError(CANARY),
        StepFailed("odd", f"{CANARY} was hard to hear", retryable=False),
    ]
    made = work(transcriber=Attempts(faults=faults))  # type: ignore[arg-type]
    made.asked.recordings.process(HOLDER, made.ticket)
    eventually(lambda: made.status is ContentStatus.ERROR)
    eventually(lambda: made.queue() == [])
    captured = capfd.readouterr()
    everything = caplog.text + repr(logged) + captured.out + captured.err
    assert CANARY not in everything
    assert {"step broke", "step failed, will be tried again", "step failed"} <= {line["event"] for line in logged}
    assert all(line["ticket"] == str(made.ticket) for line in logged if line["event"].startswith("step"))

"""Jobs for recordings are queued with their event, done once and retried, and every outcome is recorded."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import pytest
from procrastinate import sql
from structlog.testing import capture_logs
from structlog.typing import EventDict

from adapters.jobs import worker as job_worker
from adapters.jobs.queue import enqueue, requested_by
from adapters.jobs.worker import MAX_ATTEMPTS, PAUSES_SECONDS, Worker
from adapters.postgres.database import Database
from domain.commands import Commands
from domain.commands.recordings import RecordingCommands, Upload
from domain.errors import NotInstalledError, RefusedError, StepFailed, UnavailableError
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
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses of workers short."""
    monkeypatch.setattr(job_worker, "PAUSES_SECONDS", (0, 0, 0))
    monkeypatch.setattr(job_worker, "INSTALL_SECONDS", 0)
    monkeypatch.setattr(job_worker, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(job_worker, "RESCUE_SECONDS", 0.2)


@dataclass
class FailingTranscriber(FakeTranscriber):
    """Raises the `faults` in order before it succeeds."""

    faults: list[Exception] = field(default_factory=list)
    tried: int = 0

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        self.tried += 1
        if self.faults:
            raise self.faults.pop(0)
        return super().transcribe(recording, report, hints)


class TicketJobs:
    """A ticket with a recording, its commands and its workers."""

    def __init__(self, database: Database, **fakes: Any) -> None:
        self.database = database
        self.stores = Stores(database)
        self.contents = MemoryContents()
        self.commands: Commands = fake_commands(
            tickets=self.stores.tickets, donations=self.stores.donations, contents=self.contents, **fakes
        )
        self.ticket = uuid4()
        self.stores.tickets.add(opened(self.ticket))
        self.upload(RECORDING)

    def upload(self, recording: UUID) -> None:
        self.commands.recordings.upload(HOLDER, self.ticket, Upload(recording, BytesIO(recording.bytes), AUDIO, None))

    def worker(self, **more: Any) -> Worker:
        return Worker(self.database.url, self.database, self.commands, **more)

    @property
    def status(self) -> ContentStatus:
        return self.stores.tickets.get(self.ticket).lifecycle.status

    def topics(self) -> list[str]:
        return [stored.topic for stored in self.stores.log.ticket_events(self.ticket)][2:]

    def last_event(self) -> TicketEvent:
        return [stored.event() for stored in self.stores.log.ticket_events(self.ticket)][-1]

    def queue(self) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(
                "SELECT status, args->>'step', attempts FROM procrastinate_jobs ORDER BY id"
            ).fetchall()


@pytest.fixture
def make_jobs(database: Database) -> Iterator[Callable[..., TicketJobs]]:
    """Return a function that makes a `TicketJobs` with running workers."""
    with ExitStack() as stack:

        def make(workers: int = 1, **fakes: Any) -> TicketJobs:
            jobs = TicketJobs(database, **fakes)
            for _ in range(workers):
                worker = jobs.worker()
                worker.start()
                stack.callback(worker.stop)
            return jobs

        yield make


TOPICS_OF_A_DRAFT = ["processing_requested", "transcribed", "analysed", "draft_proposed"]


def test_a_requested_recording_is_processed_to_a_draft_and_leaves_an_empty_queue(make_jobs: Callable[..., TicketJobs]):
    jobs = make_jobs(workers=2)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.READY)
    assert jobs.topics() == TOPICS_OF_A_DRAFT
    eventually(lambda: jobs.queue() == [])


def test_every_recording_is_transcribed_in_the_slot_of_whoever_asked(make_jobs: Callable[..., TicketJobs]):
    locks: list[object] = []

    class Looking(FakeTranscriber):
        def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
            locks.append(jobs.database.row("SELECT lock FROM procrastinate_jobs WHERE status = 'doing'"))
            return super().transcribe(recording, report, hints)

    jobs = make_jobs(workers=0, transcriber=Looking())
    jobs.upload(NEWER_RECORDING)
    with requested_by("a client"):
        jobs.commands.recordings.process(HOLDER, jobs.ticket)
    worker = jobs.worker()
    worker.start()
    eventually(lambda: jobs.status is ContentStatus.READY)
    worker.stop()
    assert jobs.topics()[1:] == ["processing_requested", "transcribed", *TOPICS_OF_A_DRAFT]
    assert locks == [("a client",), ("a client",)]


def test_a_step_waits_for_a_part_that_an_operator_must_install_without_counting_its_attempts(
    make_jobs: Callable[..., TicketJobs], logged: list[EventDict]
):
    missing = [NotInstalledError("the speech model has no readable file model.bin")] * (MAX_ATTEMPTS + 1)
    transcriber = FailingTranscriber(faults=list(missing))
    jobs = make_jobs(transcriber=transcriber)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.READY)
    assert jobs.topics() == TOPICS_OF_A_DRAFT
    assert transcriber.tried == len(missing) + 1
    assert {event["missing"] for event in logged if event["event"] == "step waits"} == {str(missing[0])}
    eventually(lambda: jobs.queue() == [])


def test_a_step_that_is_queued_twice_is_done_once(make_jobs: Callable[..., TicketJobs]):
    transcriber = FailingTranscriber()
    jobs = make_jobs(workers=0, transcriber=transcriber)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    with jobs.database.transaction() as cursor:
        enqueue(cursor, jobs.ticket, Step.TRANSCRIBE, RECORDING)
    worker = jobs.worker(concurrency=1)
    worker.start()
    eventually(lambda: jobs.queue() == [])
    worker.stop()
    assert (jobs.topics(), transcriber.tried) == (TOPICS_OF_A_DRAFT, 1)


def test_a_newer_recording_drops_the_work_on_the_older_one(make_jobs: Callable[..., TicketJobs]):
    jobs = make_jobs(workers=0)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    jobs.upload(NEWER_RECORDING)
    worker = jobs.worker()
    worker.start()
    eventually(lambda: jobs.queue() == [])
    worker.stop()
    assert jobs.topics() == ["processing_requested", "audio_uploaded"]


def test_a_temporary_fault_is_retried(make_jobs: Callable[..., TicketJobs]):
    transcriber = FailingTranscriber(faults=[AWAY, RuntimeError("broken"), UnavailableError("away")])
    jobs = make_jobs(transcriber=transcriber)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.READY)
    assert transcriber.tried == 4
    assert jobs.topics() == TOPICS_OF_A_DRAFT


@pytest.mark.parametrize(("fault", "code"), [(AWAY, "engine_away"), (RuntimeError("broken"), "internal_error")])
def test_a_lasting_fault_is_recorded_after_the_last_attempt(
    make_jobs: Callable[..., TicketJobs], fault: Exception, code: str
):
    transcriber = FailingTranscriber(faults=[fault] * 9)
    jobs = make_jobs(transcriber=transcriber)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.ERROR)
    failure: Any = jobs.last_event()
    assert (failure.code, failure.retryable, transcriber.tried) == (code, True, 4)
    eventually(lambda: jobs.queue() == [])


def test_a_permanent_fault_is_recorded_at_once(make_jobs: Callable[..., TicketJobs]):
    transcriber = FailingTranscriber(faults=[NO_SPEECH])
    jobs = make_jobs(transcriber=transcriber)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.ERROR)
    failure: Any = jobs.last_event()
    assert (failure.code, failure.retryable, transcriber.tried) == ("no_speech", False, 1)
    with pytest.raises(RefusedError, match="would fail again"):
        jobs.commands.recordings.retry(HOLDER, jobs.ticket)
    jobs.upload(NEWER_RECORDING)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.READY)


@pytest.mark.parametrize("fault", [AWAY, RuntimeError("broken"), UnavailableError("away")])
def test_the_pauses_between_attempts_grow(
    make_jobs: Callable[..., TicketJobs], monkeypatch: pytest.MonkeyPatch, fault: Exception
):
    monkeypatch.setattr(job_worker, "PAUSES_SECONDS", PAUSES_SECONDS)
    jobs = make_jobs(workers=0, transcriber=FailingTranscriber(faults=[fault] * 3))
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    pauses = []
    for attempt in range(3):
        with pytest.raises(job_worker._TryAgain) as retry:
            jobs.worker()._work(Step.TRANSCRIBE, jobs.ticket, RECORDING, attempt)
        pauses.append(retry.value.seconds)
    assert pauses == sorted(pauses) == list(PAUSES_SECONDS)


def test_a_job_that_crashes_its_workers_is_abandoned(make_jobs: Callable[..., TicketJobs]):
    transcriber = FailingTranscriber()
    jobs = make_jobs(workers=0, transcriber=transcriber)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    jobs.worker()._work(Step.TRANSCRIBE, jobs.ticket, RECORDING, MAX_ATTEMPTS)
    failure: Any = jobs.last_event()
    assert (failure.code, failure.retryable, transcriber.tried) == ("abandoned", True, 0)


def test_a_failure_that_could_not_be_recorded_is_recorded_later(
    make_jobs: Callable[..., TicketJobs], monkeypatch: pytest.MonkeyPatch
):
    jobs = make_jobs(workers=0, transcriber=FailingTranscriber(faults=[NO_SPEECH, NO_SPEECH]))
    jobs.commands.recordings.process(HOLDER, jobs.ticket)

    def away(*_: Any) -> None:
        raise UnavailableError("The database is not available.")

    with monkeypatch.context() as patched:
        patched.setattr(RecordingCommands, "fail_step", away)
        with pytest.raises(job_worker._TryAgain):
            jobs.worker()._work(Step.TRANSCRIBE, jobs.ticket, RECORDING, 0)
    jobs.worker()._work(Step.TRANSCRIBE, jobs.ticket, RECORDING, 1)
    assert jobs.status is ContentStatus.ERROR


def test_a_lost_recording_is_recorded_as_an_error(make_jobs: Callable[..., TicketJobs]):
    jobs = make_jobs()
    jobs.contents.kept.clear()
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.ERROR)


def test_work_on_a_ticket_that_was_erased_is_dropped(make_jobs: Callable[..., TicketJobs]):
    jobs = make_jobs(workers=0)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    jobs.commands.tickets.erase(HOLDER, jobs.ticket)
    worker = jobs.worker()
    worker.start()
    eventually(lambda: jobs.queue() == [])
    worker.stop()
    assert jobs.topics() == ["processing_requested", "erased"]


# Workers that are stopped or killed.


@dataclass
class Slow(FakeTranscriber):
    """Sets `started` and ends when `may_end` is set. Reports progress meanwhile, unless it is `deaf`."""

    deaf: bool = False
    started: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        self.started.set()
        while not self.may_end.wait(0.05):
            if not self.deaf:
                report(0.5)
        return self.outcome  # type: ignore[return-value]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_worker_that_stops_hands_its_job_back_in_time(
    make_jobs: Callable[..., TicketJobs], monkeypatch: pytest.MonkeyPatch, deaf: bool
):
    assert job_worker.GRACE_SECONDS < 8 - 2
    monkeypatch.setattr(job_worker, "GRACE_SECONDS", 1.0)
    slow = Slow(deaf=deaf)
    jobs = make_jobs(workers=0, transcriber=slow)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    worker = jobs.worker()
    worker.start()
    assert slow.started.wait(WAIT_SECONDS)
    # The recording is still being transcribed when this returns.
    worker.stop()
    assert not slow.may_end.is_set()
    [(status, step, _)] = jobs.queue()
    assert (status, step) == ("todo", "transcribe")
    slow.may_end.set()
    next_worker = jobs.worker()
    next_worker.start()
    eventually(lambda: jobs.status is ContentStatus.READY)
    next_worker.stop()
    assert jobs.topics() == TOPICS_OF_A_DRAFT


@pytest.mark.parametrize("query", ["register_worker", "select_stalled_jobs_by_heartbeat"])
def test_a_worker_stops_in_time_although_a_query_loses_its_cancellation(
    make_jobs: Callable[..., TicketJobs], monkeypatch: pytest.MonkeyPatch, query: str
):
    waits = threading.Event()

    async def answer_when_cancelled(asked: object) -> None:
        if asked == sql.queries[query] and not waits.is_set():
            waits.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    class Forgetful(job_worker._Connector):
        async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
            await answer_when_cancelled(query)
            return await super().execute_query_one_async(query, **arguments)

        async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
            await answer_when_cancelled(query)
            return await super().execute_query_all_async(query, **arguments)

    monkeypatch.setattr(job_worker, "_Connector", Forgetful)
    worker = make_jobs(workers=0).worker()
    threads_before = set(threading.enumerate())
    worker.start()
    assert waits.wait(WAIT_SECONDS)
    worker.stop()
    assert not [thread for thread in set(threading.enumerate()) - threads_before if thread.name == "worker"]


def test_the_job_of_a_killed_worker_is_rescued_and_done_once(
    make_jobs: Callable[..., TicketJobs], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(job_worker, "STALLED_SECONDS", 2.0)
    jobs = make_jobs(workers=0)
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    child = [sys.executable, "-m", "tests.adapters.jobs.working", jobs.database.url]
    with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline().strip() == "transcribing"
        killed.kill()
    worker = jobs.worker()
    worker.start()
    eventually(lambda: jobs.status is ContentStatus.READY)
    worker.stop()
    assert jobs.topics() == TOPICS_OF_A_DRAFT


def test_a_worker_continues_after_its_connections_were_lost(make_jobs: Callable[..., TicketJobs]):
    jobs = make_jobs()
    eventually(lambda: jobs.queue() == [])
    with jobs.database.connection() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> 'storyledger'"
        )
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.READY)


# Logs.


def test_the_logs_of_a_failing_job_name_no_person(
    make_jobs: Callable[..., TicketJobs], logged: list[EventDict], caplog: pytest.LogCaptureFixture, capfd: Any
):
    caplog.set_level(logging.DEBUG)
    faults = [
        RuntimeError(f"could not parse {CANARY}"),
        StepFailed("odd", f"{CANARY} was hard to hear", retryable=True),
        ValueError(CANARY),
        StepFailed("odd", f"{CANARY} was hard to hear", retryable=False),
    ]
    jobs = make_jobs(transcriber=FailingTranscriber(faults=faults))  # type: ignore[arg-type]
    jobs.commands.recordings.process(HOLDER, jobs.ticket)
    eventually(lambda: jobs.status is ContentStatus.ERROR)
    eventually(lambda: jobs.queue() == [])
    captured = capfd.readouterr()
    everything = caplog.text + repr(logged) + captured.out + captured.err
    assert CANARY not in everything
    assert {"step broke", "step failed, will be tried again", "step failed"} <= {line["event"] for line in logged}
    assert all(line["ticket"] == str(jobs.ticket) for line in logged if line["event"].startswith("step"))

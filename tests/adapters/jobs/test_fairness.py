"""Recordings share the workers fairly although some send many or long ones, and erasures do not wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import pytest
from procrastinate import sql
from psycopg import Connection

from adapters.jobs import queue as job_queue
from adapters.jobs import worker as job_worker
from adapters.jobs.queue import LONG_QUEUE, LONG_SECONDS, QUEUE, enqueue, enqueue_repeated_erasure, requested_by
from adapters.jobs.worker import Worker
from adapters.postgres.database import Database, connect
from domain.commands.recordings import Upload
from domain.ports import Report
from domain.values import AudioFacts, Step, Transcript
from tests.client import WAIT_SECONDS, eventually
from tests.domain.facts import HOLDER
from tests.fakes.clock import StandingClock
from tests.fakes.outside import fake_commands
from tests.fakes.speech import FakeTranscriber
from tests.fakes.stores import MemoryContents
from tests.fakes.worlds import opened
from tests.stores import Stores

MINUTE, HOUR = 60, 3600
EVERY_QUEUE = [QUEUE, LONG_QUEUE]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    """Return the clock by which transcriptions are ordered."""
    standing = StandingClock()
    standing.now = job_queue.PRIORITY_EPOCH + 1_000_000
    monkeypatch.setattr(job_queue, "time", standing)
    return standing


class JobQueue:
    """Jobs for recordings, which the test takes as a worker does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: dict[UUID, str] = {}
        with database.transaction() as cursor:
            row = cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id").fetchone()
        assert row is not None
        self._worker = row[0]

    def add(
        self,
        name: str,
        seconds: int = MINUTE,
        client: str | None = None,
        step: Step = Step.TRANSCRIBE,
        ticket: UUID | None = None,
    ) -> None:
        ticket = ticket or uuid4()
        recording = uuid4()
        self._names[recording] = name
        with self._database.transaction() as cursor, requested_by(client):
            enqueue(cursor, ticket, step, recording, seconds)

    def take(self, queues: list[str] = EVERY_QUEUE) -> str | None:
        """Return the name of the job that a worker with a free slot for these queues takes, or None."""
        row = self._database.row(
            "SELECT id, args->>'recording' FROM procrastinate_fetch_job_v2(%s, %s)", (queues, self._worker)
        )
        assert row is not None
        return None if row[0] is None else self._names[UUID(row[1])]

    def finish(self, name: str) -> None:
        recording = next(recording for recording, known in self._names.items() if known == name)
        self._database.row(
            "SELECT procrastinate_finish_job_v1(id, 'succeeded', true) FROM procrastinate_jobs"
            " WHERE args->>'recording' = %s",
            (str(recording),),
        )

    def take_all(self) -> list[str]:
        """Take and finish one job after the other, and return their names."""
        names = []
        while (name := self.take()) is not None:
            names.append(name)
            self.finish(name)
        return names


@pytest.fixture
def jobs(database: Database) -> JobQueue:
    return JobQueue(database)


def test_one_transcription_of_a_client_runs_at_a_time(jobs: JobQueue):
    for number in range(3):
        jobs.add(f"hostile {number}", client="address:1")
    jobs.add("honest", client="address:2")
    assert [jobs.take() for _ in range(3)] == ["hostile 0", "honest", None]
    jobs.finish("hostile 0")
    assert [jobs.take() for _ in range(2)] == ["hostile 1", None]


def test_one_transcription_of_a_ticket_runs_at_a_time_if_a_key_asked_for_it(jobs: JobQueue):
    ticket = uuid4()
    jobs.add("first", ticket=ticket)
    jobs.add("again", ticket=ticket)
    jobs.add("another ticket")
    assert [jobs.take() for _ in range(3)] == ["first", "another ticket", None]


def test_the_shortest_transcription_goes_first(jobs: JobQueue, clock: StandingClock):
    for minutes in (9, 2, 5):
        jobs.add(f"{minutes} minutes", minutes * MINUTE)
    assert jobs.take_all() == ["2 minutes", "5 minutes", "9 minutes"]


def test_a_recording_waits_for_shorter_ones_only_as_long_as_it_is_itself(jobs: JobQueue, clock: StandingClock):
    jobs.add("10 minutes", 10 * MINUTE)
    clock.now += 8 * MINUTE
    jobs.add("overtakes", MINUTE)
    clock.now += 2 * MINUTE
    jobs.add("does not", MINUTE)
    assert jobs.take_all() == ["overtakes", "10 minutes", "does not"]


def test_the_short_steps_that_follow_go_before_every_transcription(jobs: JobQueue):
    jobs.add("transcription", 1, client="address:1")
    jobs.add("analysis", HOUR, client="address:1", step=Step.ANALYSE)
    jobs.add("draft", HOUR, client="address:1", step=Step.DRAFT)
    assert [jobs.take([QUEUE]) for _ in range(4)] == ["analysis", "draft", "transcription", None]


def test_long_recordings_have_a_queue_of_their_own(jobs: JobQueue):
    jobs.add("long", LONG_SECONDS + 1)
    jobs.add("short", LONG_SECONDS)
    assert [jobs.take([QUEUE]), jobs.take([QUEUE]), jobs.take([LONG_QUEUE])] == ["short", None, "long"]


def test_a_job_of_an_earlier_version_is_taken(database: Database, jobs: JobQueue):
    """It has no lock and no priority, and was enqueued before those that have."""
    jobs.add("new", 1)
    jobs.add("old", HOUR)
    database.execute("UPDATE procrastinate_jobs SET priority = 0, lock = NULL, queue_name = 'steps' WHERE id = 2")
    assert jobs.take_all() == ["old", "new"]


def test_two_workers_that_take_the_same_lock_at_once_do_not_fail(database: Database, jobs: JobQueue):
    """While one takes a job, a shorter one of the same client arrives, and the other takes that."""
    jobs.add("first", MINUTE, client="address:1")
    url = database.url

    async def take() -> dict[str, Any]:
        connector = job_worker._Connector(conninfo=url)
        async with job_worker.App(connector=connector).open_async():
            return await connector.execute_query_one_async(
                sql.queries["fetch_job"], queues=EVERY_QUEUE, worker_id=jobs._worker
            )

    with connect(url) as slow, slow.transaction():
        _fetch(slow, jobs._worker)
        jobs.add("shorter", 1, client="address:1")
        rows: list[dict[str, Any]] = []
        other = threading.Thread(target=lambda: rows.append(asyncio.run(take())))
        other.start()
        eventually(
            lambda: (
                database.row(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity"
                    " WHERE wait_event = 'transactionid' AND datname = current_database())"
                )
                == (True,)
            )
        )
    other.join(WAIT_SECONDS)
    assert [row["id"] for row in rows] == [None]
    assert jobs.take() is None
    jobs.finish("first")
    assert jobs.take() == "shorter"


def _fetch(connection: Connection[Any], worker: int) -> None:
    connection.execute("SELECT procrastinate_fetch_job_v2(%s, %s)", (EVERY_QUEUE, worker))


# A running worker.


@dataclass
class HeldTranscriber(FakeTranscriber):
    """Transcribes a recording until the test ends. The content of a recording is its name."""

    running: list[str] = field(default_factory=list)
    may_end: threading.Event = field(default_factory=threading.Event)

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        self.running.append(recording.read().decode())
        assert self.may_end.wait(WAIT_SECONDS)
        return super().transcribe(recording, report, hints)


class WorkingService:
    """A worker with two slots for short recordings and one for long ones, and recordings of several clients."""

    def __init__(self, database: Database) -> None:
        self._stores = Stores(database)
        self.transcriber = HeldTranscriber()
        self._commands = fake_commands(
            tickets=self._stores.tickets,
            donations=self._stores.donations,
            contents=MemoryContents(),
            transcriber=self.transcriber,
        )
        self.worker = Worker(database.url, database, self._commands)

    def process(self, name: str, seconds: int) -> None:
        ticket, recording = uuid4(), uuid4()
        self._stores.tickets.add(opened(ticket))
        facts = AudioFacts("audio/ogg", seconds * 1000)
        self._commands.recordings.upload(HOLDER, ticket, Upload(recording, BytesIO(name.encode()), facts, None))
        with requested_by(f"address:{name}"):
            self._commands.recordings.process(HOLDER, ticket)


@pytest.fixture
def service(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkingService]:
    monkeypatch.setattr(job_worker, "POLL_SECONDS", 0.05)
    running = WorkingService(database)
    yield running
    running.transcriber.may_end.set()
    running.worker.stop()


def test_two_recordings_of_an_hour_leave_the_slots_of_short_ones(service: WorkingService, database: Database):
    service.process("long", HOUR)
    service.process("longer", HOUR + 1)
    service.worker.start()
    eventually(lambda: service.transcriber.running == ["long"])
    service.process("short", MINUTE)
    eventually(lambda: service.transcriber.running == ["long", "short"])
    service.transcriber.may_end.set()
    eventually(lambda: database.row("SELECT count(*) FROM procrastinate_jobs") == (0,))
    assert service.transcriber.running == ["long", "short", "longer"]


def test_an_erasure_does_not_wait_for_transcriptions(
    service: WorkingService, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(job_queue, "REPEAT_ERASURE_SECONDS", 0)
    service.process("long", HOUR)
    service.process("short", MINUTE)
    service.process("another", MINUTE)
    service.worker.start()
    eventually(lambda: len(service.transcriber.running) == 3)
    with database.transaction() as cursor:
        enqueue_repeated_erasure(cursor, uuid4())
    eventually(lambda: database.row("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'forget'") == (0,))
    assert not service.transcriber.may_end.is_set()

"""Every minute one process records the state of each part; a part that is broken stops no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.health.parts import Measured, Part, State
from adapters.health.records import KEPT, MINUTE, HealthRecords
from adapters.health.sampler import HealthSampler
from adapters.ids import uuid7
from adapters.postgres.database import Database
from domain.errors import UnavailableError

NOON = datetime(2026, 5, 4, 12, 0, 20, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, count: float) -> None:
        self.now += count * MINUTE


class PartOfTheService:
    """A part whose state a test sets, and which counts how often it is measured."""

    def __init__(self, state: State | Exception = State.WORKS) -> None:
        self.state = state
        self.measured = 0

    def __call__(self) -> Measured:
        self.measured += 1
        if isinstance(self.state, Exception):
            raise self.state
        return Measured(self.state, {"waiting": self.measured})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(database: Database) -> HealthRecords:
    return HealthRecords(database)


def states(records: HealthRecords, clock: Clock) -> dict[Part, list[State]]:
    return {part: [run.state for run in runs] for part, runs in records.runs(clock.now).items() if runs}


def test_each_part_is_measured_once_a_minute_whatever_the_number_of_processes(records: HealthRecords, clock: Clock):
    jobs, disk = PartOfTheService(), PartOfTheService()
    web = HealthSampler(records, {Part.JOBS: jobs}, clock)
    worker = HealthSampler(records, {Part.JOBS: jobs, Part.DISK: disk}, clock)
    for _ in range(3):
        web.sample()
        worker.sample()
        worker.sample()
        clock.pass_minutes(1)
    assert (jobs.measured, disk.measured) == (3, 3)
    [run] = records.runs(clock.now)[Part.DISK]
    assert (run.state, run.first, run.last) == (State.WORKS, NOON.replace(second=0), NOON.replace(minute=2, second=0))
    assert run.measures == {"waiting": 3}


def test_a_part_that_cannot_be_measured_stops_no_other(records: HealthRecords, clock: Clock):
    parts = {
        Part.JOBS: PartOfTheService(UnavailableError("the statement took too long")),
        Part.MAILS: PartOfTheService(ZeroDivisionError()),
        Part.DISK: PartOfTheService(State.FAILS),
    }
    HealthSampler(records, parts, clock).sample()
    assert states(records, clock) == {Part.DISK: [State.FAILS]}


def test_successive_minutes_with_one_state_are_one_run_and_a_gap_ends_it(records: HealthRecords, clock: Clock):
    part = PartOfTheService()
    sampler = HealthSampler(records, {Part.JOBS: part}, clock)
    for state in (State.WORKS, State.WORKS, State.SLOW, State.WORKS, None, State.WORKS):
        if state is not None:
            part.state = state
            sampler.sample()
        clock.pass_minutes(1)
    runs = records.runs(clock.now)[Part.JOBS]
    assert [(run.state, (run.last - run.first) // MINUTE + 1) for run in runs] == [
        (State.WORKS, 2),
        (State.SLOW, 1),
        (State.WORKS, 1),
        (State.WORKS, 1),
    ]


def test_samples_are_deleted_after_a_day(records: HealthRecords, clock: Clock, database: Database):
    sampler = HealthSampler(records, {Part.JOBS: PartOfTheService()}, clock)
    sampler.sample()
    clock.now += KEPT + MINUTE
    sampler.sample()
    assert database.row("SELECT count(*) FROM health_samples") == (1,)


def test_samples_of_a_clock_that_was_wrong_are_deleted(records: HealthRecords, clock: Clock, database: Database):
    sampler = HealthSampler(records, {Part.JOBS: PartOfTheService()}, clock)
    clock.pass_minutes(5_000)
    sampler.sample()
    clock.pass_minutes(-5_000)
    sampler.sample()
    assert database.rows("SELECT at FROM health_samples") == [(NOON.replace(second=0),)]


def test_the_next_sample_is_due_when_the_next_minute_begins(records: HealthRecords, clock: Clock):
    assert HealthSampler(records, {}, clock)._sample_until_next() == 40.0


def test_a_process_that_ended_while_it_measured_leaves_no_sample(records: HealthRecords, clock: Clock):
    assert records.claim(NOON.replace(second=0), [Part.JOBS, Part.DISK]) == [Part.JOBS, Part.DISK]
    assert states(records, clock) == {}
    # Another process measures the part again in the next minute only.
    assert records.claim(NOON.replace(second=0), [Part.JOBS]) == []


def test_an_outage_of_the_database_is_known_from_what_the_watchdog_noted(
    records: HealthRecords, clock: Clock, database: Database
):
    back_at = NOON - timedelta(minutes=10)
    database.execute(
        "INSERT INTO health_checks (id, checked_at, outcome, away_seconds) VALUES (%s, %s, 'back', 150),"
        " (%s, %s, 'started', NULL)",
        (uuid7(), back_at, uuid7(), back_at),
    )
    [outage] = records.runs(clock.now)[Part.DATABASE]
    assert (outage.state, outage.first, outage.last) == (
        State.FAILS,
        datetime(2026, 5, 4, 11, 47, tzinfo=UTC),
        datetime(2026, 5, 4, 11, 50, tzinfo=UTC),
    )

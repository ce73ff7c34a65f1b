"""The state of each part follows from how long work waits, and from what waits for a person."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from adapters.health import measures, surroundings
from adapters.health.limits import FAILS_AFTER_LIMITS
from adapters.health.parts import Measured, Part, State, state_of_wait
from adapters.health.surroundings import STORAGE_PAUSE, BoundedMeasure, IncreaseInHour, StorageMeasure
from adapters.ids import uuid7
from adapters.mail.outbox import Channel
from adapters.postgres.database import Database
from domain.errors import FullError, UnavailableError
from entrypoints.composition.foundation import Parts
from entrypoints.composition.service import Service

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (0, State.WORKS),
        (60, State.WORKS),
        (61, State.SLOW),
        (60 * FAILS_AFTER_LIMITS, State.SLOW),
        (60 * FAILS_AFTER_LIMITS + 1, State.FAILS),
    ],
)
def test_work_that_waits_too_long_is_slow_and_then_fails(seconds: float, state: State):
    assert state_of_wait(seconds, 60) is state


def measured(database: Database, measure: Callable) -> Measured:
    return measures.reading(database, measure)()


def test_all_parts_of_an_idle_service_work_or_are_not_set_up(make_service: Callable[..., Service]):
    service = make_service(Parts.ALL, min_free_mb=0)
    service.health.sampler.sample()
    now = datetime.now(UTC)
    states = {part: runs[-1].state for part, runs in service.health.records.runs(now).items()}
    off = {Part.MAILS, Part.TEXTS, Part.BACKUP}
    # Whether the model for speech is installed depends on the machine.
    assert states.pop(Part.SPEECH) in (State.OFF, State.WORKS)
    assert states == {part: State.OFF if part in off else State.WORKS for part in Part if part is not Part.SPEECH}


def test_a_process_measures_storage_and_models_only_where_the_worker_runs(make_service: Callable[..., Service]):
    service = make_service(frozenset({Parts.WEB}))
    service.health.sampler.sample()
    parts = {part for part, runs in service.health.records.runs(datetime.now(UTC)).items() if runs}
    local = {Part.FILES, Part.DISK, Part.SPEECH, Part.DRAFTING, Part.PROOF}
    assert parts == set(Part) - local


def test_a_dead_letter_makes_webhooks_slow(database: Database):
    assert measured(database, measures.webhooks).state is State.WORKS
    _receive(database, "dead", seconds=0)
    measure = measured(database, measures.webhooks)
    assert (measure.state, measure.measures["dead"]) == (State.SLOW, 1)


def test_a_webhook_that_waits_is_slow_and_then_fails(database: Database):
    _receive(database, "received", seconds=600)
    assert measured(database, measures.webhooks).state is State.SLOW
    _receive(database, "received", seconds=3600)
    found = measured(database, measures.webhooks)
    assert (found.state, found.measures["waiting"]) == (State.FAILS, 2)


def _receive(database: Database, state: str, seconds: float) -> None:
    database.execute(
        "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, state, received_at)"
        " VALUES (%s, 'charge.refunded', 0, '', %s, now() - make_interval(secs => %s))",
        (str(uuid7()), state, seconds),
    )


def test_mails_and_text_messages_are_measured_apart(database: Database):
    for channel, state, seconds in (("mail", "waiting", 1200), ("text", "dead", 0)):
        database.execute(
            "INSERT INTO outbox (id, key, kind, sealed, channel, state, created_at)"
            " VALUES (%s, %s, 'receipt', '', %s, %s, now() - make_interval(secs => %s))",
            (uuid7(), channel, channel, state, seconds),
        )
    mails, texts = (measured(database, measures.messages(channel)) for channel in (Channel.MAIL, Channel.TEXT))
    assert (mails.state, mails.measures["waiting"], mails.measures["dead"]) == (State.SLOW, 1, 0)
    assert (texts.state, texts.measures["waiting"], texts.measures["dead"]) == (State.SLOW, 0, 1)


def test_jobs_that_wait_although_none_runs_do_not_work(database: Database):
    [(second,)] = database.rows(
        "WITH jobs AS (INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
        " SELECT 'steps', 'work', '{}', 'todo' FROM generate_series(1, 2) RETURNING id)"
        " SELECT max(id) FROM jobs"
    )
    assert measured(database, measures.jobs).state is State.WORKS
    database.execute("UPDATE procrastinate_events SET at = now() - interval '10 minutes'")
    assert measured(database, measures.jobs).state is State.FAILS
    database.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", (second,))
    found = measured(database, measures.jobs)
    assert (found.state, found.measures["waiting"], found.measures["running"]) == (State.SLOW, 1, 1)


def test_a_backup_is_known_once_one_was_made(database: Database):
    assert measured(database, measures.backup).state is State.OFF
    for hours, state in ((1, State.WORKS), (72, State.SLOW), (24 * 30, State.FAILS)):
        database.execute("DELETE FROM last_backup")
        database.execute("INSERT INTO last_backup (taken_at) VALUES (now() - make_interval(hours => %s))", (hours,))
        assert measured(database, measures.backup).state is state


def test_a_refused_checkpoint_means_that_the_proof_does_not_work(database: Database):
    assert measured(database, measures.proof(lambda: 0)).state is State.WORKS
    assert measured(database, measures.proof(lambda: 1)).state is State.FAILS


def test_a_missing_read_model_does_not_work(database: Database):
    assert measured(database, measures.read_models).state is State.WORKS
    database.execute("DELETE FROM projections WHERE name = 'donation_ledger'")
    assert measured(database, measures.read_models).state is State.FAILS


class FakeStorage:
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.checks = 0

    def check(self) -> None:
        self.checks += 1
        if self.error is not None:
            raise self.error


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def test_a_storage_that_works_is_written_to_every_five_minutes_and_a_broken_one_every_minute():
    storage, clock = FakeStorage(), Clock()
    measure = BoundedMeasure(StorageMeasure(storage, clock))  # type: ignore[arg-type]
    assert [measure().state, measure().state] == [State.WORKS, State.WORKS]
    assert storage.checks == 1
    clock.now += STORAGE_PAUSE
    storage.error = UnavailableError("storage: read-only")
    assert [measure().state, measure().state] == [State.FAILS, State.FAILS]
    assert storage.checks == 3
    storage.error = None
    assert measure().state is State.WORKS


def test_a_part_that_hangs_does_not_work_and_is_asked_once_until_it_answers():
    answers, calls = threading.Event(), []

    def hanging() -> Measured:
        calls.append(1)
        answers.wait()
        return Measured(State.WORKS)

    measure = BoundedMeasure(hanging, seconds=0)
    assert [measure().state, measure().state] == [State.FAILS, State.FAILS]
    assert len(calls) == 1
    answers.set()
    assert BoundedMeasure(hanging)().state is State.WORKS


@pytest.mark.parametrize("error", [UnavailableError("gone"), FullError("full")])
def test_a_part_that_is_unavailable_does_not_work(error: Exception):
    def broken() -> Measured:
        raise error

    assert BoundedMeasure(broken)().state is State.FAILS


@pytest.mark.parametrize(
    ("free", "state"),
    [((None,), State.OFF), ((5, None), State.FAILS), ((10, 50), State.SLOW), ((20, 50), State.WORKS)],
)
def test_little_free_space_is_shown_before_nothing_can_be_stored(free: tuple[int | None, ...], state: State):
    places = [lambda free=each: free for each in free]
    assert surroundings.disk(10, places).state is state


def test_the_increase_of_a_counter_is_that_of_the_last_hour():
    clock, total = Clock(), [4.0]
    increase = IncreaseInHour(lambda: total[0], clock)
    assert increase() == 0
    total[0] = 6
    clock.now += timedelta(minutes=30)
    assert increase() == 2
    clock.now += timedelta(minutes=59)
    assert increase() == 2
    clock.now += timedelta(minutes=1)
    assert increase() == 0


@pytest.mark.parametrize(
    ("problem", "faults", "failed", "state"),
    [
        (None, 0, 5, State.WORKS),
        (None, 1, 0, State.SLOW),
        (None, 0, 6, State.SLOW),
        ("no model", 0, 0, State.OFF),
    ],
)
def test_a_model_is_slow_if_another_way_was_taken_or_many_jobs_failed(problem, faults, failed, state):
    assert surroundings.model(lambda: problem, lambda: faults, lambda: failed).state is state

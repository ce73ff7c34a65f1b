"""Measures of the state of each part, as far as the database knows it."""

import time
from collections.abc import Callable

from psycopg import Cursor
from psycopg.rows import TupleRow

import projections
from adapters.health import lag
from adapters.health.limits import (
    MOST_ANSWER_SECONDS,
    MOST_BACKUP_AGE_SECONDS,
    MOST_CALL_WAIT_SECONDS,
    MOST_JOB_WAIT_SECONDS,
    MOST_LAG_SECONDS,
    MOST_MAIL_WAIT_SECONDS,
    MOST_UNSIGNED_SECONDS,
    MOST_WEBHOOK_WAIT_SECONDS,
)
from adapters.health.parts import Measured, State, state_of_wait
from adapters.mail import outbox
from adapters.mail.outbox import Channel
from adapters.payments import inbox
from adapters.postgres.database import Database
from domain.errors import UnavailableError
from projections import donation_ledger

# No statement may take longer: it keeps health checks waiting, which use the same connection.
STATEMENT_SECONDS = 1.0

_UNSIGNED = (
    "SELECT greatest(0, extract(epoch FROM now() - recorded_at))::float FROM events"
    " WHERE position = (SELECT coalesce(max(size), 0) FROM proof_checkpoints) + 1"
)
_BACKUP = "SELECT greatest(0, extract(epoch FROM now() - taken_at))::float FROM last_backup"


def reading(database: Database, measure: Callable[[Cursor[TupleRow]], Measured]) -> Callable[[], Measured]:
    """Return the measure with a cursor of this database; UnavailableError if it does not answer soon."""

    def read() -> Measured:
        with database.snapshot(STATEMENT_SECONDS) as cursor:
            return measure(cursor)

    return read


def database_answers(database: Database, schema_fault: Callable[[], str | None]) -> Measured:
    """Measure how soon requests get a connection and an answer."""
    started = time.monotonic()
    try:
        database.row("SELECT 1")
    except UnavailableError:
        return Measured(State.FAILS)
    seconds = time.monotonic() - started
    state = State.SLOW if seconds > MOST_ANSWER_SECONDS else State.WORKS
    return Measured(state if schema_fault() is None else State.FAILS, {"answer_seconds": round(seconds, 3)})


def read_models(cursor: Cursor[TupleRow]) -> Measured:
    lags = lag.projections(cursor)
    seconds = max((each.seconds for each in lags.values()), default=0.0)
    is_missing = not projections.BY_NAME.keys() <= lags.keys()
    state = State.FAILS if is_missing else state_of_wait(seconds, MOST_LAG_SECONDS)
    return Measured(state, {"lag_seconds": round(seconds, 1)})


def webhooks(cursor: Cursor[TupleRow]) -> Measured:
    health = inbox.health(cursor)
    state = state_of_wait(health.oldest_seconds, MOST_WEBHOOK_WAIT_SECONDS)
    measures = {"waiting": health.waiting, "oldest_seconds": round(health.oldest_seconds, 1)}
    return Measured(_with_dead(state, health.dead_letters), {**measures, "dead": health.dead_letters})


def stripe_calls(cursor: Cursor[TupleRow]) -> Measured:
    pending, seconds = donation_ledger.pending_calls(cursor)
    state = state_of_wait(seconds, MOST_CALL_WAIT_SECONDS)
    return Measured(state, {"waiting": pending, "oldest_seconds": round(seconds, 1)})


def jobs(cursor: Cursor[TupleRow]) -> Measured:
    """Measure the queue: jobs that wait although none runs show that no worker runs."""
    counts, seconds = lag.jobs(cursor), lag.oldest_job_seconds(cursor)
    state = State.WORKS
    if seconds > MOST_JOB_WAIT_SECONDS:
        state = State.SLOW if counts["running"] else State.FAILS
    return Measured(state, {**counts, "oldest_seconds": round(seconds, 1)})


def messages(channel: Channel) -> Callable[[Cursor[TupleRow]], Measured]:
    """Return the measure of the mails or text messages that wait to be sent."""

    def measure(cursor: Cursor[TupleRow]) -> Measured:
        health = outbox.health(cursor, channel)
        state = state_of_wait(health.oldest_seconds, MOST_MAIL_WAIT_SECONDS)
        measures = {"waiting": health.waiting, "oldest_seconds": round(health.oldest_seconds, 1), "dead": health.dead}
        return Measured(_with_dead(state, health.dead), measures)

    return measure


def backup(cursor: Cursor[TupleRow]) -> Measured:
    """Measure the age of the last backup that the command line made; no other one is known."""
    row = cursor.execute(_BACKUP).fetchone()
    if row is None:
        return Measured(State.OFF)
    return Measured(state_of_wait(row[0], MOST_BACKUP_AGE_SECONDS), {"age_seconds": round(row[0])})


def proof(refusals: Callable[[], float]) -> Callable[[Cursor[TupleRow]], Measured]:
    """Return the measure of what no checkpoint covers; `refusals` counts refusals to sign within an hour."""

    def measure(cursor: Cursor[TupleRow]) -> Measured:
        row = cursor.execute(_UNSIGNED).fetchone()
        seconds = row[0] if row else 0.0
        state = State.FAILS if refusals() else state_of_wait(seconds, MOST_UNSIGNED_SECONDS)
        return Measured(state, {"unsigned_seconds": round(seconds, 1)})

    return measure


def _with_dead(state: State, dead: int) -> State:
    """Return the state of a part in which some work waits for a person."""
    return State.SLOW if dead and state is State.WORKS else state

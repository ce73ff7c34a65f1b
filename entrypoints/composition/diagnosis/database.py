"""Checks of the database and of its contents."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

import projections
from adapters.encryption.epoch_store import EpochStore
from adapters.encryption.epochs import EpochKeyMissingError, Epochs, oldest_key_seconds
from adapters.health import lag
from adapters.health.limits import (
    MOST_JOB_WAIT_SECONDS,
    MOST_LAG_SECONDS,
    MOST_MAIL_WAIT_SECONDS,
    MOST_UNSIGNED_SECONDS,
    MOST_WEBHOOK_WAIT_SECONDS,
)
from adapters.mail import outbox
from adapters.payments import inbox
from adapters.postgres import schema_check
from adapters.postgres.database import Database, connect, goes_through_undeclared_pooler
from adapters.postgres.roles import powers_over_history
from adapters.proof.checkpoints import RewrittenHistoryError, continued_state
from adapters.proof.published import PublishedCheckpoints
from adapters.read_models.replica import Replica
from adapters.read_models.replica import State as ReplicaState
from adapters.storage.factory import open_storage, place_exists
from entrypoints.composition.diagnosis.findings import Finding, State
from entrypoints.composition.secrets import existing_signer
from entrypoints.composition.settings import Settings
from entrypoints.composition.startup_checks import UNDECLARED_POOLER, is_refused_by_pooler

# Returns the database's URL; an embedded one is started at the first call.
Address = Callable[[], str]

STATEMENT_SECONDS = 3
MOST_CLOCK_SKEW_SECONDS = 2.0
LATE_ROTATION_SECONDS = 3600


@contextmanager
def _connection(address: Address) -> Iterator[Connection[TupleRow]]:
    with connect(address(), statement_seconds=STATEMENT_SECONDS, name="storyledger doctor") as connection:
        yield connection


def check_database(settings: Settings, address: Address) -> Iterator[Finding]:
    """Check that the server is reachable and durable, its schema, its clock, and the rights of our role."""
    try:
        with _connection(address) as connection:
            if goes_through_undeclared_pooler(connection, address()):
                yield Finding("database", State.ODD, UNDECLARED_POOLER)
                return
            yield from _server(connection, settings)
            yield _clock(connection)
            fault = schema_check.schema_fault(connection)
            if fault is not None:
                yield Finding("schema", State.ODD, fault)
                return
            yield Finding(
                "schema", State.OK, "is this version's; events are appended without gaps, and triggers refuse changes"
            )
            yield _role(connection, settings)
    except psycopg.OperationalError as error:
        if not is_refused_by_pooler(error):
            raise
        yield Finding("database", State.ODD, UNDECLARED_POOLER)


def _server(connection: Connection[TupleRow], settings: Settings) -> Iterator[Finding]:
    kind = "an external server" if settings.database_url else "embedded"
    version = connection.info.server_version
    name = f"PostgreSQL {version // 10_000}.{version % 10_000}, {kind}"
    fault = schema_check.server_fault(connection, production=settings.production)
    if fault is not None:
        yield Finding("database", State.ODD, f"{name}: {fault}")
        return
    yield Finding("database", State.OK, name)
    fault = schema_check.server_fault(connection, production=True)
    if fault is not None:
        yield Finding("durability", State.OFF, fault)
    else:
        yield Finding("durability", State.OK, f"{', '.join(schema_check.DURABLE)} are on")


def _clock(connection: Connection[TupleRow]) -> Finding:
    before = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchone()
    after = time.time()
    assert row is not None
    # The database read its clock at some moment between the two.
    seconds = max(before - row[0], row[0] - after, 0.0)
    state = State.ODD if seconds > MOST_CLOCK_SKEW_SECONDS else State.OK
    return Finding("clock", state, f"differs from the database's by {seconds:.1f} s or less")


def _role(connection: Connection[TupleRow], settings: Settings) -> Finding:
    powers = powers_over_history(connection)
    if not powers:
        return Finding("role", State.OK, "cannot alter the history")
    sentence = f'could alter the history: {", ".join(powers)}; see "Database roles" in docs/operating.md'
    return Finding("role", State.ODD if settings.production else State.OFF, sentence)


def check_replica(settings: Settings, address: Address) -> Iterator[Finding]:
    if settings.read_database_url is None:
        yield Finding("replica", State.OFF, "READ_DATABASE_URL is not set")
        return
    replica = Replica(settings.read_database_url, address())
    try:
        health = replica.check_once()
    finally:
        replica.stop()
    match health.state:
        case ReplicaState.USED:
            yield Finding("replica", State.OK, "has everything that was committed")
        case ReplicaState.BEHIND:
            if health.lag_bytes is None:
                yield Finding("replica", State.UNREACHABLE, health.error or "cannot be compared with the primary")
            else:
                yield Finding("replica", State.ODD, f"{health.lag_bytes} bytes behind, so the primary is read")
        case ReplicaState.AWAY:
            yield Finding("replica", State.UNREACHABLE, health.error or "is not available")
        case ReplicaState.UNFIT:
            yield Finding("replica", State.ODD, health.error or "is not a standby of this database")


def check_work(address: Address) -> Iterator[Finding]:
    """Check how far the background work is behind, and what waits for a person."""
    with _connection(address) as connection, connection.cursor() as cursor:
        yield _read_models(cursor)
        yield _jobs(cursor)
        webhooks = inbox.health(cursor)
        late = webhooks.oldest_seconds > MOST_WEBHOOK_WAIT_SECONDS
        yield Finding("webhooks", _odd_if(late), _waiting(webhooks.waiting, webhooks.oldest_seconds))
        letters = f"{webhooks.dead_letters}; `storyledger dead-letters list` shows why"
        yield _none_or("dead letters", webhooks.dead_letters, letters)
        mails = outbox.health(cursor)
        late = mails.oldest_seconds > MOST_MAIL_WAIT_SECONDS
        yield Finding("mails", _odd_if(late), _waiting(mails.waiting, mails.oldest_seconds))
        yield _none_or("dead mails", mails.dead, f"{mails.dead}; GET /admin/dead-mails shows why")


def _read_models(cursor: Cursor[TupleRow]) -> Finding:
    lags = lag.projections(cursor)
    if missing := sorted(projections.BY_NAME.keys() - lags.keys()):
        return Finding(
            "read models", State.MISSING, f"not built: {', '.join(missing)}; `storyledger serve` builds them"
        )
    name, slowest = max(lags.items(), key=lambda item: item[1].seconds)
    behind = slowest.head - slowest.position
    if not behind:
        return Finding("read models", State.OK, "all are current")
    late = slowest.seconds > MOST_LAG_SECONDS
    return Finding("read models", _odd_if(late), f"{name} is {behind} events and {_age(slowest.seconds)} behind")


def _jobs(cursor: Cursor[TupleRow]) -> Finding:
    jobs, seconds = lag.jobs(cursor), lag.oldest_job_seconds(cursor)
    sentence = f"{_waiting(jobs['waiting'], seconds)}, {jobs['running']} run, {jobs['failed']} failed"
    return Finding("jobs", _odd_if(seconds > MOST_JOB_WAIT_SECONDS and not jobs["running"]), sentence)


def check_epoch_keys(settings: Settings, address: Address) -> Iterator[Finding]:
    # The connection fails at once where the pool would wait.
    with _connection(address) as connection, Database(address(), size=1, name="storyledger doctor") as database:
        epochs = Epochs(database, EpochStore(settings.epoch_keys))
        if not epochs.names():
            yield Finding("epoch keys", State.OFF, "no epoch has begun; `storyledger serve` begins the first")
            return
        if not place_exists(settings.epoch_keys):
            yield Finding("epoch keys", State.MISSING, "EPOCH_KEY_URL: there is no folder with epoch keys")
            return
        try:
            epochs.check_place()
        except EpochKeyMissingError as error:
            yield Finding("epoch keys", State.MISSING, str(error))
            return
        with connection.cursor() as cursor:
            seconds = oldest_key_seconds(cursor) or 0.0
    late = seconds > settings.epoch_hours * 3600 + LATE_ROTATION_SECONDS
    sentence = f"the oldest is {_age(seconds)} old and is replaced after {settings.epoch_hours:g} h (EPOCH_HOURS)"
    yield Finding("epoch keys", _odd_if(late), sentence)


def check_checkpoints(settings: Settings, address: Address) -> Iterator[Finding]:
    """Check that the history continues the published checkpoints, and how much they cover."""
    name = "checkpoints"
    if settings.production and not settings.checkpoint_key:
        yield Finding(name, State.MISSING, "CHECKPOINT_KEY is not set, so nothing can be signed")
        return
    if not place_exists(settings.storage):
        yield Finding(name, State.MISSING, "there is no storage to which they were published")
        return
    signer = existing_signer(settings)
    published = PublishedCheckpoints(open_storage(settings.storage), signer.read)
    with _connection(address) as connection, connection.cursor(binary=True) as cursor:
        try:
            # Every checkpoint is older than this state.
            _, log = continued_state(cursor, published)
        except RewrittenHistoryError as error:
            yield Finding(name, State.ODD, f"{error}: run `storyledger audit verify`")
            return
        newest = published.newest()
        size = 0 if newest is None else newest.size
        entries = 0 if newest is None or newest.access_log is None else newest.access_log.entries
        cursor.execute(
            "SELECT (SELECT count(*) FROM events WHERE position > %(size)s),"
            " (SELECT extract(epoch FROM now() - recorded_at)::float FROM events WHERE position = %(size)s + 1),"
            " (SELECT extract(epoch FROM now() - min(created_at))::float FROM proof_checkpoints WHERE size = %(size)s)",
            {"size": size},
        )
        [(events, unsigned_seconds, age_seconds)] = cursor.fetchall()
    if newest is None:
        begin = "none was published yet"
    else:
        age = "" if age_seconds is None else f" and is {_age(age_seconds)} old"
        begin = f"the newest covers {size} events{age}"
    late = unsigned_seconds is not None and unsigned_seconds > MOST_UNSIGNED_SECONDS
    end = f"{events} events and {max(0, log.entries - entries)} entries of the access log are unprotected"
    yield Finding(name, _odd_if(late), f"{begin}; {end}")


def _odd_if(odd: bool) -> State:
    return State.ODD if odd else State.OK


def _none_or(check: str, count: int, sentence: str) -> Finding:
    return Finding(check, State.ODD, sentence) if count else Finding(check, State.OK, "none")


def _waiting(count: int, oldest_seconds: float) -> str:
    return f"{count} wait, the oldest for {_age(oldest_seconds)}" if count else "none waits"


def _age(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"

"""Rebuilding: a new build is filled beside the live one, and replaces it in one short transaction."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import Connection, Cursor, IsolationLevel
from psycopg.rows import TupleRow

from adapters.postgres.database import ConnectionRegistry, connect
from adapters.read_models import builds, partitions
from adapters.read_models.builds import Progress
from projections.model import Projection

# A batch reads and writes a ticket's row once, however many of its events it has. For a million events of 5,000 tickets
# in turn, batches of 20,000 take 12 % less processor time than batches of 5,000 (`tests.benchmarks.growth` measures it)
# and 35 MB more memory in each process. For 100 tickets they take as much.
BATCH_EVENTS = 20_000


@dataclass(frozen=True)
class RebuildReport:
    """The result of a rebuild or of a verification; only a verification looks for `differences`.

    `events` is the number of positions that were read, and `seconds` the time until this read model was live.
    """

    name: str
    events: int
    rows: int
    seconds: float
    differences: list[builds.Difference] = field(default_factory=list)

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0


def ensure_live(
    url: str, projections: Sequence[Projection], progress: Progress, registry: ConnectionRegistry | None = None
) -> None:
    """Rebuild every projection that has no live build of its present version."""
    with connect(url, statement_seconds=0, registry=registry) as connection:
        while missing := [projection for projection in projections if not _is_live(connection, projection)]:
            # Another process that starts at the same time may replace a build that this one is filling.
            with suppress(builds.BuildReplaced):
                rebuild_all(url, missing, progress, registry)


def _is_live(connection: Connection[TupleRow], projection: Projection) -> bool:
    """Return True if the present version is live. If none is live and the event log is empty, make a new build live."""
    with connection.transaction(), connection.cursor() as cursor:
        builds.lock_builds(cursor)
        version = builds.live_version(cursor, projection)
        if version is None and _is_empty(connection):
            builds.make_live(cursor, builds.create(cursor, projection))
            return True
    return version == projection.VERSION


def _is_empty(connection: Connection[TupleRow]) -> bool:
    return connection.execute("SELECT NOT EXISTS (SELECT FROM events)").fetchone() == (True,)


def rebuild(
    url: str, projection: Projection, progress: Progress, registry: ConnectionRegistry | None = None
) -> RebuildReport:
    """Fill a new build and make it live, without disturbing readers and writers. A killed rebuild is resumed."""
    [report] = rebuild_all(url, [projection], progress, registry)
    return report


def rebuild_all(
    url: str, projections: Sequence[Projection], progress: Progress, registry: ConnectionRegistry | None = None
) -> list[RebuildReport]:
    """Rebuild the projections together, as `rebuild` does: each event is read and decoded once for all of them."""
    started = time.monotonic()
    reports = []
    with connect(url, statement_seconds=0, name="storyledger rebuild", registry=registry) as connection:
        new_builds = [_begin_or_resume(connection, projection) for projection in projections]
        start_positions = _fill(url, connection, new_builds, _head(connection), progress)
        for build in new_builds:
            with connection.transaction(), connection.cursor() as cursor:
                builds.create_indexes(cursor, build)
                builds.analyze(cursor, build)
        for build in new_builds:
            position, rows, is_live = 0, 0, False
            while not is_live:
                _fold(connection, [build], _head(connection), progress)
                position, rows, is_live = _try_to_make_live(connection, build)
            _drop_older_builds(connection, build)
            seconds = time.monotonic() - started
            reports.append(RebuildReport(build.projection.NAME, position - start_positions[build], rows, seconds))
    return reports


def _try_to_make_live(connection: Connection[TupleRow], build: builds.Build) -> tuple[int, int, bool]:
    """Fold the newest events and replace the live build, in one short transaction.

    Return the build's position, the number of its rows and True, or zeros and False if a reader or another rebuild
    holds a lock for half a second: waiting longer would make other readers queue up behind the replacement. Raise
    BuildReplaced if a newer build is live.
    """
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '500ms'")
            builds.lock_builds(cursor)
            live = builds.live_build(cursor, build.projection)
            if live is not None:
                if live.number > build.number:
                    raise builds.BuildReplaced(build)
                builds.lock_positions(cursor, [live])
            position = _head(connection)
            _catch_up(cursor, build, position)
            # Later the follower adds rows, and another rebuild may drop the build.
            rows = _row_count(connection, build)
            builds.make_live(cursor, build)
    except psycopg.errors.LockNotAvailable:
        time.sleep(0.1)
        return 0, 0, False
    return position, rows, True


def verify(url: str, projection: Projection, progress: Progress, until: int | None = None) -> RebuildReport:
    """Fill a trial build, compare every row with the live build, and drop the trial.

    With `until`, or without a live build of the present version, no live build has the rows to compare with. Then a
    second trial is filled in batches of another size, and the two trials are compared.
    """
    started = time.monotonic()
    with (
        connect(url, statement_seconds=0, name="storyledger verify") as connection,
        connect(url, statement_seconds=0, name="storyledger verify") as lock_holder,
        lock_holder.transaction(),
    ):
        # This transaction locks the trials that it drops. It ends before `lock_holder` locks the new trials, because
        # they may get the numbers of dropped trials, and so the same locks.
        with connection.transaction(), connection.cursor() as cursor:
            _drop_abandoned_trials(cursor, projection)
        with connection.transaction(), connection.cursor() as cursor:
            is_current = builds.live_version(cursor, projection) == projection.VERSION
            live = builds.live_build(cursor, projection) if is_current and until is None else None
            rebuilt = _create_trial(cursor, projection, lock_holder)
            expected = live or _create_trial(cursor, projection, lock_holder)
        try:
            if live is not None:
                with connection.cursor() as cursor:
                    target = builds.position(cursor, live)
            else:
                head = _head(connection)
                target = head if until is None else min(until, head)
            _fill(url, connection, [rebuilt], target, progress)
            if live is None:
                _fold(connection, [expected], target, progress, batch_events=BATCH_EVENTS // 7)
            # The live tables and their position are read in one snapshot, so that the follower may go on meanwhile.
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            with connection.transaction(), connection.cursor() as cursor:
                events = builds.position(cursor, expected)
                _catch_up(cursor, rebuilt, events)
                differences = builds.differences(cursor, expected, rebuilt)
            connection.isolation_level = None
            rows = _row_count(connection, rebuilt)
        finally:
            for build in (rebuilt,) if live is not None else (rebuilt, expected):
                with connection.transaction(), connection.cursor() as cursor:
                    builds.drop(cursor, build)
    return RebuildReport(projection.NAME, events, rows, time.monotonic() - started, differences)


def _create_trial(cursor: Cursor[TupleRow], projection: Projection, lock_holder: Connection[TupleRow]) -> builds.Build:
    """Create a trial. The open transaction of `lock_holder` locks the trial as long as it is in use."""
    build = builds.create(cursor, projection, trial=True)
    lock_holder.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (build.schema,))
    return build


def _drop_abandoned_trials(cursor: Cursor[TupleRow], projection: Projection) -> None:
    for trial in builds.trials(cursor, projection):
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", (trial.schema,))
        if cursor.fetchone() == (True,):
            builds.drop(cursor, trial)


def _begin_or_resume(connection: Connection[TupleRow], projection: Projection) -> builds.Build:
    """Return the build of an interrupted rebuild, or a new one."""
    with connection.transaction(), connection.cursor() as cursor:
        builds.lock_builds(cursor)
        return builds.interrupted_build(cursor, projection) or builds.create(cursor, projection)


def _head(connection: Connection[TupleRow]) -> int:
    [(head,)] = connection.execute("SELECT coalesce(max(position), 0) FROM events").fetchall()
    return int(head)


def _fill(
    url: str, connection: Connection[TupleRow], filled: Sequence[builds.Build], until: int, progress: Progress
) -> dict[builds.Build, int]:
    """Fold the events up to `until`, with several processes if there are many. Return the positions before."""
    start_positions = partitions.fill(url, connection, filled, until, BATCH_EVENTS, progress)
    return _fold(connection, filled, until, progress) | start_positions


def _fold(
    connection: Connection[TupleRow],
    filled: Sequence[builds.Build],
    until: int,
    progress: Progress,
    batch_events: int | None = None,
) -> dict[builds.Build, int]:
    """Fold the events up to `until`, in batches that are committed with their position. Return the positions before."""
    start_positions: dict[builds.Build, int] = {}
    new_positions: dict[builds.Build, int] | None = None
    while new_positions is None or new_positions:
        with connection.transaction(), connection.cursor() as cursor:
            positions = builds.lock_positions(cursor, filled)
            builds.commit_asynchronously_unless_live(cursor, filled)
            start_positions = start_positions or positions
            for build, position in positions.items():
                progress(build.projection.NAME, position, until)
            new_positions = builds.fold_next(cursor, positions, until, batch_events or BATCH_EVENTS)
            builds.save_positions(cursor, new_positions)
    return start_positions


def _catch_up(cursor: Cursor[TupleRow], build: builds.Build, until: int) -> None:
    """Fold the events up to `until` in the caller's transaction."""
    positions = builds.lock_positions(cursor, [build])
    while new_positions := builds.fold_next(cursor, positions, until, BATCH_EVENTS):
        positions |= new_positions
    builds.save_positions(cursor, positions)


def _row_count(connection: Connection[TupleRow], build: builds.Build) -> int:
    total = 0
    for table in build.projection.TABLES:
        row = connection.execute(f"SELECT count(*) FROM {build.schema}.{table.name}".encode()).fetchone()  # noqa: S608
        total += row[0] if row else 0
    return total


def _drop_older_builds(connection: Connection[TupleRow], build: builds.Build) -> None:
    """Drop the older builds. One that readers still use after five seconds is left to the next rebuild."""
    with connection.transaction(), connection.cursor() as cursor:
        older_builds = builds.older_builds(cursor, build)
    for older_build in older_builds:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '5s'")
                builds.drop(cursor, older_build)
        except psycopg.errors.LockNotAvailable:
            continue

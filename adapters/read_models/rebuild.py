"""Rebuilding: a new build is filled beside the live one, caught up, and shown in one short transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import Connection, Cursor, IsolationLevel
from psycopg.rows import TupleRow

from adapters.postgres.database import ConnectionRegistry, connect
from adapters.read_models import builds, event_batches, partitions
from projections.model import Projection

BATCH_EVENTS = 5_000
# In pages: where hardly an event is the projection's, so many positions are looked through at once.
LONGEST_SPAN = 32

# Told the projection's name, the position reached and the position to reach.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Rebuilt:
    """What rebuilding one projection did; `differences` are given when it was compared instead of shown."""

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
    """See that every projection has a live build of its present version, building from history what has none."""
    with connect(url, statement_seconds=0, registry=registry) as connection:
        for projection in projections:
            while not _is_live(connection, projection):
                # Of several that start at once one may show its build while the others still fill another.
                with suppress(builds.BuildGone):
                    rebuild(url, projection, progress, registry)


def _is_live(connection: Connection[TupleRow], projection: Projection) -> bool:
    """Whether the present version is shown, which it is at once where there is no history to fold."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (builds.BUILDS_LOCK,))
        version = builds.live_version(cursor, projection)
        if version is None and _is_empty(connection):
            builds.show(cursor, builds.create(cursor, projection))
            return True
    return version == projection.VERSION


def _is_empty(connection: Connection[TupleRow]) -> bool:
    return connection.execute("SELECT NOT EXISTS (SELECT FROM events)").fetchone() == (True,)


def rebuild(
    url: str, projection: Projection, progress: Progress, registry: ConnectionRegistry | None = None
) -> Rebuilt:
    """Build anew and show it. Readers and writers carry on; a rebuild that was killed goes on where it stopped."""
    started = time.monotonic()
    with connect(url, statement_seconds=0, name="storyledger rebuild", registry=registry) as connection:
        build = _begun(connection, projection)
        events = _fill_in_shares(url, connection, build, _head(connection), progress)
        events, shown = events + _fill(connection, build, None, progress), False
        with connection.transaction(), connection.cursor() as cursor:
            builds.create_indexes(cursor, build)
            builds.analyze(cursor, build)
        while not shown:
            events += _fill(connection, build, None, progress)
            caught_up, shown = _show(connection, build)
            events += caught_up
        rows = _count(connection, build)
        _drop_others(connection, build)
    return Rebuilt(projection.NAME, events, rows, time.monotonic() - started)


def _show(connection: Connection[TupleRow], build: builds.Build) -> tuple[int, bool]:
    """Fold the last events and swap, in one short transaction; not now if a reader or another rebuild is in the way.

    Giving way within half a second keeps readers from queueing up behind the swap, and from deadlocks with it.
    """
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '500ms'")
            live = builds.find(cursor, build.projection, live=True)
            if live is not None:
                builds.lock_bookmark(cursor, live)
            events = _catch_up(cursor, build, _head(connection))
            builds.show(cursor, build)
    except (psycopg.errors.LockNotAvailable, builds.BuildGone):
        time.sleep(0.1)
        return 0, False
    return events, True


def verify(url: str, projection: Projection, progress: Progress, until: int | None = None) -> Rebuilt:
    """Build anew beside the live one, compare every row, and throw the new one away.

    With `until` the history is folded twice up to that position, in different pages, since the live tables stand
    somewhere else.
    """
    started = time.monotonic()
    with (
        connect(url, statement_seconds=0, name="storyledger verify") as connection,
        connect(url, statement_seconds=0, name="storyledger verify") as holder,
        holder.transaction(),
    ):
        # By itself: a new trial may get the name, and with it the lock, of one that is cleared away here.
        with connection.transaction(), connection.cursor() as cursor:
            _drop_orphans(cursor, projection)
        with connection.transaction(), connection.cursor() as cursor:
            current = builds.live_version(cursor, projection) == projection.VERSION
            live = builds.find(cursor, projection, live=True) if current else None
            made = [_trial(cursor, projection, holder)]
            if live is None or until is not None:
                made.append(_trial(cursor, projection, holder))
        rebuilt, other = made[0], live if until is None and live is not None else made[1]
        try:
            if other is live:
                with connection.cursor() as cursor:
                    target = builds.position(cursor, other)
            else:
                head = _head(connection)
                target = head if until is None else min(until, head)
            events = _fill_in_shares(url, connection, rebuilt, target, progress)
            events += _fill(connection, rebuilt, target, progress)
            if other is not live:
                _fill(connection, other, target, progress, page_events=BATCH_EVENTS // 7)
            # One snapshot of the live tables and their position: the follower need not wait for the comparison.
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            with connection.transaction(), connection.cursor() as cursor:
                events += _catch_up(cursor, rebuilt, builds.position(cursor, other))
                found = builds.differences(cursor, other, rebuilt)
            connection.isolation_level = None
            rows = _count(connection, rebuilt)
        finally:
            for build in made:
                with connection.transaction(), connection.cursor() as cursor:
                    builds.drop(cursor, build)
    return Rebuilt(projection.NAME, events, rows, time.monotonic() - started, found)


def _trial(cursor: Cursor[TupleRow], projection: Projection, holder: Connection[TupleRow]) -> builds.Build:
    """A build for comparison; the lock on it, held by a transaction of its own, shows that somebody is still at it."""
    build = builds.create(cursor, projection, trial=True)
    holder.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (build.schema,))
    return build


def _drop_orphans(cursor: Cursor[TupleRow], projection: Projection) -> None:
    for trial in builds.trials(cursor, projection):
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", (trial.schema,))
        if cursor.fetchone() == (True,):
            builds.drop(cursor, trial)


def _begun(connection: Connection[TupleRow], projection: Projection) -> builds.Build:
    """The build that an earlier, interrupted rebuild began, or a new one."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (builds.BUILDS_LOCK,))
        return builds.find(cursor, projection, live=False) or builds.create(cursor, projection)


def _head(connection: Connection[TupleRow]) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    assert row is not None
    return int(row[0])


def _fill_in_shares(
    url: str, connection: Connection[TupleRow], build: builds.Build, until: int, progress: Progress
) -> int:
    def reached(position: int) -> None:
        progress(build.projection.NAME, position, until)

    return partitions.fill(url, connection, build, until, BATCH_EVENTS, reached)


def _fill(
    connection: Connection[TupleRow],
    build: builds.Build,
    until: int | None,
    progress: Progress,
    page_events: int | None = None,
) -> int:
    """Fold page after page, each committed with its bookmark, until `until` or less than a page is left."""
    size = page_events or BATCH_EVENTS
    events, span = 0, size
    while True:
        target = _head(connection) if until is None else until
        with connection.transaction(), connection.cursor() as cursor:
            builds.commit_soon(cursor)
            position = builds.lock_bookmark(cursor, build)
            progress(build.projection.NAME, position, target)
            upto, folded = _fold_span(cursor, build, position, min(position + span, target), size)
        events += upto - position
        if upto - position < size:
            return events
        span = size if folded > size // 4 else min(2 * span, LONGEST_SPAN * size)


def _catch_up(cursor: Cursor[TupleRow], build: builds.Build, until: int) -> int:
    """Fold what came meanwhile, in the caller's transaction."""
    events = 0
    position = builds.lock_bookmark(cursor, build)
    while position < until:
        upto, _ = _fold_span(cursor, build, position, min(position + BATCH_EVENTS, until), BATCH_EVENTS)
        events += upto - position
        position = upto
    return events


def _fold_span(cursor: Cursor[TupleRow], build: builds.Build, after: int, upto: int, most: int) -> tuple[int, int]:
    """Fold those events of a span of positions that the projection cares for, the first `most` of them; where the build
    stands then, and how many they were.

    Positions have no gaps, so a span is a page, and a read model of few events is rebuilt without reading the others.
    """
    if upto <= after:
        return after, 0
    page = event_batches.between(cursor.connection, after, upto, list(build.projection.TOPICS), most)
    if len(page) == most:
        upto = page[-1].position
    builds.fold(cursor, build, page)
    builds.move_bookmarks(cursor, {build: upto})
    return upto, len(page)


def _count(connection: Connection[TupleRow], build: builds.Build) -> int:
    total = 0
    for table in build.projection.TABLES:
        row = connection.execute(f"SELECT count(*) FROM {build.schema}.{table.name}".encode()).fetchone()  # noqa: S608
        total += row[0] if row else 0
    return total


def _drop_others(connection: Connection[TupleRow], build: builds.Build) -> None:
    """Give readers of the old tables time to finish; what cannot be dropped now goes with the next rebuild."""
    with connection.transaction(), connection.cursor() as cursor:
        old = builds.others(cursor, build)
    for other in old:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '5s'")
                builds.drop(cursor, other)
        except psycopg.errors.LockNotAvailable:
            continue

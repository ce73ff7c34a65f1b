"""Partitioned rebuild: several processes fold a long history at once, each the tickets of its own partition.

It is only for read models in which no two tickets of different partitions share a row. A table in the build's schema
stores the position of each partition, so that a rebuild that was killed continues with the same partitions.
"""

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow

import projections
from adapters.postgres.database import connect
from adapters.read_models import builds
from adapters.read_models.builds import Build, Progress
from adapters.read_models.event_batches import Partition
from projections import donation_ledger, page_words, ticket_status

ROOT = Path(__file__).parents[2]
WORKER_CODE = "from adapters.read_models.partitions import worker_main; worker_main()"
# The variables that a worker needs to find its libraries; secrets are passed on standard input.
WORKER_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME")

# The read models that are rebuilt in partitions, and the least number of events for which starting processes is worth
# it.
PARTITIONED = frozenset({donation_ledger.NAME, page_words.NAME, ticket_status.NAME})
MIN_EVENTS = 100_000
MAX_PROCESSES = 4
# How often a rebuild that waits for its workers checks that its own database connection still works.
CHECK_SECONDS = 1.0

_TABLE = "rebuild_partitions"


class PartitionWorkerEnded(Exception):
    """A worker process ended before its partition was complete. The next rebuild continues where it stopped."""

    def __init__(self, build: Build) -> None:
        super().__init__(f"a process that filled {build.schema} ended before it was complete: please try again")


@dataclass(frozen=True)
class _Extent:
    """How far a build is filled in partitions, and in how many."""

    partitions: int
    until: int


def _table(build: Build) -> sql.Identifier:
    return sql.Identifier(build.schema, _TABLE)


def _process_count() -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_PROCESSES, available)


def fill(
    url: str,
    connection: Connection[TupleRow],
    filled: Sequence[Build],
    until: int,
    batch_events: int,
    progress: Progress,
) -> dict[Build, int]:
    """Fill those builds up to `until` that can be filled in partitions, and return their positions before.

    `progress` is called with this process's position. Builds whose partitions were interrupted are completed, up to the
    `until` with which they were begun. No other build is filled if there are fewer events than MIN_EVENTS or fewer
    than two processors.
    """
    start_positions: dict[Build, int] = {}
    by_extent: dict[_Extent, list[Build]] = {}
    with connection.transaction(), connection.cursor() as cursor:
        positions = builds.lock_positions(cursor, [build for build in filled if build.projection.NAME in PARTITIONED])
        for build, position in positions.items():
            if (extent := _begin_or_resume(cursor, build, position, until)) is not None:
                start_positions[build] = min(_positions(cursor, build).values())
                by_extent.setdefault(extent, []).append(build)
    for extent, together in by_extent.items():
        _fill(url, connection, together, extent, batch_events, progress)
    return start_positions


def _begin_or_resume(cursor: Cursor[TupleRow], build: Build, position: int, until: int) -> _Extent | None:
    """Return how the build is filled, or None if it is not to be filled in partitions."""
    if _in_progress(cursor, [build]):
        cursor.execute(sql.SQL("SELECT count(*), min(until) FROM {}").format(_table(build)))
        row = cursor.fetchone()
        assert row is not None
        return _Extent(*row)
    extent = _Extent(_process_count(), until)
    if extent.partitions < 2 or until - position < MIN_EVENTS:
        return None
    cursor.execute(
        sql.SQL(
            "CREATE TABLE {} (partition integer PRIMARY KEY, position bigint NOT NULL, until bigint NOT NULL)"
        ).format(_table(build))
    )
    cursor.execute(
        sql.SQL("INSERT INTO {} SELECT partition, %s, %s FROM generate_series(0, %s) AS partition").format(
            _table(build)
        ),
        (position, until, extent.partitions - 1),
    )
    return extent


def _in_progress(cursor: Cursor[TupleRow], among: Sequence[Build]) -> list[Build]:
    """Return those of the builds whose partitions are not complete, in the order in which every process locks them."""
    cursor.execute("SELECT schemaname FROM pg_tables WHERE tablename = %s", (_TABLE,))
    schemas = {schema for (schema,) in cursor.fetchall()}
    return sorted((build for build in among if build.schema in schemas), key=lambda build: build.schema)


def _positions(cursor: Cursor[TupleRow], build: Build) -> dict[int, int]:
    cursor.execute(sql.SQL("SELECT partition, position FROM {}").format(_table(build)))
    return dict(cursor.fetchall())


def _fill(
    url: str,
    connection: Connection[TupleRow],
    filled: Sequence[Build],
    extent: _Extent,
    batch_events: int,
    progress: Progress,
) -> None:
    with ExitStack() as stack:
        workers = [
            stack.enter_context(_worker(url, filled, extent, number, batch_events))
            for number in range(1, extent.partitions)
        ]
        for positions in _fold_partition(connection, filled, extent, 0, batch_events):
            for build, position in positions.items():
                progress(build.projection.NAME, position, extent.until)
        for worker in workers:
            while not _has_ended(worker):
                # In an outage this query fails: the watchdog closes this connection, but not those of the workers.
                connection.execute("SELECT")
            if worker.returncode != 0:
                raise PartitionWorkerEnded(filled[0])
    with connection.transaction(), connection.cursor() as cursor:
        builds.lock_positions(cursor, filled)
        # Another process may have finished some of them.
        for build in _in_progress(cursor, filled):
            cursor.execute(sql.SQL("DROP TABLE {}").format(_table(build)))
            builds.save_positions(cursor, {build: extent.until})


def _fold_partition(
    connection: Connection[TupleRow], filled: Sequence[Build], extent: _Extent, number: int, batch_events: int
) -> Iterator[dict[Build, int]]:
    """Fold a partition batch by batch, each committed with its positions. Yield the new positions."""
    new_positions: dict[Build, int] | None = None
    while new_positions is None or new_positions:
        with connection.transaction(), connection.cursor() as cursor:
            positions = _lock_positions(cursor, filled, number)
            builds.commit_asynchronously_unless_live(cursor, filled)
            new_positions = builds.fold_next(
                cursor, positions, extent.until, batch_events, Partition(number, extent.partitions)
            )
            for build, position in new_positions.items():
                cursor.execute(
                    sql.SQL("UPDATE {} SET position = %s WHERE partition = %s").format(_table(build)),
                    (position, number),
                )
        yield new_positions


def _lock_positions(cursor: Cursor[TupleRow], filled: Sequence[Build], number: int) -> dict[Build, int]:
    """Lock and return the partition's positions in those builds that no other process has finished."""
    # The share lock keeps another rebuild from dropping the table of partitions during the transaction.
    builds.lock_positions(cursor, filled, share=True)
    positions = {}
    for build in _in_progress(cursor, filled):
        cursor.execute(
            sql.SQL("SELECT position FROM {} WHERE partition = %s FOR UPDATE").format(_table(build)), (number,)
        )
        row = cursor.fetchone()
        assert row is not None
        positions[build] = row[0]
    return positions


# The worker processes.


@contextmanager
def _worker(
    url: str, filled: Sequence[Build], extent: _Extent, number: int, batch_events: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that folds one partition; it is killed at the end of the block."""
    assignment = {
        "url": url,
        "libpq": {name: value for name, value in os.environ.items() if name.startswith("PG")},
        "builds": [(build.projection.NAME, build.number) for build in filled],
        "partitions": extent.partitions,
        "until": extent.until,
        "number": number,
        "batch_events": batch_events,
    }
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-c", WORKER_CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={name: os.environ[name] for name in WORKER_ENVIRONMENT if name in os.environ},
        start_new_session=True,  # an interrupt at the keyboard reaches only this process, which ends the worker
    )
    assert process.stdin is not None
    try:
        # The pipe stays open: when this process ends in any way, the worker reads the end of its input and exits.
        process.stdin.write(json.dumps(assignment).encode() + b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def _has_ended(worker: subprocess.Popen[bytes]) -> bool:
    """Wait up to CHECK_SECONDS for the end of the process."""
    try:
        worker.wait(CHECK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def worker_main() -> None:
    """Fold the partition that the first line of standard input assigns to this process."""
    assignment = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(assignment["libpq"])
    # Decoded events contain no cycles, so the garbage collector has little to find.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    filled = [Build(projections.BY_NAME[name], number) for name, number in assignment["builds"]]
    extent = _Extent(assignment["partitions"], assignment["until"])
    with connect(assignment["url"], statement_seconds=0, name="storyledger rebuild") as connection:
        for _ in _fold_partition(connection, filled, extent, assignment["number"], assignment["batch_events"]):
            pass


def _end_with_parent() -> None:
    # Read from the descriptor: the file object's lock would still be held when the interpreter closes it at the end.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)

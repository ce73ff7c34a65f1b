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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow

import projections
from adapters.postgres.database import connect
from adapters.read_models import builds, event_batches
from projections import donation_ledger, ticket_status

ROOT = Path(__file__).parents[2]
WORKER_CODE = "from adapters.read_models.partitions import worker_main; worker_main()"
# The variables that a worker needs to find its libraries; secrets are passed on standard input.
WORKER_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME")

# The read models that are rebuilt in partitions, and the least number of events for which starting processes is worth
# it. Ticket status folds a smaller part of the events, so its number is larger.
MIN_EVENTS = {donation_ledger.NAME: 100_000, ticket_status.NAME: 500_000}
MAX_PROCESSES = 4
# How often a rebuild that waits for its workers checks that its own database connection still works.
CHECK_SECONDS = 1.0

_TABLE = "rebuild_partitions"


class PartitionWorkerEnded(Exception):
    """A worker process ended before its partition was complete. The next rebuild continues where it stopped."""

    def __init__(self, build: builds.Build) -> None:
        super().__init__(f"a process that filled {build.schema} ended before it was complete: please try again")


@dataclass(frozen=True)
class PartitionedRebuild:
    """A build that is filled up to the position `until` by as many processes as there are partitions."""

    build: builds.Build
    partitions: int
    until: int

    @property
    def table(self) -> sql.Identifier:
        return _table(self.build)


def _table(build: builds.Build) -> sql.Identifier:
    return sql.Identifier(build.schema, _TABLE)


def _process_count() -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_PROCESSES, available)


def fill(
    url: str,
    connection: Connection[TupleRow],
    build: builds.Build,
    until: int,
    batch_events: int,
    progress: Callable[[int], None],
) -> int:
    """Fill the build up to `until` and return the number of events. `progress` is called with this process's position.

    A partitioned rebuild that was interrupted is completed instead, up to its own `until`. Return 0 without filling if
    there are fewer events than MIN_EVENTS or fewer than two processors.
    """
    with connection.transaction(), connection.cursor() as cursor:
        rebuild, start = _begin_or_resume(cursor, build, until)
    if rebuild is None:
        return 0
    with ExitStack() as stack:
        workers = [
            stack.enter_context(_worker(url, rebuild, partition, batch_events))
            for partition in range(1, rebuild.partitions)
        ]
        for position in _fold_partition(connection, rebuild, 0, batch_events):
            progress(position)
        for worker in workers:
            while not _has_ended(worker):
                # In an outage this query fails: the watchdog closes this connection, but not those of the workers.
                connection.execute("SELECT")
            if worker.returncode != 0:
                raise PartitionWorkerEnded(build)
    with connection.transaction(), connection.cursor() as cursor:
        _finish(cursor, rebuild)
    return rebuild.until - start


def _begin_or_resume(
    cursor: Cursor[TupleRow], build: builds.Build, until: int
) -> tuple[PartitionedRebuild | None, int]:
    """Return the interrupted partitioned rebuild or a new one, and the lowest position of its partitions.

    Return None for the rebuild if the build is not to be filled in partitions.
    """
    position = builds.lock_position(cursor, build)
    if _is_in_progress(cursor, build):
        cursor.execute(sql.SQL("SELECT count(*), min(until), min(position) FROM {}").format(_table(build)))
        row = cursor.fetchone()
        assert row is not None
        partitions, until, position = row
        return PartitionedRebuild(build, partitions, until), position
    partitions, min_events = _process_count(), MIN_EVENTS.get(build.projection.NAME)
    if min_events is None or partitions < 2 or until - position < min_events:
        return None, position
    rebuild = PartitionedRebuild(build, partitions, until)
    cursor.execute(
        sql.SQL(
            "CREATE TABLE {} (partition integer PRIMARY KEY, position bigint NOT NULL, until bigint NOT NULL)"
        ).format(rebuild.table)
    )
    cursor.execute(
        sql.SQL("INSERT INTO {} SELECT partition, %s, %s FROM generate_series(0, %s) AS partition").format(
            rebuild.table
        ),
        (position, until, partitions - 1),
    )
    return rebuild, position


def _is_in_progress(cursor: Cursor[TupleRow], build: builds.Build) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = %s)", (build.schema, _TABLE)
    )
    return cursor.fetchone() == (True,)


def _finish(cursor: Cursor[TupleRow], rebuild: PartitionedRebuild) -> None:
    """Set the build's position to the end of its partitions, unless another process has done so."""
    builds.lock_position(cursor, rebuild.build)
    if _is_in_progress(cursor, rebuild.build):
        cursor.execute(sql.SQL("DROP TABLE {}").format(rebuild.table))
        builds.save_positions(cursor, {rebuild.build: rebuild.until})


def _fold_partition(
    connection: Connection[TupleRow], rebuild: PartitionedRebuild, partition: int, batch_events: int
) -> Iterator[int]:
    """Fold a partition batch by batch, each committed with its position. Yield those positions."""
    position = 0
    while position < rebuild.until:
        with connection.transaction(), connection.cursor() as cursor:
            # The share lock keeps another rebuild from dropping the table of partitions during the transaction.
            cursor.execute(
                "SELECT FROM projections WHERE name = %s AND build = %s FOR SHARE",
                (rebuild.build.projection.NAME, rebuild.build.number),
            )
            if not _is_in_progress(cursor, rebuild.build):
                return
            builds.commit_asynchronously_unless_live(cursor, rebuild.build)
            position = _fold_batch(cursor, rebuild, partition, batch_events)
        yield position


def _fold_batch(cursor: Cursor[TupleRow], rebuild: PartitionedRebuild, partition: int, batch_events: int) -> int:
    """Fold the partition's next batch and return its new position."""
    cursor.execute(
        sql.SQL("SELECT position FROM {} WHERE partition = %s FOR UPDATE").format(rebuild.table), (partition,)
    )
    row = cursor.fetchone()
    assert row is not None
    position: int = row[0]
    # A range of positions in which the partition has about as many events as a batch.
    range_end = min(position + batch_events * rebuild.partitions, rebuild.until)
    topics = list(rebuild.build.projection.TOPICS)
    batch = event_batches.between(
        cursor.connection, position, range_end, topics, batch_events, (partition, rebuild.partitions)
    )
    if len(batch) == batch_events:
        range_end = batch[-1].position
    builds.fold(cursor, rebuild.build, batch)
    cursor.execute(
        sql.SQL("UPDATE {} SET position = %s WHERE partition = %s").format(rebuild.table), (range_end, partition)
    )
    return range_end


# The worker processes.


@contextmanager
def _worker(
    url: str, rebuild: PartitionedRebuild, partition: int, batch_events: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that folds one partition; it is killed at the end of the block."""
    assignment = {
        "url": url,
        "libpq": {name: value for name, value in os.environ.items() if name.startswith("PG")},
        "projection": rebuild.build.projection.NAME,
        "build": rebuild.build.number,
        "partitions": rebuild.partitions,
        "until": rebuild.until,
        "partition": partition,
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
    build = builds.Build(projections.BY_NAME[assignment["projection"]], assignment["build"])
    rebuild = PartitionedRebuild(build, assignment["partitions"], assignment["until"])
    with connect(assignment["url"], statement_seconds=0, name="storyledger rebuild") as connection:
        for _ in _fold_partition(connection, rebuild, assignment["partition"], assignment["batch_events"]):
            pass


def _end_with_parent() -> None:
    # Read from the descriptor: the file object's lock would still be held when the interpreter closes it at the end.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)

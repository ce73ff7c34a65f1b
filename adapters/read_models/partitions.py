"""Partitioned rebuild: several processes fold a long history at once, each the tickets of its own partition.

It is only for read models in which no two tickets of different shards share a row. The shards are distributed so that
the partitions have about equally many events; a single ticket is never divided, so one that has most of the events is
folded by one process. A table in the build's schema stores the partitions and their positions, so that a rebuild that
was killed continues with the same ones.
"""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow

import projections
from adapters.postgres.database import connect
from adapters.read_models import builds, event_batches
from adapters.read_models.builds import Build, Progress
from adapters.read_models.event_batches import Partition
from adapters.worker_process import WorkerEnded, assigned, worker_process
from projections import donation_ledger, page_words, ticket_status
from projections.desk import SHARDS

WORKER_CODE = "from adapters.read_models.partitions import worker_main; worker_main()"

# The read models that are rebuilt in partitions, and the least number of events for which starting processes is worth
# it.
PARTITIONED = frozenset({donation_ledger.NAME, page_words.NAME, ticket_status.NAME})
MIN_EVENTS = 100_000
MAX_PROCESSES = 4
# From about so many events a rebuild estimates how many events each shard has.
SAMPLED_EVENTS = 50_000
# How often a rebuild that waits for its workers checks that its own database connection still works.
CHECK_SECONDS = 1.0

_TABLE = "rebuild_partitions"


@dataclass(frozen=True)
class _Extent:
    """How far a build is filled in partitions, and the number of the partition that takes each shard."""

    until: int
    partition_of_shard: bytes

    @property
    def partitions(self) -> int:
        return max(self.partition_of_shard) + 1


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
        extents = {build: _extent(cursor, build) for build in _in_progress(cursor, list(positions))}
        processes = _process_count()
        long = {build: at for build, at in positions.items() if build not in extents and until - at >= MIN_EVENTS}
        if long and processes > 1:
            extent = _Extent(until, balanced(_shard_weights(cursor, until), processes))
            for build, position in long.items():
                _begin(cursor, build, position, extent)
                extents[build] = extent
        for build, extent in extents.items():
            start_positions[build] = min(_positions(cursor, build).values())
            by_extent.setdefault(extent, []).append(build)
    for extent, together in by_extent.items():
        _fill(url, connection, together, extent, batch_events, progress)
    return start_positions


def balanced(weights: Sequence[int], partitions: int) -> bytes:
    """Return the number of the partition that takes each shard, so that their sums of weights are about equal.

    Every sum is at most the mean of all partitions and the weight of one shard.
    """
    partition_of_shard, sums = bytearray(len(weights)), [0] * partitions
    for shard in sorted(range(len(weights)), key=weights.__getitem__, reverse=True):
        partition = sums.index(min(sums))
        partition_of_shard[shard] = partition
        sums[partition] += weights[shard]
    return bytes(partition_of_shard)


def _shard_weights(cursor: Cursor[TupleRow], until: int) -> list[int]:
    """Return about how many events each shard has, from a sample of the pages whose cost does not grow with them."""
    cursor.execute(
        f"SELECT {event_batches.SHARD}, count(*) FROM events TABLESAMPLE SYSTEM (%s) GROUP BY 1".encode(),  # noqa: S608
        (min(100, 100 * SAMPLED_EVENTS / until),),
    )
    sampled: dict[int, int] = dict(cursor.fetchall())
    # Shards without a sampled event are distributed, too.
    return [1 + sampled.get(shard, 0) for shard in range(SHARDS)]


def _begin(cursor: Cursor[TupleRow], build: Build, position: int, extent: _Extent) -> None:
    cursor.execute(
        sql.SQL(
            "CREATE TABLE {} (partition integer PRIMARY KEY, position bigint NOT NULL, until bigint NOT NULL,"
            " partition_of_shard bytea NOT NULL)"
        ).format(_table(build))
    )
    cursor.execute(
        sql.SQL("INSERT INTO {} SELECT partition, %s, %s, %s FROM generate_series(0, %s) AS partition").format(
            _table(build)
        ),
        (position, extent.until, extent.partition_of_shard, extent.partitions - 1),
    )


def _extent(cursor: Cursor[TupleRow], build: Build) -> _Extent:
    """Return the extent with which the build was begun."""
    # A table that an earlier version created has no column `partition_of_shard`.
    cursor.execute(
        sql.SQL("SELECT count(*), min(until), min(to_jsonb(p) ->> 'partition_of_shard') FROM {} p").format(
            _table(build)
        )
    )
    [(partitions, until, stored)] = cursor.fetchall()
    if stored is None:
        return _Extent(until, bytes(shard % partitions for shard in range(SHARDS)))
    return _Extent(until, bytes.fromhex(stored.removeprefix("\\x")))


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
                # The next rebuild continues where it stopped.
                raise WorkerEnded(f"filled {filled[0].schema}")
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
                cursor, positions, extent.until, batch_events, Partition(number, extent.partition_of_shard)
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
        [(position,)] = cursor.fetchall()
        positions[build] = position
    return positions


# The worker processes.


def _worker(
    url: str, filled: Sequence[Build], extent: _Extent, number: int, batch_events: int
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run a process that folds one partition; it is killed at the end of the block."""
    assignment = {
        "url": url,
        "builds": [(build.projection.NAME, build.number) for build in filled],
        "until": extent.until,
        "partition_of_shard": extent.partition_of_shard.hex(),
        "number": number,
        "batch_events": batch_events,
    }
    return worker_process(WORKER_CODE, assignment)


def _has_ended(worker: subprocess.Popen[bytes]) -> bool:
    """Wait up to CHECK_SECONDS for the end of the process."""
    try:
        worker.wait(CHECK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def worker_main() -> None:
    """Fold the partition that the first line of standard input assigns to this process."""
    assignment = assigned()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Decoded events contain no cycles, so the garbage collector has little to find.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    filled = [Build(projections.BY_NAME[name], number) for name, number in assignment["builds"]]
    extent = _Extent(assignment["until"], bytes.fromhex(assignment["partition_of_shard"]))
    with connect(assignment["url"], statement_seconds=0, name="storyledger rebuild") as connection:
        for _ in _fold_partition(connection, filled, extent, assignment["number"], assignment["batch_events"]):
            pass


def _end_with_parent() -> None:
    # Read from the descriptor: the file object's lock would still be held when the interpreter closes it at the end.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)

"""A long history is folded by several processes at once, each with the tickets of its own share.

Only for read models no two tickets of which share a row. How far each share has come is in a table beside the build's
own, so that a rebuild that was killed goes on with the same shares.
"""

from __future__ import annotations

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
START = "from adapters.read_models.partitions import worker_main; worker_main()"
# What a process needs of our environment to find its libraries and its way to the database; secrets go by its input.
KEPT_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME")

# The read models that are shared, and from so many events on: starting a process costs as much as folding some ten
# thousands of gifts' events, and the tickets' own are few among them.
WORTH_SHARING = {donation_ledger.NAME: 100_000, ticket_status.NAME: 500_000}
MOST_PROCESSES = 4
# How often who waits for the others sees whether the database is there still.
LOOK_SECONDS = 1.0

_TABLE = "filling"


class PartitionWorkerEnded(Exception):
    """A process that helped ended before its share was done; asking again goes on where it stopped."""


@dataclass(frozen=True)
class PartitionedRebuild:
    """A build that is filled up to `until` by so many processes, of which each has one share."""

    build: builds.Build
    shares: int
    until: int

    @property
    def table(self) -> sql.Identifier:
        return _table(self.build)


def _table(build: builds.Build) -> sql.Identifier:
    return sql.Identifier(build.schema, _TABLE)


def _processes() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_PROCESSES, allowed)


def fill(
    url: str,
    connection: Connection[TupleRow],
    build: builds.Build,
    until: int,
    page_events: int,
    reached: Callable[[int], None],
) -> int:
    """Fill the build up to `until`, or up to where an earlier filling in shares was going; how many events that was.

    Nothing is done where one process alone is as quick. `reached` is told this process's position now and then.
    """
    with connection.transaction(), connection.cursor() as cursor:
        filling, since = _begun(cursor, build, until)
    if filling is None:
        return 0
    with ExitStack() as helpers:
        helped = [helpers.enter_context(_helper(url, filling, n, page_events)) for n in range(1, filling.shares)]
        for position in _work_off(connection, filling, 0, page_events):
            reached(position)
        for helper in helped:
            while not _ended(helper):
                # Where we are cut off, so is the helper, and nobody else tells it.
                connection.execute("SELECT")
            if helper.returncode != 0:
                raise PartitionWorkerEnded
    with connection.transaction(), connection.cursor() as cursor:
        _end(cursor, filling)
    return filling.until - since


def _begun(cursor: Cursor[TupleRow], build: builds.Build, until: int) -> tuple[PartitionedRebuild | None, int]:
    """The filling that is under way, or a new one, and where its last share stands; None if it is not worth it."""
    position = builds.lock_bookmark(cursor, build)
    if _is_under_way(cursor, build):
        cursor.execute(sql.SQL("SELECT count(*), min(until), min(position) FROM {}").format(_table(build)))
        row = cursor.fetchone()
        assert row is not None
        shares, until, since = row
        return PartitionedRebuild(build, shares, until), since
    shares, worth_it = _processes(), WORTH_SHARING.get(build.projection.NAME)
    if worth_it is None or shares < 2 or until - position < worth_it:
        return None, position
    filling = PartitionedRebuild(build, shares, until)
    cursor.execute(
        sql.SQL("CREATE TABLE {} (share integer PRIMARY KEY, position bigint NOT NULL, until bigint NOT NULL)").format(
            filling.table
        )
    )
    cursor.execute(
        sql.SQL("INSERT INTO {} SELECT share, %s, %s FROM generate_series(0, %s) AS share").format(filling.table),
        (position, until, shares - 1),
    )
    return filling, position


def _is_under_way(cursor: Cursor[TupleRow], build: builds.Build) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = %s)", (build.schema, _TABLE)
    )
    return cursor.fetchone() == (True,)


def _end(cursor: Cursor[TupleRow], filling: PartitionedRebuild) -> None:
    """All shares are done, so the build stands where they do; another rebuild may have found so before."""
    builds.lock_bookmark(cursor, filling.build)
    if _is_under_way(cursor, filling.build):
        cursor.execute(sql.SQL("DROP TABLE {}").format(filling.table))
        builds.move_bookmarks(cursor, {filling.build: filling.until})


def _work_off(
    connection: Connection[TupleRow], filling: PartitionedRebuild, share: int, page_events: int
) -> Iterator[int]:
    """Fold page after page of a share, each committed with how far it has come: the positions on the way."""
    position = 0
    while position < filling.until:
        with connection.transaction(), connection.cursor() as cursor:
            builds.commit_soon(cursor)
            # Shared until the end of the transaction: nobody takes the table away meanwhile.
            cursor.execute("SELECT FROM projections WHERE name = %s AND build = %s FOR SHARE", _key(filling.build))
            if not _is_under_way(cursor, filling.build):
                return
            position = _fold_page(cursor, filling, share, page_events)
        yield position


def _key(build: builds.Build) -> tuple[str, int]:
    return build.projection.NAME, build.number


def _fold_page(cursor: Cursor[TupleRow], filling: PartitionedRebuild, share: int, page_events: int) -> int:
    cursor.execute(sql.SQL("SELECT position FROM {} WHERE share = %s FOR UPDATE").format(filling.table), (share,))
    row = cursor.fetchone()
    assert row is not None
    position: int = row[0]
    # About as many events as in a page of all tickets.
    upto = min(position + page_events * filling.shares, filling.until)
    topics = list(filling.build.projection.TOPICS)
    page = event_batches.between(cursor.connection, position, upto, topics, page_events, (share, filling.shares))
    if len(page) == page_events:
        upto = page[-1].position
    builds.fold(cursor, filling.build, page)
    cursor.execute(sql.SQL("UPDATE {} SET position = %s WHERE share = %s").format(filling.table), (upto, share))
    return upto


# The other processes.


@contextmanager
def _helper(url: str, filling: PartitionedRebuild, share: int, page_events: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works a share off; it ends with the block at the latest."""
    asked = {
        "url": url,
        "libpq": {name: value for name, value in os.environ.items() if name.startswith("PG")},
        "projection": filling.build.projection.NAME,
        "build": filling.build.number,
        "shares": filling.shares,
        "until": filling.until,
        "share": share,
        "page_events": page_events,
    }
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-c", START],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
        start_new_session=True,  # an interrupt at the keyboard is for us, who end it ourselves
    )
    assert process.stdin is not None
    try:
        # Left open: when it closes, because we end in whatever way, the other process ends too.
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def _ended(helper: subprocess.Popen[bytes]) -> bool:
    try:
        helper.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def worker_main() -> None:
    """Work off the share that standard input names."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(asked["libpq"])
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    build = builds.Build(projections.BY_NAME[asked["projection"]], asked["build"])
    filling = PartitionedRebuild(build, asked["shares"], asked["until"])
    with connect(asked["url"], statement_seconds=0, name="storyledger rebuild") as connection:
        for _ in _work_off(connection, filling, asked["share"], asked["page_events"]):
            pass


def _end_with_parent() -> None:
    # Not by way of the file object: its lock would be held at the end, where the interpreter wants it.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)

"""A partitioned rebuild gives the same rows as one process, and loses nothing when a process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.read_models import builds, partitions, rebuild
from adapters.read_models.event_batches import Partition
from adapters.worker_process import WorkerEnded
from projections import donation_ledger, ticket_status
from projections.desk import SHARDS
from tests.client import eventually
from tests.fakes.worlds import donation_events, record, ticket_events

EVENTS = 120
WAITING = "import sys; sys.stdin.read()"  # a worker that folds nothing


@pytest.fixture(autouse=True)
def partitioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "MIN_EVENTS", 50)
    monkeypatch.setattr(partitions, "MAX_PROCESSES", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", 7)


@pytest.fixture
def rows_before_rebuild(database: Database, log: EventLog, follow: Callable[..., None]) -> list[str]:
    """Return the rows of donations to many tickets, as the follower folds them."""
    for _ in range(30):
        ticket = uuid4()
        record(log, [*ticket_events(ticket, []), *donation_events(ticket, 100, [40])])
    assert log.head() == EVENTS
    follow()
    return ledger_rows(database)


def ledger_rows(database: Database) -> list[str]:
    with database.connection() as connection:
        return [
            row
            for table in donation_ledger.TABLES
            for (row,) in connection.execute(f"SELECT t::text FROM read.{table.name} t ORDER BY 1".encode())
        ]


def test_partitions_folded_apart_give_the_rows_of_one_fold(database: Database, rows_before_rebuild: list[str]):
    reached: list[int] = []
    rebuilt = rebuild.rebuild(database.url, donation_ledger, lambda _, position, __: reached.append(position))
    assert (rebuilt.events, ledger_rows(database)) == (EVENTS, rows_before_rebuild)
    # A batch ends after 7 events of this partition.
    assert 7 <= reached[0] < EVENTS
    assert rebuild.verify(database.url, donation_ledger, lambda *_: None).differences == []


def test_tickets_that_share_a_count_of_the_day_s_list_are_in_one_partition(
    database: Database, rows_before_rebuild: list[str]
):
    assert rebuild.verify(database.url, ticket_status, lambda *_: None).differences == []


@given(weights=st.lists(st.integers(1, 1_000), min_size=1, max_size=SHARDS), count=st.integers(1, 4))
def test_no_partition_is_heavier_than_the_mean_and_one_shard(weights: list[int], count: int):
    partition_of_shard = partitions.balanced(weights, count)
    assert len(partition_of_shard) == len(weights)
    sums = [0] * count
    for partition, weight in zip(partition_of_shard, weights, strict=True):
        sums[partition] += weight
    assert max(sums) <= sum(weights) / count + max(weights)


def test_the_two_tickets_with_most_gifts_are_in_different_partitions(
    database: Database, log: EventLog, monkeypatch: pytest.MonkeyPatch
):
    large = [UUID(bytes=uuid4().bytes[:-1] + bytes([byte])) for byte in (2, 4)]
    small = [UUID(bytes=uuid4().bytes[:-1] + bytes([byte])) for byte in range(SHARDS)]
    for ticket, gifts in [*((ticket, 15) for ticket in large), *((ticket, 1) for ticket in small)]:
        record(log, [*ticket_events(ticket, []), *(e for _ in range(gifts) for e in donation_events(ticket, 100, []))])
    monkeypatch.setattr(partitions, "WORKER_CODE", "import sys; sys.stdin.readline(); sys.exit(1)")
    with pytest.raises(WorkerEnded):
        rebuild.rebuild(database.url, donation_ledger, lambda *_: None)
    folded = "SELECT DISTINCT ticket_id FROM read_donation_ledger_2.donation_ledger"
    with database.connection() as connection:
        of_this_process = {ticket for (ticket,) in connection.execute(folded)}
    assert len(of_this_process & set(large)) == 1
    # The worker has the other large ticket, and about half of the others.
    assert 5 <= len(of_this_process & set(small)) <= 7


def test_partitions_that_an_earlier_version_began_are_completed_as_it_divided_them(
    database: Database, rows_before_rebuild: list[str]
):
    alternating = bytes(shard % 2 for shard in range(SHARDS))
    with connect(database.url) as connection, connection.transaction(), connection.cursor() as cursor:
        build = builds.create(cursor, donation_ledger)
        [folded] = builds.fold_next(cursor, {build: 0}, EVENTS, 40, Partition(1, alternating)).values()
        table = sql.Identifier(build.schema, "rebuild_partitions")
        cursor.execute(sql.SQL("CREATE TABLE {} (partition integer, position bigint, until bigint)").format(table))
        for number, position in enumerate((0, folded)):
            cursor.execute(sql.SQL("INSERT INTO {} VALUES (%s, %s, %s)").format(table), (number, position, EVENTS))
    rebuild.rebuild(database.url, donation_ledger, lambda *_: None)
    assert ledger_rows(database) == rows_before_rebuild


def test_two_rebuilds_at_once_share_the_partitions(database: Database, rows_before_rebuild: list[str]):
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(rebuild.rebuild, database.url, donation_ledger, lambda *_: None) for _ in range(2)]
        assert [rebuilding.result().rows for rebuilding in both] == [len(rows_before_rebuild)] * 2
    assert ledger_rows(database) == rows_before_rebuild


def test_a_partitioned_rebuild_that_was_killed_continues_where_it_stopped(
    database: Database, rows_before_rebuild: list[str]
):
    child = [sys.executable, "-m", "tests.adapters.read_models.rebuilding", database.url, "28", "partitioned"]
    with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        stopped_at = int(killed.stdout.readline())
        workers = _children(killed.pid)
        killed.kill()
    assert len(workers) == 1
    eventually(lambda: not any(map(_alive, workers)))
    reached: list[int] = []
    rebuild.rebuild(database.url, donation_ledger, lambda _, position, __: reached.append(position))
    assert min(reached) > stopped_at >= 28
    assert ledger_rows(database) == rows_before_rebuild


def test_a_worker_that_is_killed_ends_the_rebuild_and_the_next_one_resumes_it(
    database: Database, rows_before_rebuild: list[str], monkeypatch: pytest.MonkeyPatch
):
    def kill(*_: object) -> None:
        for child in _children(os.getpid()):
            if _command(child).endswith(WAITING.encode() + b"\0"):
                os.kill(child, signal.SIGKILL)

    # The worker never finishes by itself, so it does not matter which process is faster.
    with monkeypatch.context() as patched:
        patched.setattr(partitions, "WORKER_CODE", WAITING)
        with pytest.raises(WorkerEnded, match="read_donation_ledger_2 ended before"):
            rebuild.rebuild(database.url, donation_ledger, kill)
    assert rebuild.rebuild(database.url, donation_ledger, lambda *_: None).rows == len(rows_before_rebuild)
    assert ledger_rows(database) == rows_before_rebuild


def _children(parent: int) -> list[int]:
    children = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        with suppress(OSError):  # the thread has ended meanwhile
            children += [int(child) for child in (task / "children").read_text().split()]
    return children


def _command(process: int) -> bytes:
    """Return the command of a process, or nothing if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def _alive(process: int) -> bool:
    return bool(_command(process))  # a zombie has none

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
from uuid import uuid4

import pytest

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from adapters.read_models import partitions, rebuild
from projections import donation_ledger
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
        with pytest.raises(partitions.PartitionWorkerEnded, match="read_donation_ledger_2 ended before"):
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

"""Measures what a longer history costs: each figure at several sizes, and its ratio to that of the smallest.

`make bench GROWTH=1`, or python -m tests.benchmarks.growth [--sizes N,…]

No figure may be more than 1.3 times that of the smallest size. Work that reads the whole history is stated for each
event. All times but those of the start, the first page and the follower are processor time of the benchmark's processes
and of PostgreSQL, so that they hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx2

import projections
from adapters.backup import restoring, taking
from adapters.backup.parts import BackupKeys
from adapters.ids import uuid7
from adapters.postgres.database import connect
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.proof import audit, tiles
from adapters.read_models import rebuild
from adapters.storage.files import FileStorage
from domain.donations import Donation
from domain.values import Money
from entrypoints.composition.gc_tuning import settle
from projections import desk, donation_ledger
from projections.desk import Filters, Sort
from projections.gift_search import GiftSearch, gifts
from tests.benchmarks.report import processor_milliseconds, server_seconds
from tests.benchmarks.world import HOLDER, migrated, service_on, write_history
from tests.client import free_port
from tests.postgres import fresh_database

SIZES = "100000,1000000,5000000"
EVENTS_OF_A_GIFT, EVENTS_OF_A_TICKET = 4.1, 1_000
LARGEST_RATIO = 1.3
KEYS = BackupKeys(("a key of the benchmark",))

# The name of each figure with its unit.
Figures = dict[str, float]


def measured(server_url: str, size: int) -> Figures:
    with migrated(server_url) as url, TemporaryDirectory() as name, fresh_database(server_url) as empty:
        folder = Path(name)
        events = write_history(url, int(size / EVENTS_OF_A_GIFT), size // EVENTS_OF_A_TICKET)
        with connect(url, statement_seconds=0) as connection:
            while tiles.grow(connection):
                pass
            [(history,)] = connection.execute("SELECT pg_total_relation_size('events')").fetchall()
            [(ticket,)] = connection.execute("SELECT ticket FROM events WHERE position = 1").fetchall()

        def each(work: Callable[[], object]) -> float:
            return _processor_seconds(url, work) * 1e6 / events

        def take() -> None:
            taking.take_backup(url, FileStorage(folder / "a"), folder / "b", KEYS, "0", (folder / "epoch").as_uri())

        def restore() -> None:
            restoring.restore(empty, FileStorage(folder / "c"), folder / "b", None, (folder / "d").as_uri())

        figures = {
            "rebuild of all read models, µs an event": each(
                lambda: rebuild.rebuild_all(url, projections.ALL, lambda *_: None)
            )
        }
        with connect(url, statement_seconds=0) as connection:
            # Otherwise autovacuum does it during the following figures.
            connection.execute("VACUUM ANALYZE")
        figures |= {
            "audit verify, µs an event": each(lambda: audit.verify(url)),
            "backup, µs an event": each(take),
            "size of the backup, B an event": (folder / "b").stat().st_size / events,
            "restore, µs an event": each(restore),
        }
        with connect(empty, statement_seconds=0) as connection:
            connection.execute("VACUUM ANALYZE")
        with connect(url, statement_seconds=0) as connection:
            [(whole,)] = connection.execute("SELECT pg_database_size(current_database())").fetchall()
        figures |= {
            "disk of the history, B an event": history / events,
            "disk of everything, B an event": whole / events,
        }
        # The keys of the installation are in its folder.
        data = folder / "data"
        visible = {"from commit to visible, ms": _visible(url, ticket, data)}
        return figures | _reads(url, ticket, data) | visible | _served(url, data)


def _processor_seconds(url: str, work: Callable[[], object]) -> float:
    """Return the processor time of this process, of those that it starts and of all PostgreSQL processes."""
    with connect(url) as connection:
        stat = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
        before, own = server_seconds(int(stat[1])), sum(os.times()[:4])
        work()
        return server_seconds(int(stat[1])) - before + sum(os.times()[:4]) - own


def _reads(url: str, ticket: UUID, data: Path) -> Figures:
    """Measure what a request reads, with the connection that is already open."""
    with service_on(url, data_dir=data) as service:

        def day_list() -> None:
            with service.database.reading() as cursor:
                desk.page(cursor, "public", Filters(), Sort.NEWEST, 21, None)
                desk.counts(cursor, "public")

        def search() -> None:
            with service.database.reading() as cursor:
                gifts(cursor, GiftSearch("public"), 100, None)

        def totals() -> None:
            with service.database.reading() as cursor:
                donation_ledger.summary(cursor, ticket)

        works: dict[str, Callable[[], object]] = {
            "the day's list of a workspace, ms": day_list,
            "search for donations, ms": search,
            "totals of a ticket, ms": totals,
            "a history page of 100, ms": lambda: service.history.log.ticket_page(ticket, 0, 100),
        }
        servers = [
            pid
            for (pid,) in service.database.rows("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        ]
        return {name: median(processor_milliseconds(work, servers, 100)) for name, work in works.items()}


def _visible(url: str, ticket: UUID, data: Path) -> float:
    """Return the milliseconds from a commit until the read models have its events."""
    waits = []
    with service_on(url, frozenset({"projections", "web"}), data) as service:
        service.start()
        service.history.keys.get(ticket, create=True)
        for _ in range(60):
            donation = Donation.request_checkout(HOLDER, ticket, uuid7(), Money(500, "USD"), None)
            recordings = service.history.application.save(donation)
            committed = time.perf_counter()
            assert service.history.barrier.wait_for(recordings[-1].notification.id)
            waits.append((time.perf_counter() - committed) * 1e3)
    return median(waits)


def _served(url: str, data: Path) -> Figures:
    """Start the service as its users do, and measure the time until it is ready, its first page and its memory."""
    ready, first, memory = [], [], []
    for _ in range(4):
        with started(url, str(data)) as (address, process, seconds):
            begun = time.perf_counter()
            assert httpx2.get(address).status_code == 200
            first.append((time.perf_counter() - begun) * 1e3)
            ready.append(seconds)
            memory.append(sum(_proportional_mb(pid) for pid in _family(process.pid)))
    return {
        "start to ready, s": median(ready),
        "the first page, ms": median(first),
        "memory of all processes, MB": median(memory),
    }


@contextmanager
def started(url: str, folder: str) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """Start `storyledger serve` and yield its address, its process and the seconds until it was ready."""
    port = free_port()
    env = os.environ | {"DATABASE_URL": url, "DATA_DIR": folder, "PORT": str(port)}
    command = [str(Path(sys.executable).parent / "storyledger"), "serve"]
    begun, address = time.perf_counter(), f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{address}/health/ready").status_code == 200:
                    break
            assert process.poll() is None, "the service ended"
            time.sleep(0.01)
        yield address, process, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(15)


def _family(pid: int) -> list[int]:
    """Return the process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


def _proportional_mb(pid: int) -> float:
    """Return the proportional set size of a process: its memory, with shared pages divided among their users."""
    [line] = [line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) / 1024


def table(figures: dict[int, Figures]) -> str:
    """Return the figures of all sizes as Markdown, each with its ratio to the smallest size."""
    smallest, *larger = sorted(figures)
    lines = [
        "| what | " + " | ".join(f"{size:,} events" for size in sorted(figures)) + f" | goal ≤ {LARGEST_RATIO} × |",
        "| --- " * (len(figures) + 2) + "|",
    ]
    for name, value in figures[smallest].items():
        ratios = [figures[size][name] / value for size in larger]
        cells = [f"{figures[size][name]:.3g} ({ratio:.2f} ×)" for size, ratio in zip(larger, ratios, strict=True)]
        met = "met" if max(ratios, default=1) <= LARGEST_RATIO else "**missed**"
        lines.append(f"| {name} | " + " | ".join([f"{value:.3g}", *cells, met]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth")
    parser.add_argument("--sizes", default=SIZES, help="a comma list of numbers of events")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    logging.disable(logging.CRITICAL)
    settle()
    figures: dict[int, Figures] = {}
    with TemporaryDirectory(prefix="storyledger-bench-") as folder, EmbeddedPostgres(Path(folder) / "pg") as postgres:
        for size in sizes:
            figures[size] = measured(postgres.url(), size)
            print(f"\n{table(figures)}", flush=True)


if __name__ == "__main__":
    main()

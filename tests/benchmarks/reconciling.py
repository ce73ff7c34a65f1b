"""Measures `storyledger reconcile` on an account with many objects: once nothing of them is known, and then all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx2

import projections
from adapters.event_store import codec
from adapters.event_store import log as event_log
from adapters.event_store.log import NewEntry
from adapters.postgres.database import connect
from adapters.read_models.follower import Follower
from domain.donations import donation_stream
from domain.events import CheckoutOpened, CheckoutRequested, DonationEvent
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType, Money
from tests.benchmarks.report import Figure, Report
from tests.benchmarks.stripe_account import AMOUNT, CREATED, DAY_SECONDS, TICKETS, donation_key, donations_for
from tests.benchmarks.world import BATCH_EVENTS, NOW, migrated, service_on
from tests.client import free_port
from tests.processes import STORYLEDGER, environment

GOAL_SECONDS = 600
GOAL_MB = 200
SINCE = "2020-01-01"


def measure(report: Report, server_url: str, objects: int) -> None:
    donations = donations_for(objects)
    with migrated(server_url) as url, TemporaryDirectory() as folder, account(donations) as stripe:
        settings = {
            "database_url": url,
            "data_dir": folder,
            "stripe_api_base": stripe,
            "stripe_secret_key": "sk_test_1",
        }
        settings |= {"stripe_webhook_secret": "whsec_of_the_benchmarks_0123456789abcdef"}
        open_checkouts(url, Path(folder), donations)
        for what, is_known in (("unknown", False), ("known", True)):
            run = reconcile(settings, url)
            assert run.answer["unmatched"] == [], run.answer["unmatched"][:3]
            assert run.answer["matched" if is_known else "repaired"] == donations, run.answer
            follow(url)
            label = f"reconcile {objects:,} {what} objects"
            print(f"        {run.cpu_seconds:.1f} s of processor, and {run.postgres_seconds:.1f} s of PostgreSQL's")
            report.add(Figure(label, run.seconds, "s", GOAL_SECONDS, at_most=True))
            report.add(Figure(f"{label}: resident memory", run.memory_mb, "MB", GOAL_MB, at_most=True))


@contextmanager
def account(donations: int) -> Iterator[str]:
    """Run a Stripe account in a process of its own and yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.stripe_account", str(port), str(donations)]
    process = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            with suppress(httpx2.TransportError):
                httpx2.get(f"{url}/v1/disputes")
                break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(15)


def open_checkouts(url: str, folder: Path, donations: int) -> None:
    """Record the tickets, and the checkouts of all donations, about which no event has arrived."""
    with service_on(url, data_dir=folder) as service:
        for number in range(TICKETS):
            id, _ = donation_key(number)
            contact = Contact(ContactType.EMAIL, f"ada{number}@example.com")
            new_ticket = NewTicket(id, "public", f"bench{number:07}", contact, id.hex, None, id.hex)
            service.commands.tickets.open(SYSTEM, new_ticket)
    with connect(url, statement_seconds=0) as connection, connection.cursor() as cursor:
        for first in range(0, donations, BATCH_EVENTS):
            numbers = range(first, min(first + BATCH_EVENTS, donations))
            keys = [donation_key(number) for number in numbers]
            event_log.append(cursor, [_opened(*key, number) for key, number in zip(keys, numbers, strict=True)])
            cursor.execute(
                "INSERT INTO stripe_links (object_id, ticket_id, donation_id)"
                " SELECT * FROM unnest(%s::text[], %s::uuid[], %s::uuid[])",
                ([f"cs_{number}" for number in numbers], [key[0] for key in keys], [key[1] for key in keys]),
            )
        connection.execute("ANALYZE")


def _opened(ticket_id: UUID, donation_id: UUID, number: int) -> list[NewEntry]:
    stream = donation_stream(ticket_id, donation_id)
    common = {"timestamp": NOW, "actor": SYSTEM, "ticket_id": ticket_id, "donation_id": donation_id}
    expires_at = CREATED + number + DAY_SECONDS
    facts: list[DonationEvent] = [
        CheckoutRequested(
            originator_id=stream,
            originator_version=1,
            amount=Money(AMOUNT, "USD"),
            **common,
        ),
        CheckoutOpened(
            originator_id=stream,
            originator_version=2,
            session_id=f"cs_{number}",
            expires_at=expires_at,
            livemode=False,
            **common,
        ),
    ]
    return [
        NewEntry(stream, version, fact.TOPIC, codec.encode(fact), ticket_id) for version, fact in enumerate(facts, 1)
    ]


def follow(url: str) -> None:
    with connect(url) as connection:
        follower = Follower(url, projections.ALL)
        while follower.fold_next_batch(connection):
            pass


@dataclass(frozen=True)
class Run:
    """One run of the command: what it printed, and what it took."""

    answer: dict[str, object]
    seconds: float
    cpu_seconds: float
    postgres_seconds: float
    memory_mb: float


def reconcile(settings: dict[str, str], url: str) -> Run:
    before = _postgres_seconds(url)
    started = time.monotonic()
    with TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [STORYLEDGER, "reconcile", "--json", "--since", SINCE], env=environment(settings), stdout=file
            )
            # `wait4` alone tells what this process took.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        answer = json.loads(output.read_bytes())
    return Run(
        answer,
        time.monotonic() - started,
        usage.ru_utime + usage.ru_stime,
        _postgres_seconds(url) - before,
        usage.ru_maxrss / 1024,
    )


def _postgres_seconds(url: str) -> float:
    """Return the processor time of all present and ended processes of the server."""
    with connect(url) as connection:
        pid = int(_fields(Path(f"/proc/{connection.info.backend_pid}/stat"))[1])
    total = _cpu_ticks(pid, with_ended=True)
    for task in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if _fields(task)[1] == str(pid):
                total += _cpu_ticks(int(task.parent.name), with_ended=False)
    return total / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int, *, with_ended: bool) -> int:
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return sum(map(int, fields[11 : 15 if with_ended else 13]))


def _fields(stat: Path) -> list[str]:
    """Return the fields after the process's name, which may contain blanks: state, parent, …"""
    return stat.read_text().rpartition(")")[2].split()

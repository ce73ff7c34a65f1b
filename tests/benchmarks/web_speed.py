"""Measures many webhooks, and reads, with 32 connections: of `storyledger serve --processes 2`, and of baselines."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx2

from adapters.event_store import log as event_log
from adapters.ids import uuid7
from adapters.payments.webhooks import sign
from adapters.postgres.database import connect
from domain.donations import Donation
from domain.values import Money
from tests.benchmarks.report import Figure, Report
from tests.benchmarks.servers import SECRET
from tests.benchmarks.world import HOLDER, asked_minor, migrated, service_on
from tests.client import free_port
from tests.postgres import fresh_database

CONNECTIONS = 32
WEBHOOKS = 4_000
READS = 3_000


@contextmanager
def serving(kind: str, *more: str, path: str = "/health/live") -> Iterator[str]:
    """Run a server in a process and yield its address once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.servers", kind, str(port), *more]
    with _running(command, dict(os.environ), f"http://127.0.0.1:{port}", path) as (url, _):
        yield url


@contextmanager
def storyledger(url: str, folder: str, processes: int = 2) -> Iterator[tuple[str, int]]:
    """Run `storyledger serve` as users do, without rate limits, and yield its address and process id."""
    port = free_port()
    settings = {
        "DATABASE_URL": url,
        "DATA_DIR": folder,
        "PORT": str(port),
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "TRUSTED_PROXIES": "127.0.0.1",
        **{f"RATE_LIMIT_{name}": "1000000/second" for name in ("DEFAULT", "CREATE", "PAGE", "GIFT")},
    }
    command = [str(Path(sys.executable).parent / "storyledger"), "serve", "--processes", str(processes)]
    with _running(command, os.environ | settings, f"http://127.0.0.1:{port}", "/health/ready") as served:
        yield served


@contextmanager
def _running(command: list[str], env: dict[str, str], url: str, path: str) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            with suppress(httpx2.TransportError):
                httpx2.get(url + path)
                break
            assert process.poll() is None, f"{command} ended"
            assert time.monotonic() < deadline, f"{command} did not start"
            time.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(15)


async def _drive(port: int, requests: Sequence[bytes]) -> list[int]:
    """Send the requests over `CONNECTIONS` persistent connections and return the statuses."""
    waiting = iter(requests)
    statuses: list[int] = []

    async def send_all() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            statuses.append(int(head[9:12]))
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line[15:]))
        writer.close()

    await asyncio.gather(*(send_all() for _ in range(CONNECTIONS)))
    return statuses


def drive(url: str, requests: Sequence[bytes]) -> float:
    """Return the seconds until all requests are answered with success."""
    started = time.perf_counter()
    statuses = asyncio.run(_drive(int(url.rpartition(":")[2]), requests))
    took = time.perf_counter() - started
    assert set(statuses) <= {200}, sorted(set(statuses))
    return took


def _webhook(event: dict[str, object]) -> bytes:
    body = json.dumps(event).encode()
    head = (
        f"POST /api/webhooks/stripe HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nStripe-Signature: {sign(body, SECRET, time.time())}\r\n\r\n"
    )
    return head.encode() + body


def _paid(ticket: UUID, donation: UUID, number: int) -> dict[str, object]:
    """Return Stripe's event about a paid checkout: about 1.5 kB, most of which the service ignores."""
    return {
        "id": f"evt_bench{number}x{donation.hex}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "livemode": False,
        "type": "checkout.session.completed",
        "data": {
            "object": {
                "id": f"cs_{donation.hex}",
                "object": "checkout.session",
                "mode": "payment",
                "amount_total": asked_minor(number),
                "currency": "usd",
                "payment_intent": f"pi_{donation.hex}",
                "payment_status": "paid",
                "metadata": {"ticketId": str(ticket), "donationId": str(donation)},
                "status": "complete",
                "payment_method_options": {"card": {"note": "x" * 700}},
            }
        },
    }


def _on_record(url: str, server: str, count: int, data_dir: Path) -> list[tuple[UUID, UUID]]:
    """Record this many donations with a requested checkout on a new ticket, each with its key."""
    body = {"contactType": "EMAIL", "contactValue": "ada@example.com"}
    ticket = UUID(httpx2.post(f"{server}/api/tickets/create", json=body).json()["id"])
    donations = [
        Donation.request_checkout(HOLDER, ticket, uuid7(), Money(asked_minor(number), "USD"), None)
        for number in range(count)
    ]
    with service_on(url, data_dir=data_dir) as service, service.database.transaction() as cursor:
        to_entry = service.history.application.mapper.to_stored_event
        groups = [[to_entry(event) for event in donation.collect_events()] for donation in donations]
        event_log.append(cursor, groups)
    return [(ticket, donation.donation_id) for donation in donations]


def webhooks(report: Report, server_url: str) -> None:
    rates: dict[str, list[float]] = {"ours": [], "one process": [], "verifying": [], "library": []}
    with ExitStack() as stack:
        url = stack.enter_context(migrated(server_url))
        other = stack.enter_context(fresh_database(server_url))
        folder = stack.enter_context(TemporaryDirectory())
        alone_url = stack.enter_context(migrated(server_url))
        alone_folder = stack.enter_context(TemporaryDirectory())
        ours, _ = stack.enter_context(storyledger(url, folder))
        alone, _ = stack.enter_context(storyledger(alone_url, alone_folder, processes=1))
        bare = stack.enter_context(serving("verifying", other))
        library = stack.enter_context(serving("library", other))
        for _ in range(3):
            requests = _to_apply(url, ours, Path(folder))
            rates["ours"].append(WEBHOOKS / _drive_and_apply(url, ours, requests))
            alone_requests = _to_apply(alone_url, alone, Path(alone_folder))
            rates["one process"].append(WEBHOOKS / _drive_and_apply(alone_url, alone, alone_requests))
            rates["verifying"].append(WEBHOOKS / drive(bare, requests))
            rates["library"].append(WEBHOOKS / 4 / drive(library, requests[: WEBHOOKS // 4]))
    middle = {name: median(found) for name, found in rates.items()}
    what = f"webhooks durably accepted and applied, {CONNECTIONS} connections"
    report.add(Figure(what, middle["ours"], "/s", 0.3, middle["verifying"], "only verifying the signature"))
    report.add(Figure(what, middle["ours"], "/s", 2, middle["library"], "verifying and the library's save()"))
    report.add(Figure(what, middle["ours"], "/s", 1, middle["one process"], "`serve --processes 1`"))


def _to_apply(url: str, server: str, data_dir: Path) -> list[bytes]:
    """Return a webhook for each of `WEBHOOKS` new donations."""
    donations = _on_record(url, server, WEBHOOKS, data_dir)
    return [_webhook(_paid(ticket, donation, number)) for number, (ticket, donation) in enumerate(donations)]


def _drive_and_apply(url: str, server: str, requests: Sequence[bytes]) -> float:
    """Return the seconds until all webhooks are answered and applied."""
    started = time.perf_counter()
    drive(server, requests)
    _applied(url)
    return time.perf_counter() - started


def _applied(url: str) -> None:
    with connect(url) as connection:
        while connection.execute("SELECT EXISTS (SELECT FROM stripe_inbox WHERE state = 'received')").fetchone() == (
            True,
        ):
            time.sleep(0.01)
        row = connection.execute("SELECT count(*) FROM stripe_inbox WHERE state <> 'applied'").fetchone()
        assert row == (0,)


_TOTALS = "SELECT * FROM read.donation_totals WHERE ticket_id = '{ticket}'"
_STATUS = (
    "SELECT t.*, f.ticket_id AS funded FROM read.ticket_status t LEFT JOIN read.funded_tickets f USING (ticket_id)"
    " WHERE t.ticket_id = '{ticket}'"
)


def reads(report: Report, server_url: str) -> None:
    with migrated(server_url) as url, TemporaryDirectory() as folder, storyledger(url, folder) as (ours, _):
        body = {"contactType": "EMAIL", "contactValue": "ada@example.com"}
        made = httpx2.post(f"{ours}/api/tickets/create", json=body).json()
        ticket, token = made["id"], made["accessToken"]
        for path, statement in (("/status", _STATUS), ("/donations/total", _TOTALS)):
            whole = f"/api/tickets/{ticket}{path}"
            answer = httpx2.get(ours + whole, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            kept = Path(folder) / "answer.json"
            kept.write_bytes(answer.content)
            request = f"GET {whole} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            with serving("query", url, statement.format(ticket=ticket), str(kept), path="/x") as bare:
                pairs = [(drive(ours, [request] * READS), drive(bare, [request] * READS)) for _ in range(3)]
            values = [READS / median(pair[side] for pair in pairs) for side in (0, 1)]
            label = "a bare handler with the same query and bytes"
            report.add(Figure(f"a read ({path}), {CONNECTIONS} connections", values[0], "/s", 0.5, values[1], label))

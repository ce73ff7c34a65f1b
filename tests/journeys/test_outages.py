"""The database goes away under load, for short and for long, and comes back: what a client sees of it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.postgres import migrations
from adapters.postgres.database import connect
from tests import processes
from tests.client import RECORDING, Client, eventually, free_port
from tests.postgres import OwnServer

logger = logging.getLogger(__name__)

STORYLEDGER = Path(sys.executable).parent / "storyledger"
# For what was no answer: nobody listened, or the connection ended in the middle.
TURNED_AWAY, CUT = -1, -2
# What a client can measure is ours and the machine's together.
SLACK_SECONDS = 1.0
READY_SECONDS = 150
# Between two requests of one client.
PAUSE_SECONDS = 0.05


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    server = OwnServer()
    with connect(server.url) as connection:
        migrations.migrate(connection)
    yield server
    server.close()


@dataclass
class Serving:
    process: subprocess.Popen[bytes]
    url: str

    def status(self, path: str) -> int:
        with suppress(httpx2.TransportError):
            return httpx2.get(self.url + path, timeout=10).status_code
        return 0

    def client(self) -> Client:
        return Client(base_url=self.url, timeout=30)


# One for all services on the one database, whose data folders differ.
MASTER_KEY = "outages-0123456789-abcdefghijklmnopqrstuvwxyz"


@contextmanager
def serving(database_url: str, data_dir: Path, only: str | None = None, **environment: str) -> Iterator[Serving]:
    port = free_port()
    settings = {"DATABASE_URL": database_url, "DATA_DIR": str(data_dir), "PORT": str(port), "MASTER_KEY": MASTER_KEY}
    unlimited = dict.fromkeys(("RATE_LIMIT_DEFAULT", "RATE_LIMIT_CREATE", "RATE_LIMIT_PAYMENT"), "1000000/minute")
    process = subprocess.Popen(
        [STORYLEDGER, "serve", *(["--only", only] if only else [])],
        env=os.environ | unlimited | settings | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        running = Serving(process, f"http://127.0.0.1:{port}")
        eventually(lambda: running.status("/health/ready") == 200, READY_SECONDS)
        yield running
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def lasting(postgres: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(postgres.url, tmp_path_factory.mktemp("outages")) as running:
        yield running


@dataclass(frozen=True)
class Seen:
    """One answer: what was asked, when it came, how long it took, and what it was."""

    what: str
    at: float
    seconds: float
    status: int
    retry_after: str | None


class Load:
    """Clients who read, write and look at health without a pause, for as long as the block lasts."""

    def __init__(self, running: Serving) -> None:
        self._running = running
        self._over = threading.Event()
        self.seen: list[Seen] = []
        with running.client() as visitor:
            ticket = visitor.open_ticket()
        writes: Callable[[Client, int], httpx2.Response] = lambda client, n: client.patch(  # noqa: E731
            ticket.path + "/draft", json={"title": f"Help {n}"}
        )
        opens: Callable[[Client, int], httpx2.Response] = lambda client, _: client.post(  # noqa: E731
            "/api/tickets/create", json={"contactType": "EMAIL", "contactValue": "ada@example.com"}
        )
        reads: Callable[[Client, int], httpx2.Response] = lambda client, _: client.get(ticket.path)  # noqa: E731
        live: Callable[[Client, int], httpx2.Response] = lambda client, _: client.get("/health/live")  # noqa: E731
        known = {"Authorization": f"Bearer {ticket.token}"}
        self._threads = [
            threading.Thread(target=self._ask, args=(what, ask, headers))
            for what, ask, headers in (
                *[("read", reads, known)] * 3,
                *[("write", writes, known)] * 2,
                *[("open", opens, {})] * 2,
                ("live", live, {}),
            )
        ]

    def _ask(self, what: str, ask: Callable[[Client, int], httpx2.Response], headers: dict[str, str]) -> None:
        number = 0
        with self._running.client() as client:
            client.headers.update(headers)
            while not self._over.wait(PAUSE_SECONDS):
                number += 1
                started = time.monotonic()
                try:
                    answer = ask(client, number)
                    status, retry_after = answer.status_code, answer.headers.get("retry-after")
                except httpx2.ConnectError:
                    status, retry_after = TURNED_AWAY, None
                except httpx2.TransportError:
                    status, retry_after = CUT, None
                ended = time.monotonic()
                self.seen.append(Seen(what, ended, ended - started, status, retry_after))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def answers(self, since: float = 0.0, until: float = float("inf")) -> list[Seen]:
        """All but those about health, that came in the time given."""
        return [one for one in self.seen if one.what != "live" and since <= one.at <= until]


def outage(
    running: Serving, away: Callable[[], None], back: Callable[[], None], seconds: float, noticed_within: float
) -> None:
    with Load(running) as load:
        eventually(lambda: len([one for one in load.answers() if one.status < 300]) > 30, 60)
        away()
        gone = time.monotonic()
        time.sleep(seconds)
        returned = time.monotonic()
        back()
        returned_fully = time.monotonic()
        eventually(lambda: any(one.status < 300 for one in load.answers(returned)), 30)
        time.sleep(1.5)
    refused = [one for one in load.answers() if one.status == 503]
    first_503 = min(one.at for one in refused) - gone
    first_success = min(one.at for one in load.answers(returned) if one.status < 300) - returned_fully
    logger.info(
        "away for %.1f s: %d answers %s; first 503 after %.2f s, slowest %.2f s; first success %.2f s after the return",
        returned_fully - gone,
        len(load.seen),
        dict(Counter(one.status for one in load.seen)),
        first_503,
        max(one.seconds for one in refused),
        first_success,
    )
    assert {one.status for one in load.seen} <= {200, 201, 503}, {one.status for one in load.seen}
    assert {one.status for one in load.seen if one.what == "live"} == {200}
    assert all(one.retry_after for one in refused)
    assert first_503 < noticed_within + SLACK_SECONDS
    # From then on nobody waits, and nobody is let through.
    meanwhile = load.answers(gone + noticed_within + SLACK_SECONDS, returned)
    assert {one.status for one in meanwhile} == {503}
    assert max(one.seconds for one in load.answers()) < noticed_within + SLACK_SECONDS
    assert max(one.seconds for one in meanwhile) < 2
    assert first_success < 3 + SLACK_SECONDS
    # Once it answers again it goes on answering.
    settled = load.answers(returned_fully + max(first_success, 0) + 1)
    assert settled
    assert {one.status for one in settled} <= {200, 201}


def rows(server: OwnServer, query: str) -> list[tuple[Any, ...]]:
    with connect(server.url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_database_that_is_stopped_for_some_seconds_costs_nothing_but_these(lasting: Serving, postgres: OwnServer):
    outage(lasting, postgres.stop, postgres.start, 4, noticed_within=2)


def test_a_database_that_hangs_is_away_within_five_seconds(lasting: Serving, postgres: OwnServer):
    outage(lasting, postgres.freeze, postgres.thaw, 8, noticed_within=5)


def test_work_that_was_begun_goes_on_by_itself_after_an_outage(lasting: Serving, postgres: OwnServer):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        assert ticket.post("/process").status_code == 202
        checkout = ticket.pay(50)
        postgres.stop()
        assert lasting.status("/health/live") == 200
        # Whatever was due meanwhile finds nothing there.
        time.sleep(2)
        postgres.start()
        eventually(lambda: lasting.status("/health/ready") == 200, 10)
        paid = {"outcome": "paid", "email": "grace@example.com", "name": "Grace Hopper", "country": "US"}
        assert visitor.post(checkout["checkoutUrl"], data=paid).status_code == 303
        eventually(lambda: ticket.get("/donations/total").json()["counts"]["paid"] == 1, 30)
        assert ticket.when("DONE")["contentStatus"] == "READY"


def test_each_outage_is_on_record(lasting: Serving, postgres: OwnServer):
    before = len(rows(postgres, "SELECT FROM health_checks WHERE outcome = 'back'"))
    postgres.stop()
    try:
        with lasting.client() as visitor:
            # What was asked when it went down was hung up on.
            told = eventually(
                lambda: (now := visitor.get("/health/db").json())["lastError"] == "refuses connections" and now, 5
            )
            assert told["ready"] is False
            assert told["failureCount"] > 0
            assert visitor.get("/health/ready").json()["database"] is False
    finally:
        postgres.start()
    eventually(lambda: lasting.status("/health/db") == 200, 10)
    recorded = "SELECT error, away_seconds > 0, failures > 0 FROM health_checks WHERE outcome = 'back' ORDER BY id"
    found = eventually(lambda: rows(postgres, recorded)[before:])
    assert found in ([(error, True, True)] for error in ("refuses connections", "not reachable"))


def test_a_service_that_is_told_to_stop_answers_whom_it_let_in(postgres: OwnServer, tmp_path: Path):
    with serving(postgres.url, tmp_path) as running:
        with running.client() as visitor:
            # So many that some are still being heard when the signal comes.
            tickets = [visitor.open_ticket() for _ in range(6)]
            for ticket in tickets:
                assert ticket.upload(RECORDING.read_bytes()).status_code == 200
                assert ticket.post("/process").status_code == 202
            eventually(lambda: any(t.get("/status").json()["progress"] > 5 for t in tickets), 120)
        with Load(running) as load:
            eventually(lambda: len(load.answers()) > 10, 60)
            running.process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            assert running.process.wait(20) == 0
            assert time.monotonic() - told < 10
        assert {one.status for one in load.seen} <= {200, 201, TURNED_AWAY}
    # Its jobs wait for the next worker, at once and not only when somebody misses the old one.
    whose = ", ".join(f"'{ticket.id}'" for ticket in tickets)
    query = f"SELECT DISTINCT status::text FROM procrastinate_jobs WHERE args->>'ticket' IN ({whose})"
    assert rows(postgres, query) == [("todo",)]


def test_a_service_without_its_database_for_too_long_ends_for_a_supervisor_to_see(postgres: OwnServer, tmp_path: Path):
    with serving(postgres.url, tmp_path, DB_OUTAGE_EXIT_SECONDS="1.5") as running:
        postgres.stop()
        try:
            assert running.process.wait(20) == 1
        finally:
            postgres.start()


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [33, 65])
def test_a_long_outage_is_over_as_fast_as_a_short_one(lasting: Serving, postgres: OwnServer, seconds: float):
    outage(lasting, postgres.stop, postgres.start, seconds, noticed_within=2)
    outage(lasting, postgres.freeze, postgres.thaw, seconds, noticed_within=5)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [33, 65])
def test_parts_by_themselves_are_at_work_again_after_a_long_outage(postgres: OwnServer, tmp_path: Path, seconds: float):
    with serving(postgres.url, tmp_path, "web") as web, ExitStack() as stack:
        shared = {"database_url": postgres.url, "data_dir": tmp_path, "master_key": MASTER_KEY, "base_url": web.url}
        for part in ("worker", "projections"):
            stack.enter_context(processes.Serving(part, **shared))
        for away, back, noticed_within in (
            (postgres.stop, postgres.start, 2),
            (postgres.freeze, postgres.thaw, 5),
        ):
            outage(web, away, back, seconds, noticed_within)
            with web.client() as visitor:
                ticket = visitor.open_ticket()
                assert ticket.upload(RECORDING.read_bytes()).status_code == 200
                assert ticket.post("/process").status_code == 202
                assert ticket.when("DONE")["contentStatus"] == "READY"

"""`storyledger serve --processes 3`: crashes, stops and reloads, with real processes."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from entrypoints.cli.supervisor import MOST_CRASHES, cores, layout
from tests.client import Ticket, eventually
from tests.load import Load
from tests.postgres import fresh_database
from tests.processes import Serving

TOKEN = "metrics-" + "0123456789abcdef" * 2
PARTS = ("web", "worker", "projections")


class Supervised(Serving):
    """A service in three processes, whose ids are found by their parts."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.log = folder / "log"
        place = {"database_url": database_url, "data_dir": folder / "var"}
        super().__init__(processes=3, log=self.log, metrics_token=TOKEN, **place)

    def pids(self) -> dict[str, int]:
        """Return the ids of the running processes; while one is replaced, that of the older one."""
        process_ids: dict[str, int] = {}
        for pid in map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()):
            with suppress(FileNotFoundError, ProcessLookupError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"--only" in words:
                    process_ids.setdefault(words[words.index(b"--only") + 1].decode(), pid)
        return process_ids

    def wait_for_all(self) -> dict[str, int]:
        """Return the ids once all processes run that were started last."""
        started = b'"event":"started"'

        def all_started() -> dict[str, int] | None:
            pids = self.pids()
            return pids if len(pids) == len(PARTS) and self.log.read_bytes().count(started) >= len(PARTS) else None

        process_ids: dict[str, int] = eventually(all_started)
        return process_ids

    def give(self, ticket: Ticket) -> None:
        """Pay a gift in the sandbox, and wait until the ticket's total shows it: this takes every process."""
        before = _total(ticket)
        form = {"outcome": "paid", "name": "Grace Hopper", "email": "grace@example.com", "country": "US"}
        assert ticket.http.post(ticket.pay(10)["checkoutUrl"], data=form).status_code == 303
        eventually(lambda: _total(ticket) == before + 1000)

    def metrics(self) -> dict[str, float]:
        """Return the samples by their names and labels."""
        with self.client(headers={"Authorization": f"Bearer {TOKEN}"}) as prometheus:
            lines = prometheus.get("/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def _total(ticket: Ticket) -> int:
    totals = ticket.get("/donations/total").json()["byCurrency"]
    return sum(total["paidMinor"] for total in totals)


@pytest.fixture(scope="module")
def lasting(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """Run one service for all tests that do not stop it."""
    with (
        fresh_database(server_url, migrated_template) as url,
        Supervised(tmp_path_factory.mktemp("supervised"), url) as running,
    ):
        running.wait_for_all()
        yield running


@pytest.fixture
def service(migrated_url: str, tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path, migrated_url) as running:
        running.wait_for_all()
        yield running


def test_the_metrics_of_any_process_show_the_figures_of_each(lasting: Supervised):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
        ticket.publish()
        lasting.give(ticket)
    metrics = lasting.metrics()
    memory = {part: metrics[f'process_resident_memory_bytes{{process="{part}"}}'] for part in PARTS}
    assert len(set(memory.values())) == len(PARTS)
    applied = 'storyledger_webhooks_applied_total{outcome="applied",process="%s"}'
    assert (metrics[applied % "worker"] >= 1, metrics.get(applied % "web", 0)) == (True, 0)
    assert not {name for name in metrics if name.startswith("storyledger_inbox_events") and "process=" in name}


def test_a_killed_process_of_each_part_is_started_again_and_the_service_goes_on(lasting: Supervised):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
        ticket.publish()
        for part in PARTS:
            killed = lasting.pids()[part]
            os.kill(killed, signal.SIGKILL)
            eventually(lambda part=part, killed=killed: lasting.pids().get(part, killed) != killed)
            eventually(lambda: lasting.status("/health/ready") == 200)
            lasting.give(ticket)
    assert lasting.log.read_text().count("a process ended and is started again") == len(PARTS)


def test_a_process_that_ends_again_and_again_ends_the_service_with_an_error(service: Supervised):
    killed = {0}
    for _ in range(MOST_CRASHES):
        pid = eventually(lambda: service.pids().get("worker", 0) not in killed and service.pids()["worker"])
        killed.add(pid)
        os.kill(pid, signal.SIGKILL)
    assert service.process.wait(60) == 1
    last = service.log.read_text().splitlines()[-1]
    assert last == "storyledger: the process worker ended 5 times in a row, now with exit code -9"


def test_a_request_that_is_being_sent_is_answered_before_the_processes_stop(service: Supervised):
    body = b'{"contactType": "EMAIL", "contactValue": "ada@example.com"}'
    head = (
        f"POST /api/tickets/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body[:10])
        service.process.terminate()
        # The web process no longer accepts connections, and the supervisor has closed its socket.
        eventually(lambda: service.status("/health/ready") == 0)
        connection.sendall(body[10:])
        answer = connection.makefile("rb").readline()
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert service.process.wait(60) == 0


def test_a_reload_replaces_every_process_without_refusing_a_connection(lasting: Supervised):
    visitor = lasting.client(headers={"Connection": "close"})
    before = lasting.pids()
    with visitor, Load(("visit", lambda: visitor.get("/d/nobody")), pause_seconds=0.02) as load:
        load.wait_for_more(5)
        lasting.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(lasting.pids()) == 3 and not set(lasting.pids().values()) & set(before.values()))
        load.wait_for_more(5)
    assert load.statuses() == {404}


def test_no_process_outlives_a_killed_supervisor(service: Supervised):
    pids = service.pids().values()
    service.kill()
    eventually(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])


# The layout.


def test_the_parts_are_divided_among_the_processes():
    assert layout(2) == {"web": "web", "background": "worker,projections"}
    assert layout(3) == {"web": "web", "worker": "worker", "projections": "projections"}
    assert layout(5) == {f"web-{n}": "web" for n in (1, 2, 3)} | {"worker": "worker", "projections": "projections"}


@pytest.mark.parametrize(("quota", "expected"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None)])
def test_the_quota_of_a_container_counts_as_its_processors(tmp_path: Path, quota: str, expected: int | None):
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cores(tmp_path) == expected or len(os.sched_getaffinity(0))

"""Web, worker and projections as separate processes, and a database that stops answering."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.postgres.database import connect
from tests.client import RECORDING, Ticket, eventually
from tests.fakes.line import Line
from tests.postgres import OwnServer, migrated_server
from tests.processes import STOP_SECONDS, Serving

# One for all processes on the one database, whose data folders differ.
MASTER_KEY = "hangs-0123456789-abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    with migrated_server() as server:
        yield server


class Apart:
    """Web, worker and projections, each with its own connection to the database through a proxy."""

    def __init__(self, postgres: OwnServer, folder: Path, stack: ExitStack) -> None:
        self.postgres = postgres
        self.lines: dict[str, Line] = {}
        self.parts: dict[str, Serving] = {}
        others: dict[str, Any] = {}
        for part in ("web", "worker", "projections"):
            line = self.lines[part] = stack.enter_context(Line(postgres.url))
            env = {"database_url": line.url, "data_dir": folder / "var", "master_key": MASTER_KEY}
            serving = Serving(part, log=folder / f"{part}.log", **env, **others)
            self.parts[part] = stack.enter_context(serving)
            # The other processes find the sandbox at the web process.
            others.setdefault("base_url", serving.url)
        self.web = self.parts["web"]
        # A process does not start on a dead connection, so all of them are ready before the tests begin.
        for serving in self.parts.values():
            serving.wait_until_ready()

    def everything_continues(self, ticket: Ticket) -> None:
        """Check that the worker works and that the read models and the proof follow the history."""
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        assert ticket.post("/process").status_code == 202
        eventually(lambda: ticket.get("/status").json()["stage"] == "DONE")
        head = "SELECT max(position) FROM events"
        eventually(lambda: self.is_true(f"SELECT min(position) >= ({head}) FROM projections WHERE live"))
        eventually(lambda: self.is_true(f"SELECT max(size) >= ({head}) FROM proof_checkpoints"))

    def is_true(self, question: str) -> bool:
        with connect(self.postgres.url) as connection:
            return connection.execute(question.encode()).fetchone() == (True,)


def answered(ticket: Ticket) -> bool:
    """Return True if a GET of the ticket is answered with 200; a request on a silent connection may time out."""
    with suppress(httpx2.TransportError):
        return ticket.get(timeout=20).status_code == 200
    return False


@pytest.fixture(scope="module")
def apart(postgres: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    with ExitStack() as stack:
        yield Apart(postgres, tmp_path_factory.mktemp("apart"), stack)


def test_connections_that_fall_silent_do_not_block_any_process(apart: Apart):
    with apart.web.client() as visitor:
        ticket = visitor.open_ticket()
        for line in apart.lines.values():
            line.go_dead()
        eventually(lambda: answered(ticket))
        apart.everything_continues(ticket)


def test_a_frozen_server_is_left_for_the_one_that_replaces_it(apart: Apart):
    with apart.web.client() as visitor:
        ticket = visitor.open_ticket()
        apart.postgres.freeze()
        eventually(lambda: apart.web.status("/health/db") == 503)
        apart.postgres.kill()
        apart.postgres.start()
        eventually(lambda: apart.web.status("/health/ready") == 200)
        apart.everything_continues(ticket)


def test_every_process_that_is_stopped_while_the_server_is_frozen_exits(apart: Apart):
    apart.postgres.freeze()
    try:
        for part in apart.parts.values():
            part.process.send_signal(signal.SIGTERM)
        for part in apart.parts.values():
            part.process.wait(STOP_SECONDS)
    finally:
        apart.postgres.thaw()


@pytest.mark.parametrize("part", ["worker", "projections"])
def test_a_process_without_its_database_for_too_long_exits_for_its_supervisor(
    postgres: OwnServer, tmp_path: Path, part: str
):
    env = {
        "database_url": postgres.url,
        "data_dir": tmp_path,
        "master_key": MASTER_KEY,
        "db_outage_exit_seconds": 1.5,
    }
    with Serving(part, log=tmp_path / "log", **env) as running:
        running.wait_until_ready()
        postgres.stop()
        try:
            assert running.process.wait(STOP_SECONDS) == 1
        finally:
            postgres.start()

"""Web, worker and projections with separate connections survive a database that stops answering."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.postgres.database import connect
from entrypoints.composition.service import Parts
from tests.client import LiveService, Ticket, eventually
from tests.fakes.line import Line
from tests.postgres import OwnServer, migrated_server
from tests.processes import STOP_SECONDS, Serving, serving_without_port

# The same master key and place of epoch keys for all processes on the database, because their data folders differ.
MASTER_KEY = "hangs-0123456789-abcdefghijklmnopqrstuvwxyz"
# Long enough that no delay of a busy machine counts as an outage that the process must not survive.
OUTAGE_EXIT_SECONDS = 5

pytestmark = pytest.mark.usefixtures("hanging_is_noticed_soon")


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    with migrated_server() as server:
        yield server


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of the keys of every process on the database."""
    return {"master_key": MASTER_KEY, "epoch_key_url": f"file://{tmp_path_factory.mktemp('epoch')}"}


class Apart:
    """Web, worker and projections, each with its own connection to the database through a proxy."""

    def __init__(self, postgres: OwnServer, folder: Path, keys: dict[str, str], stack: ExitStack) -> None:
        self.postgres = postgres
        self.lines: list[Line] = []
        settings: dict[str, Any] = dict(keys)
        for part in (Parts.WEB, Parts.WORKER, Parts.PROJECTIONS):
            line = stack.enter_context(Line(postgres.url))
            self.lines.append(line)
            live = LiveService(line.url, folder / "var", frozenset({part}), **settings)
            stack.enter_context(live)
            if part == Parts.WEB:
                self.web = live
            # The other parts find the sandbox at the web part.
            settings["base_url"] = self.web.base_url

    def status(self, path: str) -> int:
        with self.web.client() as supervisor:
            return supervisor.get(path).status_code

    def everything_continues(self, ticket: Ticket) -> None:
        """Check that the worker works and that the read models and the proof follow the history."""
        assert ticket.http.delete(ticket.path).status_code == 202
        # The worker repeats an erasure after a minute.
        self.postgres.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE task_name = 'forget'")
        eventually(lambda: self.is_true("SELECT count(*) = 0 FROM procrastinate_jobs WHERE task_name = 'forget'"))
        head = "SELECT max(position) FROM events"
        eventually(lambda: self.is_true(f"SELECT min(position) >= ({head}) FROM projections WHERE live"))
        eventually(lambda: self.is_true(f"SELECT max(size) >= ({head}) FROM proof_checkpoints"))

    def is_true(self, question: str) -> bool:
        with connect(self.postgres.url) as connection:
            return connection.execute(question.encode()).fetchone() == (True,)


def is_answered(ticket: Ticket) -> bool:
    """Return True if a GET of the ticket is answered with 200; a request on a silent connection may time out."""
    with suppress(httpx2.TransportError):
        return ticket.get(timeout=20).status_code == 200
    return False


@pytest.fixture(scope="module")
def apart(postgres: OwnServer, keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    with ExitStack() as stack:
        yield Apart(postgres, tmp_path_factory.mktemp("apart"), keys, stack)


def test_connections_that_fall_silent_do_not_block_any_part(apart: Apart):
    with apart.web.client() as visitor:
        ticket = visitor.open_ticket()
        for line in apart.lines:
            line.go_dead()
        eventually(lambda: is_answered(ticket))
        apart.everything_continues(ticket)


def test_a_frozen_server_is_left_for_the_one_that_replaces_it(apart: Apart):
    with apart.web.client() as visitor:
        ticket = visitor.open_ticket()
        apart.postgres.freeze()
        eventually(lambda: apart.status("/health/db") == 503)
        apart.postgres.kill()
        apart.postgres.start()
        eventually(lambda: apart.status("/health/ready") == 200)
        apart.everything_continues(ticket)


def test_a_process_that_is_stopped_while_the_server_is_frozen_exits(
    postgres: OwnServer, keys: dict[str, str], tmp_path: Path
):
    with Serving(log=tmp_path / "log", database_url=postgres.url, data_dir=tmp_path, **keys) as running:
        postgres.freeze()
        try:
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(STOP_SECONDS)
        finally:
            postgres.thaw()


def test_processes_without_their_database_for_too_long_exit_for_their_supervisor(
    postgres: OwnServer, keys: dict[str, str], tmp_path: Path
):
    env = {
        **keys,
        "database_url": postgres.url,
        "data_dir": tmp_path,
        "db_outage_exit_seconds": OUTAGE_EXIT_SECONDS,
    }
    with (
        Serving(log=tmp_path / "web.log", **env) as web,
        serving_without_port("worker,projections", tmp_path / "log", **env) as other_parts,
    ):
        postgres.stop()
        try:
            assert web.process.wait(STOP_SECONDS) == 1
            assert other_parts.wait(STOP_SECONDS) == 1
        finally:
            postgres.start()

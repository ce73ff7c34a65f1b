"""Each part as a process of its own, and a database that says nothing any more: noticed, and over when it is."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from adapters.postgres import migrations
from adapters.postgres.database import connect
from tests.client import Ticket, eventually
from tests.fakes.line import Line
from tests.journeys.harness.load import SHORT
from tests.postgres import OwnServer
from tests.processes import Serving

# What is noticed within five seconds is taken up within a few more; the rest is the machine's.
RESUMED_SECONDS = 120
START_SECONDS = 150

# One for all processes on the one database, whose data folders differ.
MASTER_KEY = "hangs-0123456789-abcdefghijklmnopqrstuvwxyz"
END_SECONDS = 10


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    server = OwnServer()
    with connect(server.url) as connection:
        migrations.migrate(connection)
    yield server
    server.close()


class Apart:
    """Web, worker and projections, each with a line of its own to the database."""

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
            # Who is no web process asks that for its stand-in for Stripe.
            others.setdefault("base_url", serving.url)
        self.web = self.parts["web"]
        # Who starts on a line that is dead already refuses to.
        for serving in self.parts.values():
            eventually(lambda serving=serving: serving.status("/health/ready") == 200, START_SECONDS)

    def everything_goes_on(self, ticket: Ticket) -> None:
        """The worker works, the read models follow, and so does the proof."""
        assert ticket.upload(SHORT.read_bytes()).status_code == 200
        assert ticket.post("/process").status_code == 202
        eventually(lambda: ticket.get("/status").json()["stage"] == "DONE", RESUMED_SECONDS)
        head = "SELECT max(position) FROM events"
        eventually(lambda: self.told(f"SELECT min(position) >= ({head}) FROM projections WHERE live"), RESUMED_SECONDS)
        eventually(lambda: self.told(f"SELECT max(size) >= ({head}) FROM proof_checkpoints"), RESUMED_SECONDS)

    def told(self, question: str) -> bool:
        with connect(self.postgres.url) as connection:
            return connection.execute(question.encode()).fetchone() == (True,)


@pytest.fixture(scope="module")
def apart(postgres: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    with ExitStack() as stack:
        yield Apart(postgres, tmp_path_factory.mktemp("apart"), stack)


def test_lines_that_go_dead_without_a_word_hold_up_nobody_for_long(apart: Apart):
    with apart.web.client() as visitor:
        ticket = visitor.open_ticket()
        for line in apart.lines.values():
            line.go_dead()
        # The other end of each is free all the while: whoever comes first is answered.
        eventually(lambda: ticket.get().status_code == 200, RESUMED_SECONDS)
        apart.everything_goes_on(ticket)


def test_a_frozen_server_that_is_replaced_by_another_is_left_for_that(apart: Apart):
    with apart.web.client() as visitor:
        ticket = visitor.open_ticket()
        apart.postgres.freeze()
        eventually(lambda: apart.web.status("/health/db") == 503, 10)
        apart.postgres.kill()
        apart.postgres.start()
        eventually(lambda: apart.web.status("/health/ready") == 200, RESUMED_SECONDS)
        apart.everything_goes_on(ticket)


def test_every_part_that_is_told_to_stop_while_the_server_is_frozen_ends_within_ten_seconds(apart: Apart):
    apart.postgres.freeze()
    try:
        for part in apart.parts.values():
            part.process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        for part in apart.parts.values():
            part.process.wait(END_SECONDS + 5)
        assert time.monotonic() - told < END_SECONDS
    finally:
        apart.postgres.thaw()


@pytest.mark.parametrize("part", ["worker", "projections"])
def test_a_part_without_its_database_for_too_long_ends_for_a_supervisor_to_see(
    postgres: OwnServer, tmp_path: Path, part: str
):
    env = {
        "database_url": postgres.url,
        "data_dir": tmp_path,
        "master_key": MASTER_KEY,
        "db_outage_exit_seconds": 1.5,
    }
    with Serving(part, log=tmp_path / "log", **env) as running:
        eventually(lambda: running.status("/health/ready") == 200, START_SECONDS)
        postgres.stop()
        try:
            assert running.process.wait(20) == 1
        finally:
            postgres.start()

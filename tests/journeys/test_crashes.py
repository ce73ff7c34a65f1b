"""The service as a process of its own: started, killed, left without its database, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from tests.client import RECORDING, Client, Ticket, eventually, free_port

STORYLEDGER = Path(sys.executable).parent / "storyledger"


class Process:
    """`storyledger serve` on a data folder, with the embedded PostgreSQL."""

    def __init__(self, data_dir: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.env = os.environ | {"DATA_DIR": str(data_dir), "PORT": str(port), "RATE_LIMIT_DEFAULT": "10000/minute"}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [STORYLEDGER, "serve"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(lambda: self.status("/health/ready") == 200, 30)

    def status(self, path: str) -> int:
        assert self.process.poll() is None
        with suppress(httpx2.TransportError):
            return httpx2.get(self.url + path).status_code
        return 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@contextmanager
def process(data_dir: Path) -> Iterator[Process]:
    running = Process(data_dir)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(tmp_path_factory.mktemp("lasting")) as running:
        yield running


def open_ticket(running: Process) -> Ticket:
    return Client(base_url=running.url, timeout=30).open_ticket()


def test_a_service_killed_in_the_middle_of_a_transcription_finishes_it_after_a_restart(lasting: Process):
    ticket = open_ticket(lasting)
    assert ticket.upload(RECORDING.read_bytes()).status_code == 200
    assert ticket.post("/process").status_code == 202
    eventually(lambda: ticket.get("/status").json()["progress"] > 5)
    lasting.kill()

    lasting.start()
    assert ticket.when("DONE")["status"] == "READY"
    types = [event["type"] for event in ticket.get("/history", params={"limit": 100}).json()["events"]]
    assert (types.count("Transcribed"), types.count("DraftProposed")) == (1, 1)


def test_a_killed_database_is_answered_with_503_and_comes_back_by_itself(lasting: Process):
    ticket = open_ticket(lasting)
    [pid_file] = Path(lasting.env["DATA_DIR"]).rglob("postmaster.pid")
    os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)
    statuses = []
    deadline = time.monotonic() + 20
    while not statuses or statuses[-1] != 200:
        assert time.monotonic() < deadline, statuses
        statuses.append(ticket.get().status_code)
        assert lasting.status("/health/live") == 200
    assert set(statuses) <= {200, 503}
    assert ticket.write_draft()["title"] == "Help Ada"


def test_a_stopped_service_exits_clean_and_leaves_no_database_running(tmp_path: Path):
    with process(tmp_path) as running:
        open_ticket(running)
        [pid_file] = tmp_path.rglob("postmaster.pid")
        postgres = int(pid_file.read_text().splitlines()[0])
        assert running.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(postgres, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"DATABASE_URL": "mysql://localhost/x"}, "DATABASE_URL: "),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "database: refuses connections"),
        ({"PORT": "http"}, "PORT: "),
        ({"APP_ENV": "production"}, "DATABASE_URL: missing"),
        ({"APP_ENV": "production", "MASTER_KEY": "changeme"}, "MASTER_KEY: a default is no secret"),
        ({"TRANSCRIBER": "openai"}, "OPENAI_API_KEY: "),
    ],
)
def test_a_service_that_cannot_run_says_why_in_one_line(tmp_path: Path, wrong: dict[str, str], said: str):
    ran = subprocess.run(
        [STORYLEDGER, "serve"],
        env=os.environ | {"DATA_DIR": str(tmp_path), "PORT": str(free_port())} | wrong,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert said in line


def test_a_port_that_is_taken_is_said_so(lasting: Process, tmp_path: Path):
    ran = subprocess.run(
        [STORYLEDGER, "serve"],
        env=lasting.env | {"DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ran.returncode, "PORT" in ran.stderr) == (1, True)


def test_two_processes_share_one_data_folder(lasting: Process):
    ticket = open_ticket(lasting)
    shown = subprocess.run(
        [STORYLEDGER, "history", ticket.id, "--json"], env=lasting.env, capture_output=True, text=True, timeout=30
    )
    assert shown.returncode == 0, shown.stderr
    assert '"TicketOpened"' in shown.stdout
    assert lasting.status("/health/ready") == 200

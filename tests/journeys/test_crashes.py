"""The service as a process of its own: killed, left without its database, stopped, and started with wrong settings."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import DEMO_RECORDING, eventually
from tests.processes import Serving, run


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A service on the embedded PostgreSQL of its data folder."""
    with Serving(data_dir=tmp_path_factory.mktemp("lasting")) as running:
        yield running


def postmaster(data_dir: Path) -> int:
    [pid_file] = data_dir.rglob("postmaster.pid")
    return int(pid_file.read_text().splitlines()[0])


def test_a_service_killed_during_a_transcription_finishes_it_once_after_a_restart(lasting: Serving):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
    assert ticket.upload(DEMO_RECORDING.read_bytes()).status_code == 200
    assert ticket.post("/process").status_code == 202
    eventually(lambda: ticket.get("/status").json()["progress"] > 5)
    lasting.kill()

    lasting.start()
    assert ticket.when("DONE")["status"] == "READY"
    types = [event["type"] for event in ticket.get("/history", params={"limit": 100}).json()["events"]]
    assert (types.count("Transcribed"), types.count("DraftProposed")) == (1, 1)


def test_a_killed_embedded_database_is_started_again_and_requests_are_answered_with_503_until_then(lasting: Serving):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
    os.kill(postmaster(Path(lasting.settings["data_dir"])), signal.SIGKILL)
    statuses: list[int] = []

    def answered() -> bool:
        statuses.append(ticket.get().status_code)
        assert lasting.status("/health/live") == 200
        return statuses[-1] == 200

    eventually(lambda: 503 in statuses or not answered())
    eventually(answered)
    assert set(statuses) <= {200, 503}
    assert eventually(lambda: ticket.patch("/draft", {"title": "Help Ada"}).status_code == 200)


def test_a_stopped_service_exits_with_0_and_leaves_no_database_running(tmp_path: Path):
    with Serving(data_dir=tmp_path) as running:
        database = postmaster(tmp_path)
        assert running.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(database, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"database_url": "postgresql://127.0.0.1:1/x"}, "database: refuses connections"),
        ({"app_env": "production", "master_key": "changeme"}, "MASTER_KEY: a default is no secret"),
    ],
)
def test_a_service_that_cannot_start_says_why_in_one_line(tmp_path: Path, settings: dict[str, str], message: str):
    ran = run("serve", **({"data_dir": tmp_path} | settings))
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert message in line


def test_a_port_in_use_is_named_in_the_error(lasting: Serving, tmp_path: Path):
    ran = run("serve", data_dir=tmp_path, port=lasting.settings["port"])
    assert (ran.returncode, "PORT" in ran.stderr) == (1, True)


def test_two_processes_share_one_data_folder(lasting: Serving):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
    history = run("history", ticket.id, "--json", **lasting.settings)
    assert history.returncode == 0, history.stderr
    assert '"TicketOpened"' in history.stdout
    assert lasting.status("/health/ready") == 200

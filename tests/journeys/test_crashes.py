"""The service and its embedded PostgreSQL recover or stop when the other one ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import eventually
from tests.commands import run_here
from tests.journeys.harness.running_service import postmaster
from tests.processes import Serving, run


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Run a service on the embedded PostgreSQL of its data folder."""
    with Serving(data_dir=tmp_path_factory.mktemp("lasting")) as running:
        yield running


def test_a_killed_embedded_database_is_started_again_and_requests_are_answered_with_503_until_then(lasting: Serving):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
    data_dir = Path(lasting.settings["data_dir"])
    killed = eventually(lambda: postmaster(data_dir))
    os.kill(killed, signal.SIGKILL)
    statuses: list[int] = []

    def is_answered() -> bool:
        statuses.append(ticket.get().status_code)
        assert lasting.status("/health/live") == 200
        return statuses[-1] == 200

    # The database may be back before the next request, so a 503 is not certain.
    eventually(lambda: (is_answered(), postmaster(data_dir) not in (killed, None))[1])
    eventually(is_answered)
    assert set(statuses) <= {200, 503}
    assert eventually(lambda: ticket.patch("/draft", {"title": "Help Ada"}).status_code == 200)


def test_a_port_in_use_is_named_in_the_error(lasting: Serving, migrated_url: str, tmp_path: Path):
    ran = run_here(
        "serve", "--processes", "1", database_url=migrated_url, data_dir=tmp_path, port=lasting.settings["port"]
    )
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert "PORT" in line


def test_two_processes_share_one_data_folder_and_the_last_to_exit_leaves_no_database(lasting: Serving):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
    history = run("history", ticket.id, "--json", **lasting.settings)
    assert history.returncode == 0, history.stderr
    assert '"TicketOpened"' in history.stdout
    assert lasting.status("/health/ready") == 200

    database = eventually(lambda: postmaster(Path(lasting.settings["data_dir"])))
    assert lasting.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(database, 0)

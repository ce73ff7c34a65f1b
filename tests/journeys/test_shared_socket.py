"""Several web processes on one machine and one address: they are handed the same socket, as systemd does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.client import eventually
from tests.load import Load
from tests.processes import READY_SECONDS, Serving, listening_socket

TOKEN = "metrics-" + "0123456789abcdef" * 2


@pytest.fixture
def webs(migrated_url: str, tmp_path: Path) -> Iterator[list[Serving]]:
    with ExitStack() as stack:
        listener = stack.enter_context(listening_socket())
        env = {"database_url": migrated_url, "data_dir": tmp_path / "var", "metrics_token": TOKEN, "log_level": "ERROR"}
        yield [stack.enter_context(Serving("web", listener=listener, log=tmp_path / "log", **env)) for _ in range(2)]


def start_time(url: str) -> str:
    """Return the start time of the process that answers, which may be another one for each connection."""
    metrics = httpx2.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    [line] = [line for line in metrics.splitlines() if line.startswith("process_start_time_seconds ")]
    return line


def wait_until_both_answer(url: str) -> None:
    """Wait until both processes have answered: a readiness check of one may be answered by the other."""
    start_times: set[str] = set()
    eventually(lambda: start_times.add(start_time(url)) or len(start_times) == 2, 2 * READY_SECONDS)


def test_processes_that_share_a_socket_are_restarted_without_losing_a_request(webs: list[Serving]):
    def visit() -> httpx2.Response:
        return httpx2.get(f"{webs[0].url}/d/nobody", timeout=60)

    with Load(*[("visit", visit)] * 3) as load:
        for web in webs:
            wait_until_both_answer(web.url)
            load.wait_for_more()
            assert web.stop() == 0
            load.wait_for_more()
            web.start()
    # Not even a refused connection: the socket is always open.
    assert load.statuses() == {404}

"""Several web processes share one listening socket, as systemd provides it."""

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


class Visitor:
    """A client that opens a connection for each request, so that any of the processes may answer it."""

    def __init__(self, web: Serving) -> None:
        self._http = web.client(headers={"Connection": "close"})

    def visit(self) -> httpx2.Response:
        return self._http.get("/d/nobody")

    def start_time(self) -> str:
        """Return the start time of the process that answers."""
        lines = self._http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text.splitlines()
        [line] = [line for line in lines if line.startswith("process_start_time_seconds ")]
        return line

    def wait_until_two_processes_answer(self) -> None:
        """Wait until both processes have answered, because either may answer a readiness check."""
        start_times: set[str] = set()
        eventually(lambda: start_times.add(self.start_time()) or len(start_times) == 2, 2 * READY_SECONDS)


def test_a_process_that_shares_a_socket_is_restarted_without_losing_a_request(webs: list[Serving]):
    first, _ = webs
    visitor = Visitor(first)
    visitor.wait_until_two_processes_answer()
    with Load(*[("visit", Visitor(first).visit) for _ in range(2)], pause_seconds=0.1) as load:
        load.wait_for_more(10)
        assert first.stop() == 0
        load.wait_for_more(20)
        first.start()
        visitor.wait_until_two_processes_answer()
        load.wait_for_more(20)
    # No connection was refused either, because the socket is always open.
    assert load.statuses() == {404}

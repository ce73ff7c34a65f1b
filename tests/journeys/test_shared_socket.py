"""Several web processes on one machine and one address: they are handed the same socket, as systemd does it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.client import eventually
from tests.processes import READY_SECONDS, Serving, listening

TOKEN = "metrics-" + "0123456789abcdef" * 2


@pytest.fixture
def webs(migrated_url: str, tmp_path: Path) -> Iterator[list[Serving]]:
    with ExitStack() as stack:
        listener = stack.enter_context(listening())
        env = {"database_url": migrated_url, "data_dir": tmp_path / "var", "metrics_token": TOKEN, "log_level": "ERROR"}
        yield [stack.enter_context(Serving("web", listener=listener, log=tmp_path / "log", **env)) for _ in range(2)]


def who_answers(url: str) -> str:
    """One of them, by when it began; a new connection may be another one's."""
    told = httpx2.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    [began] = [line for line in told.splitlines() if line.startswith("process_start_time_seconds ")]
    return began


def both_answer(url: str) -> None:
    """Wait until both are met: whoever asks whether one is ready may be answered by the other."""
    met = set()
    eventually(lambda: met.add(who_answers(url)) or len(met) == 2, 2 * READY_SECONDS)


class Visiting:
    """Clients who come again and again, with a new connection each time, and are never to be turned away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self.answered = 0
        self.lost: list[str] = []
        self._threads = [threading.Thread(target=self._visit) for _ in range(3)]

    def __enter__(self) -> Visiting:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _visit(self) -> None:
        while not self._over.is_set():
            try:
                status = httpx2.get(f"{self._url}/d/nobody", timeout=20).status_code
            except httpx2.TransportError as error:
                # Not even a refused connection: the socket is always open.
                self.lost.append(type(error).__name__)
                continue
            self.answered += 1
            if status != 404:
                self.lost.append(str(status))

    def more(self) -> None:
        before = self.answered
        eventually(lambda: self.answered > before + 30)


def test_processes_that_share_a_socket_share_the_work_and_are_restarted_unnoticed(webs: list[Serving]):
    with Visiting(webs[0].url) as visiting:
        for web in webs:
            both_answer(web.url)
            visiting.more()
            assert web.stop() == 0
            visiting.more()
            web.start()
    assert visiting.lost == []

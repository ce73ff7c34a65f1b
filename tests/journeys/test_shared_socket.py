"""Several web processes on one machine and one address: they are handed the same socket, as systemd does it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.client import eventually
from tests.processes import Serving, listening

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


def test_processes_that_share_a_socket_share_the_work_and_are_restarted_unnoticed(webs: list[Serving]):
    url, over = webs[0].url, threading.Event()
    met = set()
    eventually(lambda: met.add(who_answers(url)) or len(met) == 2)
    lost: list[str] = []
    answered = 0

    def visit() -> None:
        nonlocal answered
        while not over.is_set():
            try:
                status = httpx2.get(f"{url}/d/nobody", timeout=20).status_code
            except httpx2.TransportError as error:
                # Not even a refused connection: the socket is always open.
                lost.append(type(error).__name__)
                continue
            answered += 1
            if status != 404:
                lost.append(str(status))

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for visitor in visitors:
        visitor.start()
    try:
        for web in webs:
            before = answered
            eventually(lambda before=before: answered > before + 30)
            assert web.stop() == 0
            eventually(lambda before=before: answered > before + 60)
            web.start()
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()
    assert lost == []

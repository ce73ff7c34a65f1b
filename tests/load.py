"""Clients that send requests without a pause while a block runs, and record every answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import httpx2

from tests.client import eventually

# Statuses of requests that got no answer: the connection was refused, or it broke off.
CONNECTION_REFUSED, CONNECTION_BROKEN = -1, -2

Send = Callable[[], httpx2.Response]


@dataclass(frozen=True)
class Answer:
    """One answer: the name of its request, its time (monotonic seconds), its duration and its status."""

    request: str
    at: float
    seconds: float
    status: int
    retry_after: str | None = None


class Load:
    """One thread for each named request, which sends it again and again between `__enter__` and `__exit__`.

    A request that raises anything but a transport error ends its thread, and `__exit__` raises that error.
    """

    def __init__(self, *requests: tuple[str, Send], pause_seconds: float = 0.01) -> None:
        self._pause_seconds = pause_seconds
        self._over = threading.Event()
        self._faults: list[BaseException] = []
        self.answers: list[Answer] = []
        self._threads = [threading.Thread(target=self._run, args=request, daemon=True) for request in requests]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def _run(self, request: str, send: Send) -> None:
        try:
            while not self._over.wait(self._pause_seconds):
                self.answers.append(_timed(request, send))
        except BaseException as error:
            self._faults.append(error)

    def statuses(self) -> set[int]:
        """Return every status answered so far."""
        return {answer.status for answer in self.answers}

    def wait_for_more(self, count: int = 40) -> None:
        """Wait until this many further requests are answered."""
        before = len(self.answers)
        eventually(lambda: self._faults or len(self.answers) > before + count)


def _timed(request: str, send: Send) -> Answer:
    started = time.monotonic()
    retry_after = None
    try:
        response = send()
        status, retry_after = response.status_code, response.headers.get("retry-after")
    except httpx2.ConnectError:
        status = CONNECTION_REFUSED
    except httpx2.TransportError:
        status = CONNECTION_BROKEN
    ended = time.monotonic()
    return Answer(request, ended, ended - started, status, retry_after)

"""Work that goes on by itself in a thread of its own, and that no fault ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from adapters.postgres.database import AWAY
from domain.errors import UnavailableError

PAUSE_SECONDS = 1.0

logger = structlog.get_logger()


class BackgroundLoop:
    """Calls `work` again and again between `start` and `stop`, each time after as many seconds as it said last.

    While what it depends on is away, and after a fault of ours, it pauses a second; no fault ends it.
    """

    def __init__(self, name: str, work: Callable[[], float], *, first: float = 0.0) -> None:
        self._name = name
        self._work = work
        self._first = first
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """End after the present call, waiting for that at most so long."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    def wake(self) -> None:
        """There may be something to do; costs nothing."""
        self._wake.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait in the middle of the work; True if it is to end."""
        return self._stopping.wait(seconds)

    @classmethod
    def steps(cls, name: str, step: Callable[[], bool], pause_seconds: float) -> BackgroundLoop:
        """Calls `step` while it says that there was something to do, and again after a pause."""
        return cls(name, lambda: 0.0 if step() else pause_seconds)

    def _run(self) -> None:
        seconds = self._first
        while True:
            self._wake.wait(seconds)
            if self._stopping.is_set():
                return
            self._wake.clear()
            seconds = self._once()

    def _once(self) -> float:
        try:
            return self._work()
        except (UnavailableError, *AWAY):
            return PAUSE_SECONDS
        except Exception as error:
            # Its text may quote what somebody wrote.
            logger.error(f"{self._name} failed", error=type(error).__name__)
            return PAUSE_SECONDS

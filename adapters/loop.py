"""Work that is looked for again and again, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from adapters.database import AWAY
from domain.errors import UnavailableError

AFTER_FAULT_SECONDS = 1.0

logger = structlog.get_logger()


class Loop:
    """Calls `step` while it says that there was something to do, and again after a pause or when woken.

    Whatever `step` raises, it is called again.
    """

    def __init__(self, name: str, step: Callable[[], bool], pause_seconds: float) -> None:
        self._name = name
        self._step = step
        self._pause_seconds = pause_seconds
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No further step; the present one gets a second to finish."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                while not self._stopping.is_set() and self._step():
                    pass
                self._wake.wait(self._pause_seconds)
            except (UnavailableError, *AWAY):
                self._stopping.wait(AFTER_FAULT_SECONDS)
            except Exception as error:
                logger.error(f"{self._name} failed", error=type(error).__name__)
                self._stopping.wait(AFTER_FAULT_SECONDS)

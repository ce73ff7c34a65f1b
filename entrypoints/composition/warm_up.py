"""What the start had no need of is loaded soon after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

# So long after the start nothing is loaded that nobody asks for: who asks first is answered first.
CALM_SECONDS = 0.3
# The longest of them takes less, also on a busy machine.
LONGEST_SECONDS = 5.0

logger = structlog.get_logger()


class Loading:
    """Loads one after the other in a thread of its own between `start` and `stop`, so that nobody waits for it later.

    Once all are there it calls `then`.
    """

    def __init__(self, loads: Sequence[Callable[[], object]], then: Callable[[], None]) -> None:
        self._loads = loads
        self._then = then
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loading", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the present one: a library must not be cut off by the end of the process while it is loaded."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(LONGEST_SECONDS)

    def _run(self) -> None:
        if self._stopping.wait(CALM_SECONDS):
            return
        for load in self._loads:
            if self._stopping.is_set():
                return
            try:
                load()
            except Exception as error:
                # Whoever needs it meets the same fault, and is told of it.
                logger.error("not loaded", error=type(error).__name__)
        self._then()

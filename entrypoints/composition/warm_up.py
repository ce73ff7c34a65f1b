"""Loads libraries soon after the start, so that the start is fast and no request waits for them."""

import threading
from collections.abc import Callable, Sequence

import structlog

# The first requests after the start are answered before anything is loaded.
DELAY_SECONDS = 0.3
# More than the slowest single load takes on a busy machine.
STOP_SECONDS = 5.0

logger = structlog.get_logger()


class Loading:
    """Runs the loads one after the other in a thread between `start` and `stop`, and calls `then` after the last."""

    def __init__(self, loads: Sequence[Callable[[], object]], then: Callable[[], None]) -> None:
        self._loads = loads
        self._then = then
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loading", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait for the current load: the process must not end while a library is being imported."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        if self._stopping.wait(DELAY_SECONDS):
            return
        for load in self._loads:
            if self._stopping.is_set():
                return
            try:
                load()
            except Exception as error:
                # The request that needs it meets the same error and reports it.
                logger.error("not loaded", error=type(error).__name__)
        self._then()

"""A loop in a thread of its own that survives every error."""

import threading
from collections.abc import Callable

import structlog

from adapters.postgres.database import CONNECTION_ERRORS
from domain.errors import UnavailableError

PAUSE_SECONDS = 1.0

logger = structlog.get_logger()


class BackgroundLoop:
    """Calls `work` repeatedly between `start` and `stop`; `work` returns the seconds to wait before its next call.

    After an error, also while the database is unavailable, the loop pauses for a second and goes on.
    """

    def __init__(
        self, name: str, work: Callable[[], float], *, first: float = 0.0, wake: threading.Event | None = None
    ) -> None:
        """`first` is the number of seconds before the first call; setting `wake` makes the next call come at once."""
        self._name = name
        self._work = work
        self._first = first
        self._wake = wake or threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """End after the present call, without waiting for that."""
        self._stopping.set()
        self._wake.set()

    def stop(self, seconds: float = 1.0) -> None:
        """End after the present call, and wait at most this long for that."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    def wake(self) -> None:
        """Make the next call come at once."""
        self._wake.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait in the middle of a call. Return True if the loop is to end."""
        return self._stopping.wait(seconds)

    def _run(self) -> None:
        seconds = self._first
        while True:
            self._wake.wait(seconds)
            if self._stopping.is_set():
                return
            self._wake.clear()
            seconds = self._call_work()

    def _call_work(self) -> float:
        try:
            return self._work()
        except (UnavailableError, *CONNECTION_ERRORS):
            return PAUSE_SECONDS
        except Exception as error:
            # The error's message may quote personal data, so only its type is logged.
            logger.error(f"{self._name} failed", error=type(error).__name__)
            return PAUSE_SECONDS


class StepLoop(BackgroundLoop):
    """Calls `step` again at once while it returns True, and after a pause otherwise, if then `is_due` returns True."""

    def __init__(
        self, name: str, step: Callable[[], bool], pause_seconds: float, is_due: Callable[[], bool] = lambda: True
    ) -> None:
        super().__init__(name, lambda: 0.0 if is_due() and step() else pause_seconds)
        self._step = step

    def run_all(self) -> None:
        """Call `step` in the caller's thread until nothing that is due is left."""
        while self._step():
            pass

"""Loops in threads of their own that survive every error."""

import threading
from collections.abc import Callable, Sequence

import structlog

from adapters.postgres.database import CONNECTION_ERRORS, Database
from domain.errors import UnavailableError

PAUSE_SECONDS = 1.0
# The interval of the query of `DueWork`. One query for all loops costs less than one for each, also under load.
POLL_SECONDS = 0.25

logger = structlog.get_logger()


class BackgroundLoop:
    """Calls `work` repeatedly between `start` and `stop`.

    `work` returns the seconds to wait before its next call, or None to wait until it is woken. After an error, also
    while the database is unavailable, the loop pauses for a second and goes on.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], float | None],
        *,
        first: float | None = 0.0,
        wake: threading.Event | None = None,
    ) -> None:
        """`first` is the number of seconds before the first call; setting `wake` makes the next call come at once."""
        self._name = name
        self._work = work
        self._first = first
        self._wake = wake or threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, also after a stop; while the loop runs, calling it again changes nothing."""
        # A call that outlasts a stop goes on.
        self._stopping.clear()
        if self._thread is None or not self._thread.is_alive():
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
            # Before the look at `_stopping`: otherwise a stop between the two would be missed until the next wake-up.
            self._wake.clear()
            if self._stopping.is_set():
                return
            seconds = self._call_work()

    def _call_work(self) -> float | None:
        try:
            return self._work()
        except (UnavailableError, *CONNECTION_ERRORS):
            return PAUSE_SECONDS
        except Exception as error:
            # The error's message may quote personal data, so only its type is logged.
            logger.error(f"{self._name} failed", error=type(error).__name__)
            return PAUSE_SECONDS


class StepLoop(BackgroundLoop):
    """Calls `step` when it is woken, and again while it returns True, with pauses between the calls.

    `DueWork` wakes it while the SQL condition `due` is true. After the last step it waits for `rest_seconds` before
    it can be woken again.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        due: str,
        *,
        pause_seconds: float = 0.0,
        rest_seconds: float = 0.0,
        wake: threading.Event | None = None,
    ) -> None:
        super().__init__(name, self._take_steps, first=None, wake=wake)
        self.due = due
        self._step = step
        self._pause_seconds = pause_seconds
        self._rest_seconds = rest_seconds

    def _take_steps(self) -> None:
        while self._step() and not self.pause(self._pause_seconds):
            pass
        self.pause(self._rest_seconds)

    def run_all(self) -> int:
        """Call `step` in the caller's thread until it returns False; return how often it returned True."""
        steps = 0
        while self._step():
            steps += 1
        return steps


class DueWork(BackgroundLoop):
    """Runs the loops between `start` and `stop`, and wakes those that are due, with one query for all of them."""

    def __init__(self, database: Database, loops: Sequence[StepLoop]) -> None:
        super().__init__("due work", self._wake_due)
        self._database = database
        self._loops = loops
        self._query = f"SELECT {', '.join(loop.due for loop in loops)}".encode()

    def start(self) -> None:
        for loop in self._loops:
            loop.start()
        super().start()

    def stop(self, seconds: float = 1.0) -> None:
        super().stop(seconds)
        for loop in self._loops:
            loop.request_stop()
        for loop in self._loops:
            loop.stop()

    def _wake_due(self) -> float:
        try:
            due = self._database.row(self._query) or ()
        except Exception:
            # One condition may have failed alone, for example because its table is locked.
            for loop in self._loops:
                loop.wake()
            raise
        for loop, is_due in zip(self._loops, due, strict=True):
            if is_due:
                loop.wake()
        return POLL_SECONDS

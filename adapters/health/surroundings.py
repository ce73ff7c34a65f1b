"""Measures of the parts outside the database: storage, disk, and the models of a worker."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from adapters.clock import utc_now
from adapters.health.limits import MOST_FAILED_RUNS_PER_HOUR
from adapters.health.parts import Measured, State
from adapters.storage.protocol import Storage
from domain.errors import FullError, UnavailableError
from domain.ports import Clock

Measure = Callable[[], Measured]

ANSWER_SECONDS = 10.0
# A bucket charges for each request. A storage that failed is asked again in every minute.
STORAGE_PAUSE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


class BoundedMeasure:
    """Calls a measure in a thread of its own, so that a file system or a server that hangs delays no other part.

    A measure without an answer after `seconds` has found a part that does not work, and is not called a second time
    while the first call lasts.
    """

    def __init__(self, measure: Measure, seconds: float = ANSWER_SECONDS) -> None:
        self._measure = measure
        self._seconds = seconds
        self._thread: threading.Thread | None = None
        self._outcome: Measured | Exception = Measured(State.FAILS)

    def __call__(self) -> Measured:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="health measure", daemon=True)
            self._thread.start()
        self._thread.join(self._seconds)
        if self._thread.is_alive():
            return Measured(State.FAILS)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = self._measure()
        except (UnavailableError, FullError):
            self._outcome = Measured(State.FAILS)
        except Exception as error:
            self._outcome = error


class StorageMeasure:
    """Stores, reads and deletes an object; one that worked is not tried again for five minutes."""

    def __init__(self, storage: Storage, now: Clock = utc_now) -> None:
        self._storage = storage
        self._now = now
        self._next: datetime | None = None

    def __call__(self) -> Measured:
        now = self._now()
        if self._next is None or now >= self._next:
            self._next = None
            self._storage.check()
            self._next = now + STORAGE_PAUSE
        return Measured(State.WORKS)


def disk(floor_bytes: int, free_bytes: Sequence[Callable[[], int | None]]) -> Measured:
    """Measure the least free space; below the floor nothing is stored any more."""
    free_sizes = [free for each in free_bytes if (free := each()) is not None]
    if not free_sizes:
        return Measured(State.OFF)
    least = min(free_sizes)
    state = State.WORKS
    if least < floor_bytes:
        state = State.FAILS
    elif least < 2 * floor_bytes:
        state = State.SLOW
    return Measured(state, {"free_bytes": least})


class IncreaseInHour:
    """The increase of a counter of this process within the last hour."""

    def __init__(self, total: Callable[[], float], now: Clock = utc_now) -> None:
        self._total = total
        self._now = now
        self._totals = deque([(now(), total())])

    def __call__(self) -> float:
        now, total = self._now(), self._total()
        self._totals.append((now, total))
        # The newest total that is an hour old is the one to compare with.
        while self._totals[1][0] <= now - HOUR:
            self._totals.popleft()
        return total - self._totals[0][1]


def model(problem: Callable[[], str | None], faults: Callable[[], float], failed: Callable[[], float]) -> Measured:
    """Measure speech recognition or drafting.

    `problem` says why there is no model, `faults` how often a server could not be used within the last hour and the
    local way was taken, and `failed` how many jobs failed for good.
    """
    if problem() is not None:
        return Measured(State.OFF)
    measures = {"faults": faults(), "failed_jobs": failed()}
    is_slow = measures["faults"] > 0 or measures["failed_jobs"] > MOST_FAILED_RUNS_PER_HOUR
    return Measured(State.SLOW if is_slow else State.WORKS, measures)

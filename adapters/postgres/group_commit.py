"""Group commit: items submitted at the same time by several callers are processed in one batch."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from domain.errors import UnavailableError

# How much longer a batch collects that follows one of several items.
GATHER_SECONDS = 0.001

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Failed:
    """An item's error, in place of its result."""

    error: BaseException


def _outcomes(
    process: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> Sequence[Result | _Failed]:
    """Return the result or the error of each item, in the items' order.

    If `process` fails for a batch, each item is tried alone, so that one bad item does not fail the others. If the
    database is unavailable, all items fail at once.
    """
    try:
        return process(items)
    except BaseException as error:
        if len(items) == 1 or isinstance(error, UnavailableError) or not isinstance(error, Exception):
            return [_Failed(error)] * len(items)
        return [outcome for item in items for outcome in _outcomes(process, [item])]


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True)
class _Submission(Generic[Item, Result]):
    """An item with its outcome. Its caller waits for `turn`, which is released once: to finish it or to let it lead."""

    item: Item
    weight: int
    # A lock is much cheaper than an Event, which consists of a condition and two locks.
    turn: threading.Lock = field(default_factory=_held_lock)
    finished: bool = False
    result: Result | None = None
    error: BaseException | None = None


class GroupCommit(Generic[Item, Result]):
    """Calls `process` with the items that are waiting, in the order they came.

    The first caller leads: its thread processes a batch while later callers queue up, then it hands the lead to the
    first of those. `max_weight` bounds the total weight of a batch, and with it how long its first item waits.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Item]], Sequence[Result]],
        max_weight: int,
        weigh: Callable[[Item], int] = lambda _: 1,
    ) -> None:
        self._process = process
        self._max_weight = max_weight
        self._weigh = weigh
        self._lock = threading.Lock()
        self._queue: deque[_Submission[Item, Result]] = deque()
        self._has_leader = False

    def submit(self, item: Item) -> Result:
        """Return the item's result once its batch was processed, or raise the item's error."""
        submission: _Submission[Item, Result] = _Submission(item, self._weigh(item))
        with self._lock:
            self._queue.append(submission)
            leads, self._has_leader = not self._has_leader, True
        if not leads:
            submission.turn.acquire()
        if not submission.finished:
            self._lead()
        if submission.error is not None:
            raise submission.error
        return submission.result  # type: ignore[return-value]

    def _lead(self) -> None:
        """Process the next batch, which begins with this caller's item, then hand the lead to the next caller."""
        with self._lock:
            batch = self._next_batch()
        try:
            self._process_batch(batch)
        finally:
            with self._lock:
                if self._queue:
                    self._queue[0].turn.release()
                else:
                    self._has_leader = False
            leader, *others = batch
            leader.finished = True
            for submission in others:
                submission.finished = True
                submission.turn.release()

    def _next_batch(self) -> list[_Submission[Item, Result]]:
        batch = [self._queue.popleft()]
        weight = batch[0].weight
        while self._queue and weight + self._queue[0].weight <= self._max_weight:
            batch.append(self._queue.popleft())
            weight += batch[-1].weight
        return batch

    def _process_batch(self, batch: Sequence[_Submission[Item, Result]]) -> None:
        outcomes = _outcomes(self._process, [submission.item for submission in batch])
        for submission, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, _Failed):
                submission.error = outcome.error
            else:
                submission.result = outcome


class AsyncGroupCommit(Generic[Item, Result]):
    """Group commit for callers on an event loop: the next batch collects while a thread processes the present one.

    After a batch of several items the next one collects for GATHER_SECONDS longer, so that callers whose results were
    just returned can join it. Otherwise two groups of callers would alternate, and each would need its own commit.
    """

    def __init__(self, process: Callable[[Sequence[Item]], Sequence[Result]], max_items: int) -> None:
        self._process = process
        self._max_items = max_items
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="group-commit")
        self._queue: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the item's result once its batch was processed, or raise the item's error."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._process_queue())
        return await future

    async def _process_queue(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(self._max_items, len(self._queue)))]
            await self._process_batch(batch)
            if len(batch) > 1:
                await asyncio.sleep(GATHER_SECONDS)

    async def _process_batch(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        loop = asyncio.get_running_loop()
        items = [item for item, _ in batch]
        outcomes = await loop.run_in_executor(self._executor, _outcomes, self._process, items)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():  # the caller was cancelled; its item was processed all the same
                continue
            if isinstance(outcome, _Failed):
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome)

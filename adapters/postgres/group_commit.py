"""Work that waits at the same time is done together: one caller leads for all who came while it was busy before."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from domain.errors import UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Failed:
    """Why an item has no result."""

    error: BaseException


def _outcomes(work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> Sequence[Result | _Failed]:
    """What came of each item, in the same places.

    When `work` fails for several, each is tried alone, so that one that cannot be done harms no other; when what we
    depend on is away, all of them hear so at once.
    """
    try:
        return work(items)
    except BaseException as error:
        if len(items) == 1 or isinstance(error, UnavailableError) or not isinstance(error, Exception):
            return [_Failed(error)] * len(items)
        return [outcome for item in items for outcome in _outcomes(work, [item])]


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    weight: int
    turn: threading.Event = field(default_factory=threading.Event)
    finished: bool = False
    result: Result | None = None
    error: BaseException | None = None


class GroupCommit(Generic[Item, Result]):
    """Calls `work` with what waits, in the order it came; results belong to the items in the same places.

    Who asks for what cannot be done harms no other. `most` bounds the weight of what is done in one call, by which
    the first of a batch waits for the others.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        most: int,
        weigh: Callable[[Item], int] = lambda _: 1,
    ) -> None:
        self._work = work
        self._most = most
        self._weigh = weigh
        self._lock = threading.Lock()
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._led = False

    def submit(self, item: Item) -> Result:
        """The item's result once it is done; the error of `work` if it could not be."""
        waiting: _Waiting[Item, Result] = _Waiting(item, self._weigh(item))
        with self._lock:
            self._queue.append(waiting)
            leads, self._led = not self._led, True
        if not leads:
            waiting.turn.wait()
        if not waiting.finished:
            self._lead()
        if waiting.error is not None:
            raise waiting.error
        return waiting.result  # type: ignore[return-value]

    def _lead(self) -> None:
        """Do what waits now, one's own first, then hand the lead to the first who came meanwhile."""
        with self._lock:
            batch = self._take_batch()
        try:
            self._do_all(batch)
        finally:
            with self._lock:
                if self._queue:
                    self._queue[0].turn.set()
                else:
                    self._led = False
            for waiting in batch:
                waiting.finished = True
                waiting.turn.set()

    def _take_batch(self) -> list[_Waiting[Item, Result]]:
        batch = [self._queue.popleft()]
        weight = batch[0].weight
        while self._queue and weight + self._queue[0].weight <= self._most:
            batch.append(self._queue.popleft())
            weight += batch[-1].weight
        return batch

    def _do_all(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        outcomes = _outcomes(self._work, [waiting.item for waiting in batch])
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, _Failed):
                waiting.error = outcome.error
            else:
                waiting.result = outcome


class AsyncGroupCommit(Generic[Item, Result]):
    """The same for callers on an event loop: while one batch is worked on in a thread, the next one gathers."""

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self._work = work
        self._most = most
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="together")
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """The item's result once it is done; the error of `work` if it could not be."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work_off())
        return await future

    async def _work_off(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            await self._do_all(batch)

    async def _do_all(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        loop = asyncio.get_running_loop()
        items = [item for item, _ in batch]
        outcomes = await loop.run_in_executor(self._thread, _outcomes, self._work, items)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():  # its caller went away; what it asked for is done all the same
                continue
            if isinstance(outcome, _Failed):
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome)

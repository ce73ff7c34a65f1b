"""Threads for handlers, with a hand-over that costs half of what the framework's own does."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

# As many as Starlette has: far more than there are connections to the database, since some wait for other things.
MOST = 40


class Threads:
    """Runs what blocks, for the callers on one event loop; threads are made as they are needed, and stay.

    What several threads have done at the same time is handed back in one turn of the loop, which costs one system call
    as one result alone would.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._work: SimpleQueue[tuple[Context, Callable[[], Any], asyncio.Future[Any]]] = SimpleQueue()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._told = False
        # Counted on the loop only.
        self._threads = 0
        self._busy = 0

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """What `work` returns or raises, done in a thread with a copy of the caller's context."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._busy += 1
        if self._busy > self._threads and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._serve, name=f"handler {self._threads}", daemon=True).start()
        self._work.put((copy_context(), partial(work, *args), future))
        return await future

    def _serve(self) -> None:
        while True:
            outcome = _outcome(*self._work.get())
            loop = outcome[0].get_loop()
            self._done.append(outcome)
            # Nothing is held on to while there is nothing to do.
            del outcome
            # Whoever comes between these two lines wakes the loop once more than is needed, and never once less.
            if not self._told:
                self._told = True
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._hand_back)

    def _hand_back(self) -> None:
        self._told = False
        while self._done:
            future, result, error = self._done.popleft()
            self._busy -= 1
            if future.done():  # its caller was cancelled; what it asked for is done all the same
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _outcome(
    context: Context, work: Callable[[], Any], future: asyncio.Future[Any]
) -> tuple[asyncio.Future[Any], Any, BaseException | None]:
    try:
        return future, context.run(work), None
    except BaseException as error:
        return future, None, error

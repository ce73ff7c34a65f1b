"""A thread pool for handlers.

A call in a thread costs 6 µs of CPU instead of the 90 µs of Starlette's `run_in_threadpool`, with 32 callers at once
(`python -m tests.benchmarks.shortcuts`).
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog

from adapters.postgres.database import CONNECTION_ERRORS
from domain.errors import BusyError, UnavailableError

logger = structlog.get_logger()

T = TypeVar("T")
_Call = tuple[Context, partial[Any], asyncio.Future[Any]]
_Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]

# As many as Starlette has, and more than there are database connections, because some threads wait for other things.
MAX_THREADS = 40
# Uploads have threads of their own, because checking a recording takes long: most of them wait for that.
UPLOAD_THREADS = 16
# With two threads, one reads the tickets of several calls while the other handles the calls whose tickets it has read.
READ_THREADS = 2
MAX_CALLS_AT_ONCE = 16


class Threads:
    """Runs blocking calls for the event loop. A thread is started when all others are busy, and is kept.

    One wake-up of the event loop hands back all results that are there by then. With `max_calls`, a call while this
    many run or wait raises BusyError. With `prepare`, a thread takes up to MAX_CALLS_AT_ONCE waiting calls together,
    calls `prepare` with a list of the last argument of each, and then handles them one after the other. If the
    database is unavailable to `prepare`, all of these calls raise its error. After another error they are handled
    unprepared, because the fault of one call need not concern the others.
    """

    def __init__(
        self,
        max_threads: int = MAX_THREADS,
        max_calls: int | None = None,
        prepare: Callable[[list[Any]], None] | None = None,
    ) -> None:
        self._max_threads = max_threads
        self._max_calls = max_calls
        self._prepare = prepare
        self._work: SimpleQueue[_Call] = SimpleQueue()
        self._done: deque[_Outcome] = deque()
        self._wakeup_pending = False
        # Changed on the event loop only.
        self._threads = 0
        self._busy = 0

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """Return or raise the result of `work`, which runs in a thread with a copy of the caller's context."""
        if self._max_calls is not None and self._busy >= self._max_calls:
            raise BusyError("Too many requests of this kind are in progress. Please send this one again.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._busy += 1
        if self._busy > self._threads and self._threads < self._max_threads:
            self._threads += 1
            threading.Thread(target=self._serve, name=f"handler {self._threads}", daemon=True).start()
        self._work.put((copy_context(), partial(work, *args), future))
        return await future

    def _serve(self) -> None:
        while True:
            self._handle(self._next_calls())

    def _next_calls(self) -> list[_Call]:
        calls = [self._work.get()]
        if self._prepare is not None:
            with suppress(Empty):
                while len(calls) < MAX_CALLS_AT_ONCE:
                    calls.append(self._work.get_nowait())
        return calls

    def _handle(self, calls: list[_Call]) -> None:
        error = self._prepare_calls(calls)
        for context, work, future in calls:
            self._done.append(_outcome(context, work, future) if error is None else (future, None, error))
            # If two threads pass the check at once, the loop is woken twice, which is harmless.
            if not self._wakeup_pending:
                self._wakeup_pending = True
                with suppress(RuntimeError):  # the loop is closed, and nothing waits for the result
                    future.get_loop().call_soon_threadsafe(self._hand_back)

    def _prepare_calls(self, calls: list[_Call]) -> Exception | None:
        """Prepare the calls if that is wanted; return the error that all of them raise, if there is one."""
        try:
            if self._prepare is not None:
                self._prepare([work.args[-1] for _, work, _ in calls])
        except (UnavailableError, *CONNECTION_ERRORS) as error:
            return error
        except Exception as error:
            logger.warning("calls were not prepared", error=type(error).__name__)
        return None

    def _hand_back(self) -> None:
        self._wakeup_pending = False
        while self._done:
            future, result, error = self._done.popleft()
            self._busy -= 1
            if future.done():  # the caller was cancelled
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _outcome(context: Context, work: Callable[[], Any], future: asyncio.Future[Any]) -> _Outcome:
    try:
        return future, context.run(work), None
    except StopIteration as error:
        # No future accepts it: the caller would wait for ever, and others until the next result.
        return future, None, RuntimeError("an iterator was at its end").with_traceback(error.__traceback__)
    except BaseException as error:
        return future, None, error

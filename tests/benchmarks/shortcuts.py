"""Measures our thread pool, rate-limit counter and routing against the libraries'.

python -m tests.benchmarks.shortcuts
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.concurrency import run_in_threadpool
from starlette.routing import Match, Route

from entrypoints.http.fixed_window import FixedWindows
from entrypoints.http.routing import Paths
from entrypoints.http.table import OPERATIONS
from entrypoints.http.threads import Threads

CALLERS = 32
CALLS = 20_000
PACED_CALLS = 300
ROUNDS = 5


async def _run_calls(run: object) -> float:
    """Return the CPU microseconds of one call that does nothing, with 32 callers at once."""

    async def caller() -> None:
        for _ in range(CALLS // CALLERS):
            await run(int)  # type: ignore[operator]

    await caller()
    started = time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return (time.process_time() - started) / CALLS * 1e6


def _count_calls(limiter: FixedWindows | FixedWindowRateLimiter) -> float:
    """Return the CPU microseconds of counting one call, at a hundred calls a second."""
    item, used = parse("1000000000/minute"), 0.0
    for _ in range(PACED_CALLS):
        time.sleep(0.01)
        started = time.process_time()
        limiter.hit(item, "default", "client")
        used += time.process_time() - started
    return used / PACED_CALLS * 1e6


def _find_paths(find: Callable[[str], object]) -> float:
    """Return the CPU microseconds of finding a path, on average over all paths."""
    paths = [operation.path.replace("{", "").replace("}", "") for operation in OPERATIONS]
    started = time.process_time()
    for path in paths:
        assert find(path) is not None
    return (time.process_time() - started) / len(paths) * 1e6


def _starlettes_find() -> Callable[[str], object]:
    """Return the loop of Starlette's router."""
    routes = [Route(path, object()) for path in dict.fromkeys(operation.path for operation in OPERATIONS)]  # type: ignore[arg-type]

    def find(path: str) -> Route | None:
        scope = {"type": "http", "method": "GET", "path": path}
        return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)

    return find


def main() -> None:
    ours = min(asyncio.run(_run_calls(Threads().run)) for _ in range(ROUNDS))
    framework = min(asyncio.run(_run_calls(run_in_threadpool)) for _ in range(ROUNDS))
    print(f"a call in a thread    ours {ours:6.1f} us   Starlette's {framework:6.1f} us")
    ours, library = _count_calls(FixedWindows()), _count_calls(FixedWindowRateLimiter(MemoryStorage()))
    print(f"a counted call        ours {ours:6.1f} us   the library's {library:6.1f} us")
    our_paths, starlettes_find = Paths({operation.path: operation for operation in OPERATIONS}), _starlettes_find()
    ours = min(_find_paths(our_paths.find) for _ in range(ROUNDS))
    framework = min(_find_paths(starlettes_find) for _ in range(ROUNDS))
    print(f"a path                ours {ours:6.1f} us   Starlette's {framework:6.1f} us")


if __name__ == "__main__":
    main()

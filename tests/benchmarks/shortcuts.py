"""Measures our thread pool and rate-limit counter against the libraries': python -m tests.benchmarks.shortcuts"""

from __future__ import annotations

import asyncio
import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.concurrency import run_in_threadpool

from entrypoints.http.fixed_window import FixedWindows
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


def main() -> None:
    ours = min(asyncio.run(_run_calls(Threads().run)) for _ in range(ROUNDS))
    framework = min(asyncio.run(_run_calls(run_in_threadpool)) for _ in range(ROUNDS))
    print(f"a call in a thread    ours {ours:6.1f} us   Starlette's {framework:6.1f} us")
    ours, library = _count_calls(FixedWindows()), _count_calls(FixedWindowRateLimiter(MemoryStorage()))
    print(f"a counted call        ours {ours:6.1f} us   the library's {library:6.1f} us")


if __name__ == "__main__":
    main()

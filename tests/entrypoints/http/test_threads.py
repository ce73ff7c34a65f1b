"""Threads for handlers."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from entrypoints.http.threads import Threads
from tests.client import WAIT_SECONDS

WHO: ContextVar[str] = ContextVar("who", default="nobody")


def test_work_runs_in_a_thread_with_the_context_of_its_caller():
    async def ask() -> tuple[int, str]:
        WHO.set("ada")
        return await Threads().run(lambda: (threading.get_ident(), WHO.get()))

    thread, who = asyncio.run(ask())
    assert (thread != threading.get_ident(), who) == (True, "ada")


def test_an_error_of_the_work_reaches_its_caller_and_the_thread_goes_on():
    async def ask() -> str:
        threads = Threads(max_threads=1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        return await threads.run(str, 7)

    assert asyncio.run(ask()) == "7"


def test_no_more_threads_than_the_maximum_work_at_once():
    async def ask() -> tuple[int, int]:
        threads, together, lock, most = Threads(max_threads=3), [0], threading.Lock(), [0]
        three = threading.Barrier(3, timeout=WAIT_SECONDS)

        def work() -> int:
            with lock:
                together[0] += 1
                most[0] = max(most[0], together[0])
            three.wait()
            with lock:
                together[0] -= 1
            return 1

        done = await asyncio.gather(*(threads.run(work) for _ in range(9)))
        return sum(done), most[0]

    assert asyncio.run(ask()) == (9, 3)


def test_a_thousand_results_all_find_their_way_back():
    async def ask() -> list[int]:
        threads = Threads()
        return await asyncio.gather(*(threads.run(int, number) for number in range(1_000)))

    assert asyncio.run(ask()) == list(range(1_000))


def test_a_cancelled_caller_does_not_disturb_the_others():
    async def ask() -> str:
        threads, go = Threads(max_threads=1), threading.Event()
        impatient = asyncio.create_task(threads.run(go.wait, WAIT_SECONDS))
        await asyncio.sleep(0)
        impatient.cancel()
        next_one = asyncio.create_task(threads.run(str, 7))
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return await next_one

    assert asyncio.run(ask()) == "7"

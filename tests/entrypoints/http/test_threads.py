"""Handlers run in threads with the context of their caller."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from domain.errors import BusyError, UnavailableError
from entrypoints.http.threads import MAX_CALLS_AT_ONCE, Threads
from tests.client import WAIT_SECONDS

CALLER: ContextVar[str] = ContextVar("who", default="nobody")


def test_work_runs_in_a_thread_with_the_context_of_its_caller():
    async def run() -> tuple[int, str]:
        CALLER.set("ada")
        return await Threads().run(lambda: (threading.get_ident(), CALLER.get()))

    thread, caller = asyncio.run(run())
    assert (thread != threading.get_ident(), caller) == (True, "ada")


def test_an_error_of_the_work_reaches_its_caller_and_the_thread_goes_on():
    async def run() -> str:
        threads = Threads(max_threads=1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        return await threads.run(str, 7)

    assert asyncio.run(run()) == "7"


def test_work_that_finds_an_iterator_at_its_end_fails_and_delays_no_other():
    async def run() -> list[object]:
        threads = Threads(max_threads=1)
        calls = asyncio.gather(threads.run(next, iter(())), threads.run(str, 7), return_exceptions=True)
        return await asyncio.wait_for(calls, WAIT_SECONDS)

    failed, answered = asyncio.run(run())
    assert (type(failed), answered) == (RuntimeError, "7")


def test_no_more_threads_than_the_maximum_work_at_once():
    async def run() -> tuple[int, int]:
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

        results = await asyncio.gather(*(threads.run(work) for _ in range(9)))
        return sum(results), most[0]

    assert asyncio.run(run()) == (9, 3)


def test_each_of_a_thousand_callers_gets_its_own_result():
    async def run() -> list[int]:
        threads = Threads()
        return await asyncio.gather(*(threads.run(int, number) for number in range(1_000)))

    assert asyncio.run(run()) == list(range(1_000))


def test_a_cancelled_caller_does_not_disturb_the_others():
    async def run() -> str:
        threads, may_end = Threads(max_threads=1), threading.Event()
        impatient = asyncio.create_task(threads.run(may_end.wait, WAIT_SECONDS))
        await asyncio.sleep(0)
        impatient.cancel()
        next_one = asyncio.create_task(threads.run(str, 7))
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return await next_one

    assert asyncio.run(run()) == "7"


def test_a_call_beyond_the_maximum_is_refused_at_once_and_accepted_later():
    async def run() -> list[int]:
        threads, may_end = Threads(max_threads=1, max_calls=2), threading.Event()
        calls = [asyncio.ensure_future(threads.run(may_end.wait, WAIT_SECONDS)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await threads.run(int, 1)
        may_end.set()
        await asyncio.gather(*calls)
        return [await threads.run(int, number) for number in (1, 2, 3)]

    assert asyncio.run(run()) == [1, 2, 3]


def test_calls_that_wait_are_prepared_together():
    prepared: list[list[int]] = []

    async def run() -> list[int]:
        threads, begun, may_end = Threads(max_threads=1, prepare=prepared.append), threading.Event(), threading.Event()

        def work(number: int) -> int:
            begun.set()
            may_end.wait(WAIT_SECONDS)
            return -number

        calls = [asyncio.ensure_future(threads.run(work, 0))]
        await asyncio.to_thread(begun.wait, WAIT_SECONDS)
        calls += [asyncio.ensure_future(threads.run(work, number)) for number in range(1, MAX_CALLS_AT_ONCE + 2)]
        await asyncio.sleep(0)
        may_end.set()
        return await asyncio.gather(*calls)

    assert asyncio.run(run()) == [-number for number in range(MAX_CALLS_AT_ONCE + 2)]
    assert prepared == [[0], [*range(1, MAX_CALLS_AT_ONCE + 1)], [MAX_CALLS_AT_ONCE + 1]]


def test_callers_learn_that_their_preparation_was_unavailable_and_the_thread_goes_on():
    def prepare(numbers: list[int]) -> None:
        if 0 in numbers:
            raise UnavailableError("not now")

    async def run() -> list[object]:
        threads = Threads(max_threads=1, prepare=prepare)
        with pytest.raises(UnavailableError):
            await threads.run(int, 0)
        return [await threads.run(int, 1)]

    assert asyncio.run(run()) == [1]


def test_calls_whose_preparation_fails_are_handled_unprepared():
    def prepare(numbers: list[int]) -> None:
        raise ValueError(numbers)

    async def run() -> list[int]:
        threads = Threads(max_threads=1, prepare=prepare)
        return await asyncio.gather(*(threads.run(int, number) for number in range(3)))

    assert asyncio.run(run()) == [0, 1, 2]

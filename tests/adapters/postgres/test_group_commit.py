"""Items submitted at the same time are processed in one batch, and each has its own result or error."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.postgres.group_commit import AsyncGroupCommit, GroupCommit
from domain.errors import UnavailableError
from tests.client import WAIT_SECONDS

ITEMS = range(40)
# Submitted first. All other items are submitted while it is processed.
FIRST = 1_000


class Doubling:
    """Doubles numbers once `go` is set, raises the error that `refuse` returns for an item, and records the batches."""

    def __init__(self, refuse: Callable[[int], BaseException | None] = lambda _: None) -> None:
        self._refuse = refuse
        self.batches: list[list[int]] = []
        self.go = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.go.wait(WAIT_SECONDS)
        for item in items:
            if error := self._refuse(item):
                raise error
        return [2 * item for item in items]


def odd(item: int) -> BaseException | None:
    return ValueError(item) if item % 2 else None


def away(item: int) -> BaseException | None:
    return UnavailableError("away") if item != FIRST else None


def outcomes_of_threads(doubling: Doubling) -> list[object]:
    group_commit = GroupCommit(doubling, max_weight=1_000)

    def outcome(item: int) -> object:
        try:
            return group_commit.submit(item)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(ITEMS) + 1) as threads:
        first = threads.submit(outcome, FIRST)
        while not doubling.batches:
            pass
        other_outcomes = [threads.submit(outcome, item) for item in ITEMS]
        while len(group_commit._queue) < len(ITEMS):
            pass
        doubling.go.set()
        return [first.result(), *(other.result() for other in other_outcomes)]


def outcomes_of_a_loop(doubling: Doubling) -> list[object]:
    group_commit = AsyncGroupCommit(doubling, max_items=1_000)

    async def submit_all() -> list[object]:
        first = asyncio.create_task(group_commit.submit(FIRST))
        while not doubling.batches:
            await asyncio.sleep(0)
        other_tasks = [asyncio.create_task(group_commit.submit(item)) for item in ITEMS]
        await asyncio.sleep(0)
        doubling.go.set()
        return list(await asyncio.gather(first, *other_tasks, return_exceptions=True))

    return asyncio.run(submit_all())


both = pytest.mark.parametrize("outcomes", [outcomes_of_threads, outcomes_of_a_loop])


@both
def test_waiting_items_are_processed_in_one_batch_and_each_gets_its_result(
    outcomes: Callable[[Doubling], list[object]],
):
    doubling = Doubling()
    assert outcomes(doubling) == [2 * FIRST, *(2 * item for item in ITEMS)]
    assert [len(batch) for batch in doubling.batches] == [1, len(ITEMS)]


@both
def test_an_item_that_fails_does_not_fail_the_others(outcomes: Callable[[Doubling], list[object]]):
    _, *other_outcomes = outcomes(Doubling(odd))
    for item, outcome in zip(ITEMS, other_outcomes, strict=True):
        assert outcome == 2 * item if item % 2 == 0 else str(outcome) == str(item)


@both
def test_an_unavailable_database_fails_all_items_after_one_attempt(
    outcomes: Callable[[Doubling], list[object]],
):
    doubling = Doubling(away)
    _, *other_outcomes = outcomes(doubling)
    assert {type(outcome) for outcome in other_outcomes} == {UnavailableError}
    assert len(doubling.batches) == 2


def test_a_cancelled_caller_does_not_cancel_the_others():
    doubling = Doubling()
    group_commit = AsyncGroupCommit(doubling, max_items=10)

    async def cancel_one() -> int:
        leaves, stays = asyncio.create_task(group_commit.submit(1)), asyncio.create_task(group_commit.submit(2))
        await asyncio.sleep(0)
        leaves.cancel()
        doubling.go.set()
        return await stays

    assert asyncio.run(cancel_one()) == 4


def test_callers_who_submit_again_share_a_batch_with_those_who_waited_meanwhile():
    doubling = Doubling()
    group_commit = AsyncGroupCommit(doubling, max_items=10)

    async def submit_twice(item: int) -> None:
        await group_commit.submit(item)
        await group_commit.submit(item)

    async def submit_all() -> None:
        first = [asyncio.create_task(submit_twice(item)) for item in (1, 2)]
        while not doubling.batches:
            await asyncio.sleep(0)
        later = asyncio.create_task(group_commit.submit(3))
        await asyncio.sleep(0)
        doubling.go.set()
        await asyncio.gather(*first, later)

    asyncio.run(submit_all())
    assert [sorted(batch) for batch in doubling.batches] == [[1, 2], [1, 2, 3]]

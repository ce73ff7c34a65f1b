"""Work that waits at the same time is done together, and what comes of each item is its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.postgres.group_commit import AsyncGroupCommit, GroupCommit
from domain.errors import UnavailableError

ITEMS = range(40)
# Asked for first; while it is worked on all the others come.
FIRST = 1_000


class Doubling:
    """Doubles numbers, but waits on the first until it is let go, refuses odd ones, and counts how often it works."""

    def __init__(self, refuse: Callable[[int], BaseException | None] = lambda _: None) -> None:
        self._refuse = refuse
        self.batches: list[list[int]] = []
        self.go = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.go.wait(10)
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

    def ask(item: int) -> object:
        try:
            return group_commit.submit(item)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(ITEMS) + 1) as threads:
        first = threads.submit(ask, FIRST)
        while not doubling.batches:
            pass
        others = [threads.submit(ask, item) for item in ITEMS]
        while len(group_commit._queue) < len(ITEMS):
            pass
        doubling.go.set()
        return [first.result(), *(one.result() for one in others)]


def outcomes_of_a_loop(doubling: Doubling) -> list[object]:
    group_commit = AsyncGroupCommit(doubling, max_items=1_000)

    async def ask() -> list[object]:
        first = asyncio.create_task(group_commit.submit(FIRST))
        while not doubling.batches:
            await asyncio.sleep(0)
        others = [asyncio.create_task(group_commit.submit(item)) for item in ITEMS]
        await asyncio.sleep(0)
        doubling.go.set()
        return list(await asyncio.gather(first, *others, return_exceptions=True))

    return asyncio.run(ask())


both = pytest.mark.parametrize("outcomes", [outcomes_of_threads, outcomes_of_a_loop])


@both
def test_what_waits_is_done_at_once_and_everybody_gets_their_own(outcomes: Callable[[Doubling], list[object]]):
    doubling = Doubling()
    assert outcomes(doubling) == [2 * FIRST, *(2 * item for item in ITEMS)]
    assert [len(batch) for batch in doubling.batches] == [1, len(ITEMS)]


@both
def test_what_cannot_be_done_harms_nothing_else(outcomes: Callable[[Doubling], list[object]]):
    _, *others = outcomes(Doubling(odd))
    for item, outcome in zip(ITEMS, others, strict=True):
        assert outcome == 2 * item if item % 2 == 0 else str(outcome) == str(item)


@both
def test_when_what_we_depend_on_is_away_all_hear_so_and_it_is_asked_once(
    outcomes: Callable[[Doubling], list[object]],
):
    doubling = Doubling(away)
    _, *others = outcomes(doubling)
    assert {type(outcome) for outcome in others} == {UnavailableError}
    assert len(doubling.batches) == 2


def test_whoever_went_away_takes_nobody_along():
    doubling = Doubling()
    group_commit = AsyncGroupCommit(doubling, max_items=10)

    async def ask() -> int:
        leaves, stays = asyncio.create_task(group_commit.submit(1)), asyncio.create_task(group_commit.submit(2))
        await asyncio.sleep(0)
        leaves.cancel()
        doubling.go.set()
        return await stays

    assert asyncio.run(ask()) == 4

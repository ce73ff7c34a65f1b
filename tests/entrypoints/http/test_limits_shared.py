"""Limits that several web processes share through a Redis, and what becomes of them while it is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from entrypoints.composition.service import Parts
from entrypoints.http import rate_limit_store
from tests.client import LiveService, eventually
from tests.entrypoints.http.contract import Contract
from tests.fakes.redis_server import PROGRAM, RedisServer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed: apt-get install redis-server")

# More than two tries of one call, and the machine's own slowness.
MOST_SECONDS = 2.5


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.thaw()
    server.stop()


@pytest.fixture
def webs(migrated_url: str, tmp_path: Path, redis: RedisServer) -> Iterator[Callable[..., list[LiveService]]]:
    """Makes two web processes that count together, with these limits."""
    with ExitStack() as stack:

        def make(**given: Any) -> list[LiveService]:
            made = []
            for _ in range(2):
                running = LiveService(
                    migrated_url, tmp_path / "var", frozenset({Parts.WEB}), rate_limit_storage=redis.url, **given
                )
                running.watchers.append(Contract(running.openapi).check)
                made.append(stack.enter_context(running))
            return made

        yield make


def asked(web: LiveService) -> tuple[int, float]:
    """How a call by somebody unknown was answered, and after how many seconds."""
    with web.client() as client:
        started = time.monotonic()
        answer = client.get("/openapi.json")
        return answer.status_code, time.monotonic() - started


def test_processes_that_share_a_store_share_the_limit(webs: Callable[..., list[LiveService]]):
    made = webs(rate_limit_default="6/hour")
    answers = [asked(made[number % 2])[0] for number in range(10)]
    assert answers == [200] * 6 + [429] * 4
    with made[1].client() as client:
        assert 3000 < int(client.get("/openapi.json").headers["retry-after"]) <= 3600


@pytest.mark.parametrize("away", [RedisServer.freeze, RedisServer.stop])
def test_while_the_store_is_away_each_process_counts_for_itself_without_waiting(
    webs: Callable[..., list[LiveService]],
    redis: RedisServer,
    away: Callable[[RedisServer], None],
):
    here, there = webs(rate_limit_default="4/hour")
    assert asked(here)[0] == 200
    away(redis)
    answers = [asked(here) for _ in range(6)]
    assert [status for status, _ in answers] == [200] * 4 + [429] * 2
    assert max(seconds for _, seconds in answers) < MOST_SECONDS
    # Only the first has to find out.
    assert sorted(seconds for _, seconds in answers)[-2] < 1
    assert [asked(there)[0] for _ in range(6)] == [200] * 4 + [429] * 2


def test_a_store_that_comes_back_is_counted_in_again(webs: Callable[..., list[LiveService]], redis: RedisServer):
    here, _ = webs(rate_limit_default="1000000/hour")
    redis.freeze()
    assert asked(here)[0] == 200
    redis.thaw()

    def counted_there() -> bool:
        before = redis.counted()
        assert asked(here)[0] == 200
        return redis.counted() > before

    eventually(counted_there, 3 * rate_limit_store.PAUSE_SECONDS)


def test_a_store_that_is_away_at_the_start_stops_nobody(migrated_url: str, tmp_path: Path):
    with LiveService(
        migrated_url, tmp_path / "var", frozenset({Parts.WEB}), rate_limit_storage="redis://127.0.0.1:1",
        rate_limit_default="2/hour",
    ) as live:  # fmt: skip
        assert [asked(live)[0] for _ in range(3)] == [200, 200, 429]

"""Limits that several web processes share through a Redis, and what becomes of them while it is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from entrypoints.composition.service import Parts
from entrypoints.http import rate_limit_store
from entrypoints.http.fixed_window import FixedWindows
from tests.client import WAIT_SECONDS, LiveService, eventually
from tests.entrypoints.http.contract import Contract
from tests.fakes.redis_server import PROGRAM, RedisServer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed: apt-get install redis-server")


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


def asked(web: LiveService) -> int:
    """How a call by somebody unknown was answered."""
    with web.client() as client:
        return client.get("/openapi.json").status_code


def test_processes_that_share_a_store_share_the_limit(
    webs: Callable[..., list[LiveService]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rate_limit_store, "ATTEMPT_SECONDS", WAIT_SECONDS)
    made = webs(rate_limit_default="6/hour")
    answers = [asked(made[number % 2]) for number in range(10)]
    assert answers == [200] * 6 + [429] * 4
    with made[1].client() as client:
        assert 3000 < int(client.get("/openapi.json").headers["retry-after"]) <= 3600


@pytest.mark.parametrize("away", [RedisServer.freeze, RedisServer.stop])
def test_while_the_store_is_away_each_process_counts_for_itself_without_waiting(
    webs: Callable[..., list[LiveService]],
    redis: RedisServer,
    away: Callable[[RedisServer], None],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(rate_limit_store, "PAUSE_SECONDS", WAIT_SECONDS * 10)
    here, there = webs(rate_limit_default="4/hour")
    # Connect, with a call that is counted apart.
    with here.client() as client:
        client.open_ticket()
    away(redis)
    counters, hit = [], rate_limit_store._hit

    def spied(limiter: object, *call: Any) -> float | None:
        counters.append(type(limiter))
        return hit(limiter, *call)  # type: ignore[arg-type]

    monkeypatch.setattr(rate_limit_store, "_hit", spied)
    for web in (here, there):
        counters.clear()
        assert [asked(web) for _ in range(6)] == [200] * 4 + [429] * 2
        # Only the first has to find out.
        assert counters[-6:] == [FixedWindows] * 6
        assert len(counters) <= 7


def test_a_store_that_comes_back_is_counted_in_again(
    webs: Callable[..., list[LiveService]], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rate_limit_store, "PAUSE_SECONDS", 0.1)
    here, _ = webs(rate_limit_default="1000000/hour")
    redis.freeze()
    assert asked(here) == 200
    redis.thaw()

    def counted_there() -> bool:
        before = redis.counted()
        assert asked(here) == 200
        return redis.counted() > before

    eventually(counted_there)


def test_a_store_that_is_away_at_the_start_stops_nobody(migrated_url: str, tmp_path: Path):
    with LiveService(
        migrated_url, tmp_path / "var", frozenset({Parts.WEB}), rate_limit_storage="redis://127.0.0.1:1",
        rate_limit_default="2/hour",
    ) as live:  # fmt: skip
        assert [asked(live) for _ in range(3)] == [200, 200, 429]

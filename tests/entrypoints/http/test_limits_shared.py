"""Several web processes share limits through a Redis, and count for themselves while it is unavailable."""

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
    """Return a function that runs two web processes with shared limits."""
    with ExitStack() as stack:

        def make(**settings: Any) -> list[LiveService]:
            processes = []
            for _ in range(2):
                running = LiveService(
                    migrated_url, tmp_path / "var", frozenset({Parts.WEB}), rate_limit_storage=redis.url, **settings
                )
                running.watchers.append(Contract(running.openapi).check)
                processes.append(stack.enter_context(running))
            return processes

        yield make


def call_status(web: LiveService) -> int:
    """Return the status of a call without a credential."""
    with web.client() as client:
        return client.get("/openapi.json").status_code


def test_processes_that_share_a_store_share_the_limit(
    webs: Callable[..., list[LiveService]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rate_limit_store, "ATTEMPT_SECONDS", WAIT_SECONDS)
    processes = webs(rate_limit_default="6/hour")
    answers = [call_status(processes[number % 2]) for number in range(10)]
    assert answers == [200] * 6 + [429] * 4
    with processes[1].client() as client:
        assert 3000 < int(client.get("/openapi.json").headers["retry-after"]) <= 3600


@pytest.mark.parametrize("away", [RedisServer.freeze, RedisServer.stop])
def test_while_the_store_is_away_each_process_counts_for_itself_without_waiting(
    webs: Callable[..., list[LiveService]],
    redis: RedisServer,
    away: Callable[[RedisServer], None],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(rate_limit_store, "PAUSE_SECONDS", WAIT_SECONDS * 10)
    first_web, second_web = webs(rate_limit_default="4/hour")
    # Connect first, with a call that has its own limit.
    with first_web.client() as client:
        client.open_ticket()
    away(redis)
    counters, hit = [], rate_limit_store._hit

    def spied(limiter: object, *call: Any) -> float | None:
        counters.append(type(limiter))
        return hit(limiter, *call)  # type: ignore[arg-type]

    monkeypatch.setattr(rate_limit_store, "_hit", spied)
    for web in (first_web, second_web):
        counters.clear()
        assert [call_status(web) for _ in range(6)] == [200] * 4 + [429] * 2
        # Only the first call has to notice the outage.
        assert counters[-6:] == [FixedWindows] * 6
        assert len(counters) <= 7


def test_a_store_that_comes_back_is_counted_in_again(
    webs: Callable[..., list[LiveService]], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rate_limit_store, "PAUSE_SECONDS", 0.1)
    first_web, _ = webs(rate_limit_default="1000000/hour")
    redis.freeze()
    assert call_status(first_web) == 200
    redis.thaw()

    def counted_there() -> bool:
        before = redis.counted()
        assert call_status(first_web) == 200
        return redis.counted() > before

    eventually(counted_there)


def test_a_store_that_is_away_at_the_start_stops_nobody(migrated_url: str, tmp_path: Path):
    with LiveService(
        migrated_url, tmp_path / "var", frozenset({Parts.WEB}), rate_limit_storage="redis://127.0.0.1:1",
        rate_limit_default="2/hour",
    ) as live:  # fmt: skip
        assert [call_status(live) for _ in range(3)] == [200, 200, 429]

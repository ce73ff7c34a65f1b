"""Counts of calls within a window of time: in this process, or in a Redis that processes share."""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog
from limits import RateLimitItem
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from entrypoints.http.fixed_window import FixedWindows

# What one call may wait for the shared store, twice at most; its own limits are ten tries of five seconds.
ANSWER_SECONDS = 0.25
TRIES = 2
# So long a store that failed is left alone, and each process counts for itself.
PAUSE_SECONDS = 5.0

logger = structlog.get_logger()


class RateLimitStore:
    """Counts calls, in the `shared` store if there is one.

    While that is away or hangs, in this process alone, so that a limit still is one. A store that comes back is used
    again by itself, found out by one call and waited for by no other.
    """

    def __init__(self, shared: str | None) -> None:
        self._own = FixedWindows()
        self._shared = None if shared is None else _opened(shared)
        self._lock = threading.Lock()
        self._away_until: float | None = None

    def hit(self, item: RateLimitItem, *client: str) -> float | None:
        """One more call; if it is one too many, how many seconds until the next one is not."""
        if self._shared is None or self._is_away():
            return _hit(self._own, item, client)
        try:
            wait = _hit(self._shared, item, client)
        except Exception as error:
            self._failed(error)
            return _hit(self._own, item, client)
        if self._away_until is not None:
            self._away_until = None
            logger.info("rate limits are shared again")
        return wait

    def _is_away(self) -> bool:
        """Whether the store is left alone just now; whoever first finds the pause over tries for all."""
        with self._lock:
            if self._away_until is None or time.monotonic() < self._away_until:
                return self._away_until is not None
            self._away_until = time.monotonic() + PAUSE_SECONDS
            return False

    def _failed(self, error: Exception) -> None:
        with self._lock:
            known, self._away_until = self._away_until is not None, time.monotonic() + PAUSE_SECONDS
        if not known:
            # Its text names hosts.
            logger.warning("rate limits are counted by each process for itself", error=type(error).__name__)


def _hit(limiter: FixedWindowRateLimiter | FixedWindows, item: RateLimitItem, client: tuple[str, ...]) -> float | None:
    if limiter.hit(item, *client):
        return None
    return limiter.get_window_stats(item, *client).reset_time - time.time()


def _opened(url: str) -> FixedWindowRateLimiter:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        # A connection that was closed while it was idle says nothing about the next one.
        "retry": Retry(NoBackoff(), TRIES - 1),
    }
    storage = storage_from_string(url, **options)
    assert isinstance(storage, Storage)
    return FixedWindowRateLimiter(storage)

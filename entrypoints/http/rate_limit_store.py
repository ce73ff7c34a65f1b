"""The rate-limit store: counts calls in this process, or in a Redis that processes share."""

import math
import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from limits import RateLimitItem
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from entrypoints.http.fixed_window import FixedWindows

# The time limit of one attempt to reach the shared store; redis-py by default makes ten attempts of five seconds.
ATTEMPT_SECONDS = 0.25
ATTEMPTS = 2
# After the shared store failed, each process counts by itself for this time.
PAUSE_SECONDS = 5.0

logger = structlog.get_logger()


@dataclass(frozen=True)
class Window:
    """The state of a client's window after a call was counted."""

    allowed: bool
    remaining: int
    reset_seconds: int


class RateLimitStore:
    """Counts calls in the shared store at `shared_url`, or in this process if there is none.

    While the shared store fails, calls are counted in this process, so that limits still apply. After a pause one call
    tries the store again, and no other call waits for it.
    """

    def __init__(self, shared_url: str | None) -> None:
        self._local = FixedWindows()
        self._shared = None if shared_url is None else _redis_limiter(shared_url)
        self._lock = threading.Lock()
        # The end of the pause while the shared store fails.
        self._paused_until: float | None = None

    def hit(self, limit: RateLimitItem, *client: str) -> Window:
        """Count one call, and return the state of the client's window."""
        if self._shared is None or not self._may_try_shared():
            return _hit(self._local, limit, client)
        try:
            window = _hit(self._shared, limit, client)
        except Exception as error:
            self._pause(error)
            return _hit(self._local, limit, client)
        if self._paused_until is not None:
            self._paused_until = None
            logger.info("rate limits are shared again")
        return window

    def _may_try_shared(self) -> bool:
        """Return True if this call may try the shared store; after a pause one call may, and the next pause begins."""
        with self._lock:
            if self._paused_until is None:
                return True
            if time.monotonic() < self._paused_until:
                return False
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            return True

    def _pause(self, error: Exception) -> None:
        with self._lock:
            was_paused, self._paused_until = self._paused_until is not None, time.monotonic() + PAUSE_SECONDS
        if not was_paused:
            # The text of the error contains host names.
            logger.warning("rate limits are counted by each process for itself", error=type(error).__name__)


def _hit(limiter: FixedWindowRateLimiter | FixedWindows, limit: RateLimitItem, client: tuple[str, ...]) -> Window:
    allowed = limiter.hit(limit, *client)
    stats = limiter.get_window_stats(limit, *client)
    return Window(allowed, stats.remaining, max(0, math.ceil(stats.reset_time - time.time())))


def _redis_limiter(url: str) -> FixedWindowRateLimiter:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "socket_timeout": ATTEMPT_SECONDS,
        "socket_connect_timeout": ATTEMPT_SECONDS,
        # An idle connection may have been closed, so a second attempt uses a new one.
        "retry": Retry(NoBackoff(), ATTEMPTS - 1),
    }
    storage = storage_from_string(url, **options)
    assert isinstance(storage, Storage)
    return FixedWindowRateLimiter(storage)

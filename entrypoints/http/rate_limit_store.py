"""The rate-limit store: counts calls in this process, or in a Redis that processes share."""

import threading
import time
from typing import Any

import structlog
from limits import RateLimitItem
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from entrypoints.http.fixed_window import FixedWindows

# The time limit of one attempt at the shared store; the client's own default is ten attempts of five seconds.
ATTEMPT_SECONDS = 0.25
ATTEMPTS = 2
# How long each process counts by itself after the shared store failed.
PAUSE_SECONDS = 5.0

logger = structlog.get_logger()


class RateLimitStore:
    """Counts calls, in the `shared` store if there is one.

    While the shared store fails, calls are counted in this process, so that limits still apply. After a pause one call
    tries the store again, and no other call waits for it.
    """

    def __init__(self, shared: str | None) -> None:
        self._own = FixedWindows()
        self._shared = None if shared is None else _opened(shared)
        self._lock = threading.Lock()
        self._away_until: float | None = None

    def hit(self, item: RateLimitItem, *client: str) -> float | None:
        """Count one call; if it is above the limit, return the seconds until the window ends."""
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
        """Return True during a pause; the first caller after it gets False and tries the store for all."""
        with self._lock:
            if self._away_until is None or time.monotonic() < self._away_until:
                return self._away_until is not None
            self._away_until = time.monotonic() + PAUSE_SECONDS
            return False

    def _failed(self, error: Exception) -> None:
        with self._lock:
            was_away, self._away_until = self._away_until is not None, time.monotonic() + PAUSE_SECONDS
        if not was_away:
            # The text of the error contains host names.
            logger.warning("rate limits are counted by each process for itself", error=type(error).__name__)


def _hit(limiter: FixedWindowRateLimiter | FixedWindows, item: RateLimitItem, client: tuple[str, ...]) -> float | None:
    if limiter.hit(item, *client):
        return None
    return limiter.get_window_stats(item, *client).reset_time - time.time()


def _opened(url: str) -> FixedWindowRateLimiter:
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

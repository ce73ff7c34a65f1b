"""Fixed rate-limit windows counted in this process, with the interface of the `limits` library.

The library's own counter starts a thread for nearly every call, to find windows that are over: at a hundred calls a
second a call costs 250 µs of CPU there, and 50 µs here (`python -m tests.benchmarks.shortcuts`).
"""

import threading
import time

from limits import RateLimitItem, WindowStats

# The number of windows from which on those that are over are removed.
MIN_WINDOWS = 1_000


class FixedWindows:
    """Counts calls; a window begins with its first call and lasts for the period of its limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[RateLimitItem, tuple[str, ...]], tuple[float, int]] = {}
        self._max_windows = MIN_WINDOWS

    def hit(self, item: RateLimitItem, *identifiers: str) -> bool:
        """Count one call and return False if it is above the limit."""
        now, key = time.time(), (item, identifiers)
        with self._lock:
            ends, count = self._windows.get(key, (0.0, 0))
            if ends <= now:
                self._remove_past_windows(now)
                ends, count = now + item.get_expiry(), 0
            self._windows[key] = (ends, count + 1)
        return count < item.amount

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """Return the end of the window in Unix seconds and the number of calls left in it."""
        ends, count = self._windows.get((item, identifiers), (time.time(), 0))
        return WindowStats(ends, max(0, item.amount - count))

    def _remove_past_windows(self, now: float) -> None:
        if len(self._windows) >= self._max_windows:
            self._windows = {key: window for key, window in self._windows.items() if window[0] > now}
            self._max_windows = max(MIN_WINDOWS, 2 * len(self._windows))

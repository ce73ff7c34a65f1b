"""Fixed windows counted in this process, as `limits` counts them elsewhere."""

from __future__ import annotations

import threading
import time

from limits import RateLimitItem, WindowStats

# So many windows are kept before those that are over are looked for.
FEW = 1_000


class FixedWindows:
    """A window begins with its first call and lasts as long as its limit says.

    The library's own counter for one process starts a thread for nearly every call, to look for windows that are over:
    a tenth of what a read costs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[RateLimitItem, tuple[str, ...]], tuple[float, int]] = {}
        self._most = FEW

    def hit(self, item: RateLimitItem, *identifiers: str) -> bool:
        """Count one more call; False if it is one too many."""
        now, key = time.time(), (item, identifiers)
        with self._lock:
            ends, count = self._windows.get(key, (0.0, 0))
            if ends <= now:
                self._make_room(now)
                ends, count = now + item.get_expiry(), 0
            self._windows[key] = (ends, count + 1)
        return count < item.amount

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """When the window ends, in Unix seconds, and how many calls are left in it."""
        ends, count = self._windows.get((item, identifiers), (time.time(), 0))
        return WindowStats(ends, max(0, item.amount - count))

    def _make_room(self, now: float) -> None:
        if len(self._windows) >= self._most:
            self._windows = {key: window for key, window in self._windows.items() if window[0] > now}
            self._most = max(FEW, 2 * len(self._windows))

"""A clock that stands still until a test moves it."""

from __future__ import annotations


class StandingClock:
    """Takes the place of the module `time` in a module under test."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

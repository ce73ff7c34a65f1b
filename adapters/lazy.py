"""What takes long to load is made when it is first asked for.

Libraries are imported inside such functions and nowhere else. Two threads that import the same thing at once are no
trouble as long as both come through the same door: the second waits for the first. So a library with modules that
import each other in circles, as most are, is always entered by its package, which loads what belongs to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Lazy(Generic[Made]):
    """Calls `make` once, in whichever thread asks first, while the others wait; what it raises is tried again."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Made | None = None

    def __call__(self) -> Made:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return self._made

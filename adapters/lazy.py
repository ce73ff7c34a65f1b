"""Objects that are made on first use, so that the service starts without loading large libraries.

A library is imported only inside the function that makes such an object, and always by its top-level package: a second
thread then waits on the import lock of the package, and never sees one of its modules half initialised.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Lazy(Generic[Value]):
    """Calls `make` at most once, in the first thread that needs the value, while other threads wait for it.

    `functools.cache` would let two threads make it at the same time: two language models in memory, or two counters of
    which one is thrown away with its counts. An error of `make` is raised, and the next call tries again.
    """

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: Value | None = None

    def __call__(self) -> Value:
        if self._value is None:
            with self._lock:
                if self._value is None:
                    self._value = self._make()
        return self._value

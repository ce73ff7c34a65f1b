"""Locks on files that the kernel gives back when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX

_PAUSE_SECONDS = 0.005

# A fork copies our descriptors, and with them the locks: a forked child that outlives us would keep what we held.
_open: set[int] = set()


def _close_in_child() -> None:
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_close_in_child)


class FileLock:
    """One hold on one lock file; every instance competes with every other, in this process too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = 0
        self._descriptor = -1

    def acquire(self, kind: int, seconds: float) -> bool:
        """Whether the lock was ours within so many seconds; changes its kind if it is already held."""
        deadline = time.monotonic() + seconds
        descriptor = self._opened()
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_PAUSE_SECONDS)

    def release(self) -> None:
        """Give the lock back; no error if it was not held."""
        if self.opened:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.forget()

    def forget(self) -> None:
        """Let go of our hold, leaving the lock to the processes that inherited the descriptor."""
        if self.opened:
            _open.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def opened(self) -> bool:
        """Whether this process, not the one it was forked from, has the file open."""
        return self._descriptor >= 0 and self._pid == os.getpid()

    def fileno(self) -> int:
        return self._descriptor

    def _opened(self) -> int:
        if not self.opened:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._pid = os.getpid()
            _open.add(self._descriptor)
        return self._descriptor

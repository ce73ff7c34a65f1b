"""File locks, which the kernel releases when their holder dies in any way."""

import fcntl
import os
import time
from pathlib import Path

SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX

_PAUSE_SECONDS = 0.005

# A fork copies the descriptors and with them the locks. A child that outlives this process must not keep them.
_open: set[int] = set()


def _close_in_child() -> None:
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_close_in_child)


class FileLock:
    """A lock on one file. Every instance competes with every other one, in the same process too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = 0
        self._descriptor = -1

    def acquire(self, kind: int, seconds: float) -> bool:
        """Acquire the lock, or change its kind if it is held. Return False if that took longer than `seconds`."""
        deadline = time.monotonic() + seconds
        descriptor = self._open_descriptor()
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_PAUSE_SECONDS)

    def release(self) -> None:
        """Release the lock; no error if it is not held."""
        if self.opened:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.close()

    def close(self) -> None:
        """Close the descriptor, but leave the lock to the processes that inherited it."""
        if self.opened:
            _open.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def opened(self) -> bool:
        """Return True if this process, and not only the one it was forked from, has the file open."""
        return self._descriptor >= 0 and self._pid == os.getpid()

    def fileno(self) -> int:
        return self._descriptor

    def _open_descriptor(self) -> int:
        if not self.opened:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._pid = os.getpid()
            _open.add(self._descriptor)
        return self._descriptor

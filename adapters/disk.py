"""Translation of file system errors into domain errors, complete writes, and a minimum of free space."""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import FullError, UnavailableError

# The disk is full, the user's quota is used up, or the file is too long.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class FreeSpace:
    """Refuses content that would leave less than `floor_bytes` free; each of `free_bytes` returns None for no limit.

    Content that other threads of this process are writing counts in full, because it fills the space soon.
    """

    def __init__(self, floor_bytes: int, *free_bytes: Callable[[], int | None]) -> None:
        self._floor_bytes = floor_bytes
        self._free_bytes = free_bytes
        self._lock = threading.Lock()
        self._reserved_bytes = 0

    @contextmanager
    def reserved(self, size_bytes: int) -> Iterator[None]:
        """Reserve space for content that the block writes; FullError if there is too little."""
        with self._lock:
            if self._floor_bytes:
                self._require(self._reserved_bytes + size_bytes)
            self._reserved_bytes += size_bytes
        try:
            yield
        finally:
            with self._lock:
                self._reserved_bytes -= size_bytes

    def _require(self, size_bytes: int) -> None:
        for free_bytes in self._free_bytes:
            free = free_bytes()
            if free is not None and free - size_bytes < self._floor_bytes:
                raise FullError("too little free space")


def free_bytes_of(folder: str | Path) -> int:
    """Return the free bytes of the folder's file system; UnavailableError if there is no such folder."""
    with translated_os_errors("disk"):
        return shutil.disk_usage(folder).free


def write_all(descriptor: int, content: bytes) -> None:
    """Write the whole content, because one `os.write` may write only a part of it."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def translated_os_errors(what: str) -> Iterator[None]:
    """Raise OSError as UnavailableError, or FullError for a full disk, without the path, which may name a ticket."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise FullError(f"{what}: no space left") from None
        raise UnavailableError(f"{what}: {error.strerror or 'failed'}") from None

"""Errors of the file system as domain errors, and a floor of free space."""

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import FullError, UnavailableError

# The disk is full, the user's quota is used up, or the file is too long.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class FreeSpace:
    """Refuses content that would leave less than `floor_bytes` free; each of `free_bytes` returns None for no limit."""

    def __init__(self, floor_bytes: int, *free_bytes: Callable[[], int | None]) -> None:
        self._floor_bytes = floor_bytes
        self._free_bytes = free_bytes

    def require(self, size_bytes: int) -> None:
        """Raise FullError if there is too little space for content of this size."""
        for free_bytes in self._free_bytes:
            free = free_bytes()
            if self._floor_bytes and free is not None and free - size_bytes < self._floor_bytes:
                raise FullError("too little free space")


def free_bytes_of(folder: str | Path) -> int:
    """Return the free bytes of the folder's file system; UnavailableError if there is no such folder."""
    with translated_os_errors("disk"):
        return shutil.disk_usage(folder).free


@contextmanager
def translated_os_errors(what: str) -> Iterator[None]:
    """Raise OSError as UnavailableError, or FullError for a full disk, without the path, which may name a ticket."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise FullError(f"{what}: no space left") from None
        raise UnavailableError(f"{what}: {error.strerror or 'failed'}") from None

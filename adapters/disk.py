"""Errors of the file system as domain errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import FullError, UnavailableError

# The disk is full, the user's quota is used up, or the file is too long.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def translated_os_errors(what: str) -> Iterator[None]:
    """Raise OSError as UnavailableError, or FullError for a full disk, without the path, which may name a ticket."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise FullError(f"{what}: no space left") from None
        raise UnavailableError(f"{what}: {error.strerror or 'failed'}") from None

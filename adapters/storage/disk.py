"""What the operating system says about files, in our words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import FullError, UnavailableError

# No room on the disk, none left for this user, or a file longer than is allowed.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def translated_os_errors(what: str) -> Iterator[None]:
    """OSError as UnavailableError, a full disk as FullError; without the path, which may name a ticket."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise FullError(f"{what}: no space left") from None
        raise UnavailableError(f"{what}: {error.strerror or 'failed'}") from None

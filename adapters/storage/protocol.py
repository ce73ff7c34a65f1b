"""The protocol `Storage`: objects of bytes under a key, and what its implementations share."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from domain.errors import NotFoundError, UnavailableError

# Names below names, of characters that mean the same to every file system and store, and never `.` or `..`.
KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,7}")

CHUNK_BYTES = 256 * 1024


class Storage(Protocol):
    """Objects that are there whole or not at all; UnavailableError when the store is away, FullError when it is full.

    A key is made by us, never by a caller from outside, and is refused with ValueError if it is not of the form
    `KEY`; no object lies below another's key. A prefix is a key that stands for itself and everything below it, or
    empty for everything.
    """

    def put(self, key: str, source: BinaryIO | Iterable[bytes]) -> None:
        """Keep the bytes under the key, in place of what was there; once this returns they outlive a power cut."""

    def open(self, key: str) -> BinaryIO:
        """The object as it is now, readable to its end even if it is replaced or deleted; NotFoundError if absent."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def delete(self, key: str) -> None:
        """Make the object unreachable; no error if it is absent."""

    def delete_prefix(self, prefix: str) -> None:
        """Make everything below the prefix unreachable; no error if there is nothing."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys of all objects below the prefix, in no order."""

    def check(self) -> None:
        """See that objects can be kept, read and deleted; UnavailableError if not."""


def checked_key(key: str) -> str:
    """The key; ValueError if it is none."""
    if not KEY.fullmatch(key):
        raise ValueError("not a storage key")
    return key


def verify_storage(storage: Storage) -> None:
    """`Storage.check` by doing it, under a key that nobody else has."""
    key, said = f"checks/{secrets.token_hex(16)}", secrets.token_bytes(16)
    storage.put(key, [said])
    try:
        with storage.open(key) as file:
            if file.read() != said:
                raise UnavailableError("storage: gives back other bytes than it was given")
    except NotFoundError:
        raise UnavailableError("storage: does not keep what it was given") from None
    finally:
        storage.delete(key)


def chunks_of(source: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """The source in pieces, whichever of the two it is."""
    read = getattr(source, "read", None)
    if read is None:
        yield from source
        return
    while chunk := read(CHUNK_BYTES):
        yield chunk

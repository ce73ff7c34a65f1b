"""The protocol `Storage`: objects of bytes under a key, and what its implementations share."""

import re
import secrets
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from domain.errors import NotFoundError, UnavailableError

# Up to eight names, of characters that every file system and store accepts, and never `.` or `..`.
KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,7}")

CHUNK_BYTES = 256 * 1024


class Storage(Protocol):
    """Stores objects whole or not at all; UnavailableError when the store is not available, FullError when it is full.

    Keys are made by the service, never by a client. A key that does not match `KEY` is refused with ValueError, and no
    object has a key below another object's. A prefix is a key and stands for it and everything below it, or is empty
    and stands for everything.
    """

    def put(self, key: str, source: BinaryIO | Iterable[bytes]) -> None:
        """Store the bytes under the key and replace an older object; they are durable once this returns."""

    def open(self, key: str) -> BinaryIO:
        """Open the object, readable to its end even if it is replaced or deleted; NotFoundError if absent."""

    def open_parts(self, key: str) -> BinaryIO:
        """Open the object to read parts of it, and fetch little more than these; NotFoundError if absent.

        If it is replaced or deleted meanwhile, a read may raise UnavailableError or NotFoundError.
        """

    def exists(self, key: str) -> bool:
        """Return True if there is such an object."""

    def delete(self, key: str) -> None:
        """Delete the object; no error if it is absent."""

    def shred(self, key: str) -> None:
        """Overwrite the object's bytes where the store allows that, and delete it; no error if it is absent."""

    def delete_prefix(self, prefix: str) -> None:
        """Delete all objects below the prefix; no error if nothing is below it."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all objects below the prefix, in any order."""

    def free_bytes(self) -> int | None:
        """Return the free bytes, or None if the store has no size."""

    def check(self) -> None:
        """Raise UnavailableError unless objects can be stored, read and deleted."""


def checked_key(key: str) -> str:
    """Return the key; ValueError if it does not match KEY."""
    if not KEY.fullmatch(key):
        raise ValueError("not a storage key")
    return key


def verify_storage(storage: Storage) -> None:
    """Implement `Storage.check`: store, read and delete an object under a new key."""
    key, content = f"checks/{secrets.token_hex(16)}", secrets.token_bytes(16)
    storage.put(key, [content])
    try:
        with storage.open(key) as file:
            if file.read() != content:
                raise UnavailableError("storage: returned other bytes than were stored")
    except NotFoundError:
        raise UnavailableError("storage: did not store an object") from None
    finally:
        storage.delete(key)


def chunks_of(source: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """Yield the source's chunks, whether it is a file or an iterable."""
    read = getattr(source, "read", None)
    if read is None:
        yield from source
        return
    while chunk := read(CHUNK_BYTES):
        yield chunk

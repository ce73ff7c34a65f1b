"""Where the epoch keys are: a folder or bucket outside PostgreSQL, so that no copy of the database contains them.

    keys/NAME     the 32 bytes of the epoch key with this name
    living/NAME   the ticket keys that were living when it was saved, sealed with this epoch's and the master key

The second file lets a backup that is older than the present epoch open the people who are not erased: its own epoch key
is destroyed, and theirs are here. Once the epoch's key is destroyed, every copy of the file is worthless.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property

import msgspec

from adapters.storage.factory import open_storage
from adapters.storage.protocol import Storage
from domain.errors import NotFoundError, UnavailableError

KEY_BYTES = 32
# The errors of reading a file that is not a list of living keys.
_DAMAGE = (gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError, TypeError)
KEYS, LIVING = "keys/", "living/"
_ENCODER = msgspec.json.Encoder()

# A table, the key of one of its rows as text, and the sealed ticket key or service key in it.
LivingKey = tuple[str, str, bytes]


class EpochStore:
    """The epoch keys at a `file://` or `s3://` URL; UnavailableError if that place cannot be read or written."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def _storage(self) -> Storage:
        return open_storage(self.url)

    def write(self, name: bytes, key: bytes) -> None:
        """Store a key durably, and read it again."""
        self._storage.put(KEYS + name.hex(), [key])
        if self.read(name) != key:
            raise UnavailableError("EPOCH_KEY_URL: returned another key than was stored")

    def read(self, name: bytes) -> bytes | None:
        """Return the key, or None if it is not here."""
        try:
            with self._storage.open(KEYS + name.hex()) as file:
                key = file.read()
        except NotFoundError:
            return None
        if len(key) != KEY_BYTES:
            raise UnavailableError(f"EPOCH_KEY_URL: the epoch key {name.hex()} is damaged")
        return key

    def names(self) -> list[bytes]:
        """Return the names of all keys that are here."""
        return [bytes.fromhex(key.removeprefix(KEYS)) for key in self._storage.keys(KEYS.rstrip("/"))]

    def destroy(self, name: bytes) -> None:
        """Overwrite and delete the key and the living keys of its epoch; no error if they are not here."""
        for kind in (KEYS, LIVING):
            self._storage.shred(kind + name.hex())

    def save_living(self, name: bytes, batches: Iterable[list[LivingKey]]) -> None:
        """Store the living keys of an epoch, in place of those that were stored before."""
        self._storage.put(LIVING + name.hex(), _compressed(batches))

    def living_lists(self) -> list[tuple[datetime, bytes]]:
        """Return when living keys were saved, and the epoch, of those whose epoch key is here."""
        lists = []
        for key in self._storage.keys(LIVING.rstrip("/")):
            name = bytes.fromhex(key.removeprefix(LIVING))
            # A process that was killed while it destroyed the file left random bytes in it.
            with suppress(NotFoundError, *_DAMAGE), self._storage.open(key) as file, gzip.open(file) as lines:
                saved_at = datetime.fromisoformat(json.loads(lines.readline())["savedAt"])
                if self.read(name) is not None:
                    lists.append((saved_at, name))
        return lists

    def living(self, name: bytes) -> Iterator[LivingKey]:
        """Yield the living keys that were saved with this epoch."""
        with self._storage.open(LIVING + name.hex()) as file, gzip.open(file) as lines:
            lines.readline()
            for line in lines:
                table, key, sealed = json.loads(line)
                yield table, key, base64.b64decode(sealed)


def _compressed(batches: Iterable[list[LivingKey]]) -> Iterator[bytes]:
    compressor = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    yield compressor.compress(json.dumps({"savedAt": datetime.now(UTC).isoformat()}).encode() + b"\n")
    for batch in batches:
        # Bytes become Base64.
        yield compressor.compress(_ENCODER.encode_lines(batch))
    yield compressor.flush()

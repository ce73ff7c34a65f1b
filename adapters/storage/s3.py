"""A `Storage` in a bucket of any S3-compatible store.

Endpoint and credentials come from the usual variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
AWS_REGION and AWS_ENDPOINT_URL, or from the role of the machine or container.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, cast

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from adapters.storage.protocol import checked_key, chunks_of, verify_storage
from domain.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig, S3Config

# Two parts of an upload are in memory at a time. S3 accepts no smaller part, except the last one.
PART_BYTES = 5 * 2**20
PARTS_AT_ONCE = 2
READ_BYTES = 2**20
# The part that is fetched first, at the beginning and wherever a reader moves to.
FIRST_WINDOW_BYTES = 2**16
# The largest window of a reader that reads on.
LARGEST_WINDOW_BYTES = 4 * 2**20
# Larger objects are buffered in a temporary file.
IN_MEMORY_BYTES = 2**20
DELETED_AT_ONCE = 1000

CLIENT: ClientConfig = {
    "connect_timeout": timedelta(seconds=3),
    "read_timeout": timedelta(seconds=10),
    "timeout": timedelta(seconds=120),
    "user_agent": "storyledger",
}
RETRIES: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}


class S3Storage:
    """A `Storage` in a bucket, below a prefix that nothing else uses.

    An interrupted upload leaves no object but may leave parts of one: configure the bucket to delete incomplete
    uploads after a day. Deleting a prefix is not atomic: its objects are deleted in batches.
    """

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str | None = None) -> None:
        endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        with _as_storage_errors():
            # Without TLS only if the operator's endpoint says so.
            client: ClientConfig = CLIENT | {"allow_http": (endpoint or "").startswith("http://")}
            config: S3Config = {"endpoint": endpoint} if endpoint else {}
            self._store = S3Store(
                bucket, prefix=prefix or None, config=config, client_options=client, retry_config=RETRIES
            )

    def put(self, key: str, source: BinaryIO | Iterable[bytes]) -> None:
        checked_key(key)
        # The source is buffered first: if it fails, nothing is stored, and a slow source holds no connection.
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as whole:
            for chunk in chunks_of(source):
                whole.write(chunk)
            size = whole.tell()
            whole.seek(0)
            content = cast(BinaryIO, whole) if size else b""
            with _as_storage_errors():
                obstore.put(self._store, key, content, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    def open(self, key: str) -> BinaryIO:
        checked_key(key)
        whole = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 (the caller closes it)
        try:
            with _as_storage_errors(absent=True):
                for chunk in obstore.get(self._store, key).stream(READ_BYTES):
                    whole.write(chunk)
            whole.seek(0)
        except BaseException:
            whole.close()
            raise
        return cast(BinaryIO, whole)

    def open_parts(self, key: str) -> BinaryIO:
        checked_key(key)
        return cast(BinaryIO, _Parts(self._store, key))

    def exists(self, key: str) -> bool:
        checked_key(key)
        try:
            with _as_storage_errors(absent=True):
                obstore.head(self._store, key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        checked_key(key)
        with suppress(NotFoundError), _as_storage_errors(absent=True):
            obstore.delete(self._store, key)

    def shred(self, key: str) -> None:
        # An object cannot be overwritten in place. In a bucket without versions its bytes are gone once it is deleted.
        self.delete(key)

    def delete_prefix(self, prefix: str) -> None:
        keys = self.keys(prefix)
        while doomed := list(islice(keys, DELETED_AT_ONCE)):
            with _as_storage_errors():
                obstore.delete(self._store, doomed)

    def keys(self, prefix: str = "") -> Iterator[str]:
        if prefix and self.exists(prefix):
            yield prefix
        batches = iter(obstore.list(self._store, prefix or None))
        while True:
            with _as_storage_errors():
                batch = next(batches, None)
            if batch is None:
                return
            yield from (entry["path"] for entry in batch)

    def free_bytes(self) -> None:
        return None

    def check(self) -> None:
        verify_storage(self)


class _Parts(io.RawIOBase):
    """An object of which windows are fetched as they are read. No connection is held between two reads."""

    def __init__(self, store: S3Store, key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._position = 0
        self._window = memoryview(b"")
        self._window_start = 0
        self._window_bytes = FIRST_WINDOW_BYTES
        self._version: str | None = None
        with _as_storage_errors(absent=True):
            try:
                self._fetch(0)
            except BaseError:
                # The store has no range of an empty object.
                self._size = obstore.head(store, key)["size"]
                if self._size:
                    raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        if self._position >= self._size or not target:
            return 0
        offset = self._position - self._window_start
        if not 0 <= offset < len(self._window):
            # The windows of a reader that reads on grow; after a move, the next one is small.
            reads_on = offset == len(self._window)
            self._window_bytes = min(LARGEST_WINDOW_BYTES, self._window_bytes * 2) if reads_on else FIRST_WINDOW_BYTES
            with _as_storage_errors(absent=True):
                self._fetch(self._position)
            offset = 0
        part = self._window[offset : offset + len(target)]
        target[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _fetch(self, start: int) -> None:
        options: GetOptions = {"range": (start, start + self._window_bytes)}
        if self._version is not None:
            # Parts of two objects are never mixed.
            options["if_match"] = self._version
        answer = obstore.get(self._store, self._key, options=options)
        self._size, self._version = answer.meta["size"], answer.meta["e_tag"]
        self._window, self._window_start = memoryview(answer.bytes()), start


@contextmanager
def _as_storage_errors(*, absent: bool = False) -> Iterator[None]:
    """Raise the store's errors as domain errors, without the address or the key; `absent` allows NotFoundError."""
    try:
        yield
    except FileNotFoundError as error:
        if absent and "NoSuchBucket" not in str(error):
            raise NotFoundError("no such object") from None
        raise UnavailableError("storage: there is no such bucket") from None
    except (BaseError, OSError) as error:
        raise UnavailableError(f"storage: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return the reason; the library has one kind of error for most of them."""
    match error:
        case PermissionDeniedError() | UnauthenticatedError():
            return "access denied"
        case _:
            return "cannot be reached, or refused the request"

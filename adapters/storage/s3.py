"""Objects in a bucket of any store that speaks S3.

Where it is and who we are there is told by the usual variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, and the roles of machines and containers.
"""

from __future__ import annotations

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
    from obstore.store import ClientConfig, RetryConfig, S3Config

# Two parts of an upload in memory at a time; the store takes none but the last that is smaller.
PART_BYTES = 5 * 2**20
PARTS_AT_ONCE = 2
READ_BYTES = 2**20
# Up to this size an object passes through memory, a larger one through a nameless file.
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
    """A `Storage` in a bucket, below a prefix that is nobody else's.

    An upload that was cut off leaves no object, but may leave parts of one: let the bucket drop incomplete uploads
    after a day. What lies below a prefix is deleted object by object.
    """

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str | None = None) -> None:
        endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        with _translated():
            # Without TLS only to whom the operator named so.
            client: ClientConfig = CLIENT | {"allow_http": (endpoint or "").startswith("http://")}
            config: S3Config = {"endpoint": endpoint} if endpoint else {}
            self._store = S3Store(
                bucket, prefix=prefix or None, config=config, client_options=client, retry_config=RETRIES
            )

    def put(self, key: str, source: BinaryIO | Iterable[bytes]) -> None:
        checked_key(key)
        # Whole before the first byte leaves: a source that breaks leaves nothing, and a slow one holds no connection.
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as whole:
            for chunk in chunks_of(source):
                whole.write(chunk)
            size = whole.tell()
            whole.seek(0)
            content = cast(BinaryIO, whole) if size else b""
            with _translated():
                obstore.put(self._store, key, content, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    def open(self, key: str) -> BinaryIO:
        checked_key(key)
        whole = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 (the caller closes it)
        try:
            with _translated(absent=True):
                for chunk in obstore.get(self._store, key).stream(READ_BYTES):
                    whole.write(chunk)
            whole.seek(0)
        except BaseException:
            whole.close()
            raise
        return cast(BinaryIO, whole)

    def exists(self, key: str) -> bool:
        checked_key(key)
        try:
            with _translated(absent=True):
                obstore.head(self._store, key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        checked_key(key)
        with suppress(NotFoundError), _translated(absent=True):
            obstore.delete(self._store, key)

    def delete_prefix(self, prefix: str) -> None:
        keys = self.keys(prefix)
        while doomed := list(islice(keys, DELETED_AT_ONCE)):
            with _translated():
                obstore.delete(self._store, doomed)

    def keys(self, prefix: str = "") -> Iterator[str]:
        if prefix and self.exists(prefix):
            yield prefix
        pages = iter(obstore.list(self._store, prefix or None))
        while True:
            with _translated():
                page = next(pages, None)
            if page is None:
                return
            yield from (found["path"] for found in page)

    def check(self) -> None:
        verify_storage(self)


@contextmanager
def _translated(*, absent: bool = False) -> Iterator[None]:
    """The store's complaints in our words, without the address or the key; with `absent`, no object is one of them."""
    try:
        yield
    except FileNotFoundError as error:
        if absent and "NoSuchBucket" not in str(error):
            raise NotFoundError("no such object") from None
        raise UnavailableError("storage: there is no such bucket") from None
    except (BaseError, OSError) as error:
        raise UnavailableError(f"storage: {_matter(error)}") from None


def _matter(error: Exception) -> str:
    """What is the matter, as far as kinds of error tell: most of them, that it is away too, are one."""
    match error:
        case PermissionDeniedError() | UnauthenticatedError():
            return "does not let us in"
        case _:
            return "cannot be reached, or refuses what we ask"

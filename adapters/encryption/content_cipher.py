"""Large content sealed as a stream: memory stays bounded, and only authenticated bytes are returned.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015) as in age, with AES-256-GCM: each content has its own
key, derived from the caller's key with a random salt, and a chunk's nonce is its number and a flag for the last chunk.
So chunks that were changed, cut off, added, swapped or taken from another content cannot be opened.

    header = magic (8 bytes) || salt (32 bytes)
    chunk  = AES-256-GCM(content key, number (11 bytes, big-endian) || last (0 or 1), plain, context)

Every chunk but the last holds CHUNK_BYTES; the last is empty only when the whole content is.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.disk import translated_os_errors
from domain.errors import DomainError

MAGIC = b"SLSEAL\x00\x01"  # the last byte is the version of the format
SALT_BYTES = 32
HEADER_BYTES = len(MAGIC) + SALT_BYTES
TAG_BYTES = 16
CHUNK_BYTES = 64 * 1024


class TamperedError(DomainError):
    """Sealed content was changed, or was sealed with another key or for another context."""


def seal(source: BinaryIO, key: bytes, context: bytes) -> Iterator[bytes]:
    """Yield the sealed content, which can be opened only with the same 32-byte key and the same context."""
    salt = os.urandom(SALT_BYTES)
    cipher = _cipher(key, salt)
    yield MAGIC + salt
    for nonce, chunk in _numbered(source, CHUNK_BYTES):
        yield cipher.encrypt(nonce, chunk, context)


def unseal(source: BinaryIO, key: bytes, context: bytes) -> Iterator[bytes]:
    """Yield the content in authenticated pieces; TamperedError at the first piece that is not authentic.

    The pieces before the error are the authentic beginning. The content is complete only if the iterator ends.
    """
    cipher = _cipher_of(source, key)
    for nonce, chunk in _numbered(source, CHUNK_BYTES + TAG_BYTES):
        if plain := _opened(cipher, nonce, chunk, context):
            yield plain


def unseal_range(source: BinaryIO, key: bytes, context: bytes, size: int, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes from `start` up to `stop` of content of `size` bytes, in authenticated pieces.

    Only the chunks that contain them are read from `source`, which is seekable.
    """
    cipher = _cipher_of(source, key)
    last = max(0, size - 1) // CHUNK_BYTES
    first = start // CHUNK_BYTES
    source.seek(HEADER_BYTES + first * (CHUNK_BYTES + TAG_BYTES))
    for number in range(first, (stop - 1) // CHUNK_BYTES + 1 if stop > start else first):
        plain = _opened(cipher, _nonce(number, is_last=number == last), _read(source, CHUNK_BYTES + TAG_BYTES), context)
        begins = number * CHUNK_BYTES
        yield plain[max(0, start - begins) : stop - begins]


def unsealed_file(source: BinaryIO, key: bytes, context: bytes) -> BinaryIO:
    """Return the whole authenticated content as a seekable temporary file without a name."""
    with translated_os_errors("temporary files"):
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        for plain in unseal(source, key, context):
            with translated_os_errors("temporary files"):
                file.write(plain)
        with translated_os_errors("temporary files"):
            file.seek(0)
    except BaseException:
        # Closing may fail again for the same reason, like a full disk.
        with suppress(OSError):
            file.close()
        raise
    return file


def _cipher_of(source: BinaryIO, key: bytes) -> AESGCM:
    """Read the header and return the cipher of the content."""
    header = _read(source, HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise TamperedError("not sealed content")
    return _cipher(key, header[len(MAGIC) :])


def _opened(cipher: AESGCM, nonce: bytes, chunk: bytes, context: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, chunk, context)
    except InvalidTag:
        raise TamperedError("sealed content was changed, or is not for this key and context") from None


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    if len(key) != 32:
        raise ValueError("a key must have 32 bytes")
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=MAGIC).derive(key))


def _numbered(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield each piece of `size` bytes with its nonce, which marks the last piece."""
    number = 0
    chunk = _read(source, size)
    while True:
        following = _read(source, size)
        yield _nonce(number, is_last=not following), chunk
        if not following:
            return
        number, chunk = number + 1, following


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")


def _read(source: BinaryIO, size: int) -> bytes:
    """Read exactly `size` bytes, or fewer at the end of the source."""
    first = source.read(size)
    if len(first) == size or not first:
        return first
    parts = bytearray(first)
    while len(parts) < size and (more := source.read(size - len(parts))):
        parts += more
    return bytes(parts)

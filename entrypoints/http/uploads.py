"""Uploads of recordings: streamed to a nameless temporary file, counted and hashed, and never held in memory."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.disk import translated_os_errors
from domain.errors import FullError
from entrypoints.http.operations import Received
from entrypoints.http.problems import Problem, invalid

FIELD = b"audio"
MAX_AUDIO_BYTES = 50 * 1024 * 1024
# The part headers and boundaries around the recording.
MAX_WRAPPING_BYTES = 64 * 1024
MAX_FILE_NAME_LENGTH = 255
# A client that is still sending when we answer may see a broken connection instead of the answer. So we read on, up to
# this many times the size limit.
DRAINED_TIMES = 2

TOO_BIG = f"A recording may have at most {MAX_AUDIO_BYTES // 1024 // 1024} MB."


class _TooBig(Exception):
    """The upload is larger than allowed, and the client may still be sending."""


class _Recording:
    """Receives the parts of a form and keeps the recording."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.size = 0
        self.has_recording = False
        self.ended = False
        self.file_name: str | None = None
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._in_recording = False

    def on_part_begin(self) -> None:
        self._disposition = b""
        self._in_recording = False

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") == FIELD:
            if self.has_recording:
                raise invalid("/audio", "a form may have only one recording")
            self.has_recording = self._in_recording = True
            name = options.get(b"filename", b"").decode("utf-8", "replace")
            self.file_name = "".join(c for c in name if c.isprintable())[:MAX_FILE_NAME_LENGTH] or None

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_recording:
            piece = data[start:end]
            self.size += len(piece)
            if self.size > MAX_AUDIO_BYTES:
                raise _TooBig
            self.digest.update(piece)
            self.file.write(piece)

    def on_end(self) -> None:
        self.ended = True


async def receive(content_type: str | None, declared_size: str | None, chunks: AsyncIterator[bytes]) -> Received:
    """Return the form's recording as a nameless file at its beginning, which the caller closes.

    Problem 400, 413, 415 or 422 if the body is not such a form. Nothing is kept of a refused body.
    """
    kind, options = parse_options_header(content_type or "")
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary or len(boundary) > 200:
        raise Problem("unsupported-media-type", "Send the recording as multipart/form-data in the field `audio`.")
    most = MAX_AUDIO_BYTES + MAX_WRAPPING_BYTES
    if declared_size is not None and declared_size.isdigit() and int(declared_size) > most:
        raise await too_large(chunks, TOO_BIG, MAX_AUDIO_BYTES)
    with translated_os_errors("temporary files"):
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        recording = _Recording(file)
        try:
            with translated_os_errors("temporary files"):
                await _parse(recording, boundary, chunks, most)
                file.flush()
        except FullError:
            await _drain(chunks, MAX_AUDIO_BYTES)
            raise
        file.seek(0)
        return Received(file, recording.digest.hexdigest(), recording.size, recording.file_name)
    except BaseException:
        # Closing flushes, and the flush may fail like the write before it.
        with suppress(OSError):
            file.close()
        raise


async def _parse(recording: _Recording, boundary: bytes, chunks: AsyncIterator[bytes], most: int) -> None:
    names = ("part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data", "end")
    callbacks: Any = {f"on_{name}": getattr(recording, f"on_{name}") for name in names}
    parser = MultipartParser(boundary, callbacks)
    total = 0
    try:
        async for chunk in chunks:
            total += len(chunk)
            if total > most:
                raise _TooBig
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError:
        raise Problem("malformed", "The body is not multipart/form-data.") from None
    except _TooBig:
        raise await too_large(chunks, TOO_BIG, MAX_AUDIO_BYTES) from None
    except Problem:
        await _drain(chunks, MAX_AUDIO_BYTES)
        raise
    if not recording.ended:
        raise Problem("malformed", "The form is incomplete.")
    if not recording.has_recording:
        raise invalid("/audio", "the form has no field `audio`")


async def too_large(chunks: AsyncIterator[bytes], detail: str, most: int) -> Problem:
    """Return the problem for a body that is too large, after reading on so that the client gets the answer."""
    ended = await _drain(chunks, most)
    return Problem("too-large", detail, headers={} if ended else {"Connection": "close"})


async def _drain(chunks: AsyncIterator[bytes], most: int) -> bool:
    """Read on without keeping anything, and return True if the body ended within the limit."""
    left = DRAINED_TIMES * most
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            return False
    return True

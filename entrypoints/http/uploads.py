"""Recordings as they come in: streamed to a nameless file, counted and hashed, never held in memory."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.storage.disk import translated_os_errors
from domain.errors import FullError
from entrypoints.http.operations import Received
from entrypoints.http.problems import Problem, invalid

FIELD = b"audio"
MOST_AUDIO_BYTES = 50 * 1024 * 1024
# What is around the recording: part headers and boundaries.
MOST_WRAPPING_BYTES = 64 * 1024
LONGEST_FILE_NAME = 255
# A client that is still sending when we answer may see a broken connection instead, so we read on for a while:
# as many times what a body may have.
DRAINED_TIMES = 2

TOO_BIG = f"A recording may have at most {MOST_AUDIO_BYTES // 1024 // 1024} MB."


class _TooBig(Exception):
    """More than we take has come in, and perhaps not all of it yet."""


class _Recording:
    """Receives the parts of a form and keeps the one that is a recording."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.size = 0
        self.found = False
        self.ended = False
        self.file_name: str | None = None
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._wanted = False

    def on_part_begin(self) -> None:
        self._disposition = b""
        self._wanted = False

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
            if self.found:
                raise invalid("/audio", "only one recording at a time")
            self.found = self._wanted = True
            name = options.get(b"filename", b"").decode("utf-8", "replace")
            self.file_name = "".join(c for c in name if c.isprintable())[:LONGEST_FILE_NAME] or None

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            piece = data[start:end]
            self.size += len(piece)
            if self.size > MOST_AUDIO_BYTES:
                raise _TooBig
            self.digest.update(piece)
            self.file.write(piece)

    def on_end(self) -> None:
        self.ended = True


async def receive(content_type: str | None, declared_size: str | None, chunks: AsyncIterator[bytes]) -> Received:
    """The form's recording as a nameless file at its beginning, which the caller closes.

    Problem 413, 415, 400 or 422 for what is no such form. Nothing is left of a refused body.
    """
    kind, options = parse_options_header(content_type or "")
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary or len(boundary) > 200:
        raise Problem("unsupported-media-type", "Send the recording as multipart/form-data in the field `audio`.")
    most = MOST_AUDIO_BYTES + MOST_WRAPPING_BYTES
    if declared_size is not None and declared_size.isdigit() and int(declared_size) > most:
        raise await too_large(chunks, TOO_BIG, MOST_AUDIO_BYTES)
    with translated_os_errors("temporary files"):
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        recording = _Recording(file)
        try:
            with translated_os_errors("temporary files"):
                await _parse(recording, boundary, chunks, most)
                file.flush()
        except FullError:
            await _drain(chunks, MOST_AUDIO_BYTES)
            raise
        file.seek(0)
        return Received(file, recording.digest.hexdigest(), recording.size, recording.file_name)
    except BaseException:
        # What could not be written cannot be written now either.
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
        raise await too_large(chunks, TOO_BIG, MOST_AUDIO_BYTES) from None
    except Problem:
        await _drain(chunks, MOST_AUDIO_BYTES)
        raise
    if not recording.ended:
        raise Problem("malformed", "The form ends in the middle.")
    if not recording.found:
        raise invalid("/audio", "the form has no field `audio`")


async def too_large(chunks: AsyncIterator[bytes], detail: str, most: int) -> Problem:
    """The refusal of a body that is too large, once the client has had a chance to send all of it."""
    ended = await _drain(chunks, most)
    return Problem("too-large", detail, headers={} if ended else {"Connection": "close"})


async def _drain(chunks: AsyncIterator[bytes], most: int) -> bool:
    """Read on for a while without keeping anything; whether the body has ended."""
    left = DRAINED_TIMES * most
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            return False
    return True

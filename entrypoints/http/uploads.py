"""Uploads of recordings: each is measured and hashed while it is streamed to an unnamed temporary file."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from typing import Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from adapters.disk import FreeSpace, translated_os_errors
from domain.errors import FaultCode, FullError
from entrypoints.http.operations import ReceivedRecording
from entrypoints.http.problems import Problem, invalid

FIELD = b"audio"
PART_MEDIA_TYPE = "application/offset+octet-stream"
MAX_AUDIO_BYTES = 50 * 1024 * 1024
# The headers and boundaries of the form around the recording may take up to this size.
MAX_OVERHEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = MAX_AUDIO_BYTES + MAX_OVERHEAD_BYTES
MAX_FILE_NAME_LENGTH = 255
# Of an upload that is refused, at most this much more is read, so that the client can read the answer.
MAX_DRAINED_BYTES = 2 * MAX_AUDIO_BYTES

TOO_LARGE = f"A recording may have at most {MAX_AUDIO_BYTES // 1024 // 1024} MB."


class _TooLarge(Exception):
    """The upload is larger than allowed, and the client may still be sending."""


class _Receiver:
    """The callbacks of the form parser, which write the recording to the file and ignore other parts."""

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
                raise _TooLarge
            self.digest.update(piece)
            self.file.write(piece)

    def on_end(self) -> None:
        self.ended = True


async def receive(
    content_type: str | None, declared_size: str | None, chunks: AsyncIterator[bytes], space: FreeSpace
) -> ReceivedRecording:
    """Return the form's recording. Its file is positioned at the beginning, and the caller closes the recording.

    Raise FullError if there is too little free space, or Problem 400, 413, 415 or 422 if the body is not a form with
    one recording; then nothing of it is kept.
    """
    media_type, options = parse_options_header(content_type or "")
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary or len(boundary) > 200:
        raise Problem("unsupported-media-type", "Send the recording as multipart/form-data in the field `audio`.")
    size = int(declared_size) if declared_size is not None and declared_size.isdigit() else 0
    if size > MAX_BODY_BYTES:
        raise await too_large(chunks, TOO_LARGE, MAX_DRAINED_BYTES)
    with ExitStack() as resources:
        try:
            resources.enter_context(space.reserved(size or MAX_BODY_BYTES))
            with translated_os_errors("temporary files"):
                file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
            resources.callback(_close, file)
            receiver = _Receiver(file)
            with translated_os_errors("temporary files"):
                await _parse(receiver, boundary, chunks)
                file.flush()
        except FullError:
            await _drain(chunks, MAX_DRAINED_BYTES)
            raise
        file.seek(0)
        return ReceivedRecording(
            file, receiver.digest.hexdigest(), receiver.size, receiver.file_name, resources.pop_all().close
        )


async def receive_part(
    content_type: str, declared_size: str | None, chunks: AsyncIterator[bytes], space: FreeSpace
) -> ReceivedRecording:
    """Return bytes of an upload in parts. If the connection is lost, these are the bytes that arrived before."""
    if content_type != PART_MEDIA_TYPE:
        raise Problem("unsupported-media-type", f"Send the bytes as {PART_MEDIA_TYPE}.")
    size = int(declared_size) if declared_size is not None and declared_size.isdigit() else 0
    if size > MAX_AUDIO_BYTES:
        raise await too_large(chunks, TOO_LARGE, MAX_DRAINED_BYTES)
    received = 0
    with ExitStack() as resources:
        resources.enter_context(space.reserved(size or MAX_AUDIO_BYTES))
        with translated_os_errors("temporary files"):
            file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
        resources.callback(_close, file)
        with suppress(ClientDisconnect):
            async for chunk in chunks:
                received += len(chunk)
                if received > MAX_AUDIO_BYTES:
                    raise await too_large(chunks, TOO_LARGE, MAX_DRAINED_BYTES)
                with translated_os_errors("temporary files"):
                    file.write(chunk)
        with translated_os_errors("temporary files"):
            file.flush()
        return ReceivedRecording(file, "", received, None, resources.pop_all().close)


def _close(file: BinaryIO) -> None:
    # Closing flushes the buffer, which may fail.
    with suppress(OSError):
        file.close()


async def _parse(receiver: _Receiver, boundary: bytes, chunks: AsyncIterator[bytes]) -> None:
    names = ("part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data", "end")
    callbacks: Any = {f"on_{name}": getattr(receiver, f"on_{name}") for name in names}
    parser = MultipartParser(boundary, callbacks)
    total = 0
    try:
        async for chunk in chunks:
            total += len(chunk)
            if total > MAX_BODY_BYTES:
                raise _TooLarge
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError:
        raise Problem("malformed", "The body is not multipart/form-data.") from None
    except _TooLarge:
        raise await too_large(chunks, TOO_LARGE, MAX_DRAINED_BYTES) from None
    except Problem:
        await _drain(chunks, MAX_DRAINED_BYTES)
        raise
    if not receiver.ended:
        raise Problem("malformed", "The form is incomplete.")
    if not receiver.has_recording:
        raise invalid("/audio", "the form has no field `audio`", FaultCode.REQUIRED)


async def too_large(chunks: AsyncIterator[bytes], detail: str, max_drained_bytes: int) -> Problem:
    """Read the rest of a body that is too large, so that the client can read the answer, and return the problem."""
    ended = await _drain(chunks, max_drained_bytes)
    return Problem("too-large", detail, headers={} if ended else {"Connection": "close"})


async def _drain(chunks: AsyncIterator[bytes], max_bytes: int) -> bool:
    """Read and discard the rest of the body, up to the limit, and return True if the body ended within it."""
    drained = 0
    async for chunk in chunks:
        drained += len(chunk)
        if drained > max_bytes:
            return False
    return True

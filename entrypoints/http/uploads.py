"""Uploads of files: each is measured and hashed while it is streamed to an unnamed temporary file."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from adapters.disk import FreeSpace, translated_os_errors
from domain.errors import FaultCode, FullError
from entrypoints.http.operations import ReceivedFile
from entrypoints.http.problems import Problem, invalid

PART_MEDIA_TYPE = "application/offset+octet-stream"
MIB = 1024 * 1024
MAX_FILE_NAME_LENGTH = 255
# The headers and boundaries of the form around the file, and its other fields, may take up to this size.
MAX_OVERHEAD_BYTES = 64 * 1024
MAX_FIELDS = 10
MAX_FIELD_BYTES = 4096


@dataclass(frozen=True)
class UploadForm:
    """A form with one file: the name of its field, how large the file may be, and the word for it in errors."""

    field: str
    max_bytes: int
    noun: str

    @property
    def too_large(self) -> str:
        return f"A {self.noun} may have at most {self.max_bytes // MIB} MB."

    @property
    def max_body_bytes(self) -> int:
        return self.max_bytes + MAX_OVERHEAD_BYTES

    @property
    def max_drained_bytes(self) -> int:
        """Of an upload that is refused, at most this much more is read, so that the client can read the answer."""
        return 2 * self.max_bytes


MAX_AUDIO_BYTES = 50 * MIB
RECORDING = UploadForm("audio", MAX_AUDIO_BYTES, "recording")
ATTACHMENT = UploadForm("file", 10 * MIB, "file")


class _TooLarge(Exception):
    """The upload is larger than allowed, and the client may still be sending."""


class _Receiver:
    """The callbacks of the form parser, which write the upload to the file and keep the short texts beside it."""

    def __init__(self, form: UploadForm, file: BinaryIO) -> None:
        self.form = form
        self.file = file
        self._texts: dict[str, bytearray] = {}
        self._text: bytearray | None = None
        self.digest = hashlib.sha256()
        self.size = 0
        self.has_file = False
        self.ended = False
        self.file_name: str | None = None
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._in_file = False

    def on_part_begin(self) -> None:
        self._disposition = b""
        self._in_file = False
        self._text = None

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
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field == self.form.field:
            if self.has_file:
                raise invalid(f"/{field}", f"a form may have only one {self.form.noun}")
            self.has_file = self._in_file = True
            name = options.get(b"filename", b"").decode("utf-8", "replace")
            self.file_name = "".join(c for c in name if c.isprintable())[:MAX_FILE_NAME_LENGTH] or None
        elif b"filename" not in options and len(self._texts) < MAX_FIELDS:
            self._text = self._texts[field] = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            piece = data[start:end]
            self.size += len(piece)
            if self.size > self.form.max_bytes:
                raise _TooLarge
            self.digest.update(piece)
            self.file.write(piece)
        elif self._text is not None:
            self._text += data[start : min(end, start + MAX_FIELD_BYTES - len(self._text))]

    def on_end(self) -> None:
        self.ended = True

    def fields(self) -> dict[str, str]:
        """Return the short texts of the form; of a longer one its beginning."""
        return {name: bytes(text).decode("utf-8", "replace") for name, text in self._texts.items()}


async def receive(
    form: UploadForm,
    content_type: str | None,
    declared_size: str | None,
    chunks: AsyncIterator[bytes],
    space: FreeSpace,
) -> ReceivedFile:
    """Return the form's file, positioned at the beginning; the caller closes it.

    Raise FullError if there is too little free space, or Problem 400, 413, 415 or 422 if the body is not a form with
    one file; then nothing of it is kept.
    """
    media_type, options = parse_options_header(content_type or "")
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary or len(boundary) > 200:
        detail = f"Send the {form.noun} as multipart/form-data in the field `{form.field}`."
        raise Problem("unsupported-media-type", detail)
    size = int(declared_size) if declared_size is not None and declared_size.isdigit() else 0
    if size > form.max_body_bytes:
        raise await too_large(chunks, form.too_large, form.max_drained_bytes)
    with ExitStack() as resources:
        try:
            resources.enter_context(space.reserved(size or form.max_body_bytes))
            with translated_os_errors("temporary files"):
                file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
            resources.callback(_close, file)
            receiver = _Receiver(form, file)
            with translated_os_errors("temporary files"):
                await _parse(receiver, boundary, chunks)
                file.flush()
        except FullError:
            await _drain(chunks, form.max_drained_bytes)
            raise
        file.seek(0)
        return ReceivedFile(
            file,
            receiver.digest.hexdigest(),
            receiver.size,
            receiver.file_name,
            resources.pop_all().close,
            receiver.fields(),
        )


async def receive_part(
    content_type: str, declared_size: str | None, chunks: AsyncIterator[bytes], space: FreeSpace
) -> ReceivedFile:
    """Return bytes of an upload in parts. If the connection is lost, these are the bytes that arrived before."""
    if content_type != PART_MEDIA_TYPE:
        raise Problem("unsupported-media-type", f"Send the bytes as {PART_MEDIA_TYPE}.")
    size = int(declared_size) if declared_size is not None and declared_size.isdigit() else 0
    if size > MAX_AUDIO_BYTES:
        raise await too_large(chunks, RECORDING.too_large, RECORDING.max_drained_bytes)
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
                    raise await too_large(chunks, RECORDING.too_large, RECORDING.max_drained_bytes)
                with translated_os_errors("temporary files"):
                    file.write(chunk)
        with translated_os_errors("temporary files"):
            file.flush()
        return ReceivedFile(file, "", received, None, resources.pop_all().close)


def _close(file: BinaryIO) -> None:
    # Closing flushes the buffer, which may fail.
    with suppress(OSError):
        file.close()


async def _parse(receiver: _Receiver, boundary: bytes, chunks: AsyncIterator[bytes]) -> None:
    names = ("part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data", "end")
    callbacks: Any = {f"on_{name}": getattr(receiver, f"on_{name}") for name in names}
    parser, form = MultipartParser(boundary, callbacks), receiver.form
    total = 0
    try:
        async for chunk in chunks:
            total += len(chunk)
            if total > form.max_body_bytes:
                raise _TooLarge
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError:
        raise Problem("malformed", "The body is not multipart/form-data.") from None
    except _TooLarge:
        raise await too_large(chunks, form.too_large, form.max_drained_bytes) from None
    except Problem:
        await _drain(chunks, form.max_drained_bytes)
        raise
    if not receiver.ended:
        raise Problem("malformed", "The form is incomplete.")
    if not receiver.has_file:
        raise invalid(f"/{form.field}", f"the form has no field `{form.field}`", FaultCode.REQUIRED)


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

"""Request bodies are read up to a limit, checked for their media type and parsed by the operation's model."""

import hashlib
import re
from collections.abc import AsyncIterator

from starlette.requests import Request

from adapters.disk import FreeSpace
from entrypoints.http import bodies, uploads
from entrypoints.http.operations import BodyKind, Call
from entrypoints.http.problems import Problem

# Of a body that is too large, at most this much more is read, so that the client can read the answer.
MAX_DRAINED_BYTES = 16 * bodies.MAX_JSON_BYTES

_FORM_MEDIA_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")

# The only accepted charset is UTF-8; parameters other than charset are ignored.
_JSON_MEDIA_TYPE = re.compile(
    r"application/(?:[\w.+\-]+\+)?json(?:\s*;\s*(?:charset=\"?utf-?8\"?|(?!charset)[\w\-]+=[^;]*))*\s*;?\s*",
    re.IGNORECASE,
)


async def read_body(call: Call, request: Request, upload_space: FreeSpace) -> None:
    """Read, check and parse the body into the call, with the digest by which idempotency recognises a repetition."""
    content_type = call.headers.get("content-type", "")
    match call.operation.body_kind:
        case BodyKind.AUDIO | BodyKind.ATTACHMENT as kind:
            form = uploads.RECORDING if kind is BodyKind.AUDIO else uploads.ATTACHMENT
            call.upload = await uploads.receive(
                form, content_type, call.headers.get("content-length"), request.stream(), upload_space
            )
            call.body_digest = call.upload.sha256
            return
        case BodyKind.PART:
            if content_type != uploads.PART_MEDIA_TYPE and call.operation.method == "POST":
                if await read_bounded(request.stream()):
                    raise Problem("unsupported-media-type", f"Send the bytes as {uploads.PART_MEDIA_TYPE}.")
                return
            call.upload = await uploads.receive_part(
                content_type, call.headers.get("content-length"), request.stream(), upload_space
            )
            return
        case BodyKind.FORM | BodyKind.LONG_FORM as kind:
            if not content_type.lower().startswith("application/x-www-form-urlencoded"):
                raise Problem("unsupported-media-type", "Send application/x-www-form-urlencoded.")
            is_long = kind is BodyKind.LONG_FORM
            max_bytes = bodies.MAX_LONG_FORM_BYTES if is_long else bodies.MAX_JSON_BYTES
            call.raw_body = await read_bounded(request.stream(), max_bytes)
            _check_uncompressed(call)
        case BodyKind.PROOF:
            if not content_type.lower().startswith(_FORM_MEDIA_TYPES):
                raise Problem("unsupported-media-type", f"Send {' or '.join(_FORM_MEDIA_TYPES)}.")
            call.raw_body = await read_bounded(request.stream(), bodies.MAX_PROOF_BYTES)
            _check_uncompressed(call)
        case BodyKind.JSON | BodyKind.JSON_OR_FORM | BodyKind.MERGE_PATCH:
            call.raw_body = await read_bounded(request.stream())
            _check_uncompressed(call)
            is_form = content_type.lower().startswith("application/x-www-form-urlencoded")
            if is_form and call.operation.body_kind is BodyKind.JSON_OR_FORM:
                call.body_digest = hashlib.sha256(call.raw_body).hexdigest()
                return
            if call.raw_body.strip() and not _JSON_MEDIA_TYPE.fullmatch(content_type):
                raise Problem("unsupported-media-type", "Send application/json in UTF-8.")
            assert call.operation.body_model is not None
            call.body = bodies.read(call.operation.body_model, call.raw_body)
    call.body_digest = hashlib.sha256(call.raw_body).hexdigest()


def _check_uncompressed(call: Call) -> None:
    """Refuse compressed bodies: a few compressed bytes could expand to gigabytes."""
    if call.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported-media-type", "Send the body uncompressed, without a Content-Encoding.")


async def read_bounded(chunks: AsyncIterator[bytes], max_bytes: int = bodies.MAX_JSON_BYTES) -> bytes:
    """Return the whole body, or raise 413 if it is too large."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > max_bytes:
            data.clear()
            detail = f"A body may have at most {max_bytes // 1024} KB."
            raise await uploads.too_large(chunks, detail, MAX_DRAINED_BYTES)
    return bytes(data)

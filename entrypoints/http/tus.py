"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload), the protocol of uploads that resume."""

import base64
import hashlib
import re
from binascii import Error
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import BinaryIO

from entrypoints.http.problems import Problem
from entrypoints.http.uploads import MAX_AUDIO_BYTES, RECORDING

VERSION = "1.0.0"
RESUMABLE = {"Tus-Resumable": VERSION}
CHECKSUM_ALGORITHMS = ("sha1", "sha256")
SUPPORT = {
    "Tus-Version": VERSION,
    "Tus-Extension": "creation,creation-with-upload,expiration,checksum,termination",
    "Tus-Max-Size": str(MAX_AUDIO_BYTES),
    "Tus-Checksum-Algorithm": ",".join(CHECKSUM_ALGORITHMS),
}
MAX_METADATA_LENGTH = 4096
CHUNK_BYTES = 1024 * 1024

_NUMBER = re.compile(r"[0-9]{1,18}")
_METADATA_KEY = re.compile(r"[!-+\--~]+")


def require_version(headers: Mapping[str, str]) -> None:
    if headers.get("tus-resumable") != VERSION:
        detail = f"Send the header Tus-Resumable: {VERSION}."
        raise Problem("unsupported-version", detail, headers={"Tus-Version": VERSION})


def upload_length(headers: Mapping[str, str]) -> int:
    """Return the size of the recording that is announced."""
    length = _number(headers, "Upload-Length")
    if length == 0:
        raise Problem("malformed", "Upload-Length must be at least 1.")
    if length > MAX_AUDIO_BYTES:
        raise Problem("too-large", RECORDING.too_large)
    return length


def upload_offset(headers: Mapping[str, str]) -> int:
    return _number(headers, "Upload-Offset")


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name.lower(), "")
    if not _NUMBER.fullmatch(text):
        raise Problem("malformed", f"{name} must be a number of bytes.")
    return int(text)


def metadata(header: str | None) -> dict[str, str]:
    """Return the values by their names; Problem 400 if the header `Upload-Metadata` is not what tus says."""
    values: dict[str, str] = {}
    if len(header or "") > MAX_METADATA_LENGTH:
        raise Problem("malformed", f"Upload-Metadata may have at most {MAX_METADATA_LENGTH} characters.")
    for pair in filter(None, (header or "").split(",")):
        name, _, encoded = pair.strip().partition(" ")
        try:
            value = base64.b64decode(encoded, validate=True).decode()
        except (Error, ValueError):
            value = None
        if value is None or not _METADATA_KEY.fullmatch(name) or name in values:
            raise Problem("malformed", "Upload-Metadata must be names, each with a value in Base64.")
        values[name] = value
    return values


def require_checksum(header: str | None, part: BinaryIO) -> None:
    """Raise Problem 460 if the part has another checksum than the header `Upload-Checksum` says."""
    if header is None:
        return
    algorithm, _, encoded = header.partition(" ")
    try:
        expected = base64.b64decode(encoded, validate=True)
    except (Error, ValueError):
        expected = b""
    if algorithm not in CHECKSUM_ALGORITHMS or not expected:
        raise Problem("malformed", f"Upload-Checksum must be one of {', '.join(CHECKSUM_ALGORITHMS)}, in Base64.")
    # The checksum finds damage on the way, not forgery.
    actual = hashlib.new(algorithm, usedforsecurity=False)
    part.seek(0)
    while chunk := part.read(CHUNK_BYTES):
        actual.update(chunk)
    if actual.digest() != expected:
        raise Problem("checksum-mismatch", "The bytes are not those of the checksum, and were discarded.")


def expiry(moment: datetime) -> dict[str, str]:
    return {"Upload-Expires": format_datetime(moment, usegmt=True)}

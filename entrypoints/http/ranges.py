"""Range requests (RFC 9110, section 14): the part of a content that a client asks for."""

import re
from collections.abc import Mapping

from entrypoints.http.problems import Problem

# One range of bytes; the positions have few digits, so that converting them is cheap.
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE | re.ASCII)


def requested_range(headers: Mapping[str, str], size: int, etag: str) -> tuple[int, int] | None:
    """Return the start and the stop of the range that is asked for, or None for the whole content.

    A header that names several ranges or is not valid is ignored, as is one for a version other than `etag`. A range
    with no byte of the content is a Problem.
    """
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or not any(match.groups()) or headers.get("if-range", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        detail = f"The content has {size} bytes, and none of them is in the range."
        raise Problem("range-not-satisfiable", detail, headers={"Content-Range": f"bytes */{size}"})
    return start, stop

"""Zip archives that are sent while they are made."""

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime

# Enough for texts; sound and pictures are compressed already.
LEVEL = 1


class _Sink:
    """A file without positions, which keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def zipped(files: Iterable[tuple[str, Iterable[bytes]]], made_at: datetime) -> Iterator[bytes]:
    """Yield a zip archive of the files, each a name and its parts; one part is in memory at a time.

    Every file is deflated: many readers refuse a stored file whose length comes after it.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, parts in files:
            file = zipfile.ZipInfo(name, made_at.timetuple()[:6])
            file.compress_type = zipfile.ZIP_DEFLATED
            file._compresslevel = LEVEL  # type: ignore[attr-defined]
            with archive.open(file, "w") as member:
                for part in parts:
                    member.write(part)
                    if written := sink.take():
                        yield written
            yield sink.take()
    yield sink.take()

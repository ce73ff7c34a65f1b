"""The file: parts one after the other in a tar, and the hash of each of them at its end."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

SUMS = "SHA256SUMS"
CHUNK_BYTES = 256 * 1024


class BackupError(Exception):
    """The backup cannot be taken or restored; the message is one clear line."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Part:
    """One part of a backup while it passes: its bytes can be read until the next one is asked for."""

    name: str
    size: int
    content: Readable


class Writer:
    """Adds parts to a file; memory stays bounded however many they are."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._sums: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `finish`)

    def add(self, name: str, content: bytes) -> None:
        self._add(name, len(content), io.BytesIO(content), hashlib.sha256(content))

    def add_file(self, name: str, source: BinaryIO) -> None:
        """Add a seekable file from its beginning."""
        source.seek(0)
        digest, size = hashlib.sha256(), 0
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
        source.seek(0)
        self._add(name, size, source, digest)

    def finish(self) -> None:
        """Add the hashes; without them no file is a backup."""
        with self._sums:
            self._sums.seek(0, io.SEEK_END)
            size = self._sums.tell()
            self._sums.seek(0)
            self._append(SUMS, size, self._sums)
        self._tar.close()

    def _add(self, name: str, size: int, content: BinaryIO, digest: hashlib._Hash) -> None:
        self._sums.write(_line(name, digest))
        self._append(name, size, content)

    def _append(self, name: str, size: int, content: BinaryIO) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = size
        entry.mode = 0o600
        self._tar.addfile(entry, content)
        self._tar.members.clear()  # type: ignore[attr-defined]  # it would remember every part


def _line(name: str, digest: hashlib._Hash) -> bytes:
    """As `sha256sum` writes and checks it."""
    return f"{digest.hexdigest()}  {name}\n".encode()


def parts(file: BinaryIO) -> Iterator[Part]:
    """The parts of a backup in their order, the hashes last; BackupError where it is damaged."""
    file.seek(0)
    with _damage_told(), tarfile.open(fileobj=file, mode="r|") as tar:
        while (entry := tar.next()) is not None:
            content = tar.extractfile(entry)
            if content is None:
                raise BackupError(f"the backup is damaged: {entry.name!r} is no file")
            yield Part(entry.name, entry.size, content)
            tar.members.clear()  # type: ignore[attr-defined]


@contextmanager
def _damage_told() -> Iterator[None]:
    """What the tar library raises on bytes that are no tar."""
    try:
        yield
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as error:
        raise BackupError(f"the backup is damaged, or no backup ({type(error).__name__})") from None


def checked(file: BinaryIO) -> Iterator[Part]:
    """The parts again, every hash compared: the iterator ends well only if the backup is whole."""
    ours, theirs, last = hashlib.sha256(), hashlib.sha256(), ""
    for part in parts(file):
        if last == SUMS:
            raise BackupError("the backup is damaged: something follows its end")
        last = part.name
        digest = theirs if part.name == SUMS else hashlib.sha256()
        counted = _Counted(part.content, digest)
        yield Part(part.name, part.size, counted)
        while counted.read(CHUNK_BYTES):
            pass
        if counted.count != part.size:
            raise BackupError("the backup is cut off")
        if part.name != SUMS:
            ours.update(_line(part.name, digest))
    if last != SUMS:
        raise BackupError("the backup is cut off, or no backup")
    if ours.digest() != theirs.digest():
        raise BackupError("the backup is damaged: a part does not match its hash")


class _Counted:
    """What is read of a part goes into its hash."""

    def __init__(self, source: Readable, digest: hashlib._Hash) -> None:
        self._source = source
        self._digest = digest
        self.count = 0

    def read(self, size: int, /) -> bytes:
        with _damage_told():
            chunk = self._source.read(size)
        self._digest.update(chunk)
        self.count += len(chunk)
        return chunk


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file for its owner alone that has its name only once the block ended well, and is durable then."""
    unfinished = path.with_name(path.name + ".unfinished")
    if path.exists():
        raise BackupError(f"{path} is there already")
    try:
        with unfinished.open("wb") as file:
            unfinished.chmod(0o600)
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror or 'failed'}") from None
    finally:
        unfinished.unlink(missing_ok=True)

"""The file format: parts in a tar file, at its end the hash of each part, and the code that authenticates these."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from adapters.encryption.keyring import derived_key

SUMS = "SHA256SUMS"
HMAC = "HMAC"
CHUNK_BYTES = 256 * 1024
LONGEST_CODE = 1024


class BackupError(Exception):
    """The backup cannot be made or restored; the message is one line."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Part:
    """One part of a backup; its content can be read until the next part is requested."""

    name: str
    size: int
    content: Readable


class BackupKeys:
    """The keys that authenticate backups, one for each master key, the current one first."""

    def __init__(self, master_keys: tuple[str, ...]) -> None:
        self._keys = [derived_key(master_key, "backups") for master_key in master_keys]

    def code(self, sums: hashlib._Hash) -> bytes:
        return self._code(self._keys[0], sums)

    def accept(self, code: bytes, sums: hashlib._Hash) -> bool:
        """Return True if one of the keys made the code."""
        return any(hmac.compare_digest(self._code(key, sums), code) for key in self._keys)

    @staticmethod
    def _code(key: bytes, sums: hashlib._Hash) -> bytes:
        return hmac.digest(key, sums.digest(), "sha256").hex().encode() + b"\n"


class Writer:
    """Adds parts to a file with bounded memory."""

    def __init__(self, file: BinaryIO, keys: BackupKeys) -> None:
        self._keys = keys
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._sums: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `finish`)
        self._digest = hashlib.sha256()

    def add(self, name: str, content: bytes) -> None:
        self.add_file(name, io.BytesIO(content))

    def add_file(self, name: str, source: BinaryIO) -> None:
        """Add a seekable file, read from its beginning."""
        source.seek(0)
        line = _line(name, hashlib.file_digest(source, "sha256"))  # type: ignore[arg-type]
        self._sums.write(line)
        self._digest.update(line)
        self._append(name, source)

    def finish(self) -> None:
        """Add the hashes and their code, which complete the file."""
        with self._sums:
            self._append(SUMS, self._sums)
        self._append(HMAC, io.BytesIO(self._keys.code(self._digest)))
        self._tar.close()

    def _append(self, name: str, content: BinaryIO) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = content.seek(0, io.SEEK_END)
        entry.mode = 0o600
        content.seek(0)
        self._tar.addfile(entry, content)
        self._tar.members.clear()  # type: ignore[attr-defined]  # it would keep an entry for every part


def _line(name: str, digest: hashlib._Hash) -> bytes:
    """Return a line in the format of `sha256sum`."""
    return f"{digest.hexdigest()}  {name}\n".encode()


def parts(file: BinaryIO) -> Iterator[Part]:
    """Yield the parts of a backup in order; BackupError if the file is damaged."""
    file.seek(0)
    with _damage_as_backup_error(), tarfile.open(fileobj=file, mode="r|") as tar:
        while (entry := tar.next()) is not None:
            content = tar.extractfile(entry)
            if content is None:
                raise BackupError(f"the backup is damaged: {entry.name!r} is not a file")
            yield Part(entry.name, entry.size, content)
            tar.members.clear()  # type: ignore[attr-defined]


@contextmanager
def _damage_as_backup_error() -> Iterator[None]:
    """Raise the tar library's errors as BackupError."""
    try:
        yield
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as error:
        raise BackupError(f"the file is damaged or not a backup ({type(error).__name__})") from None


def checked_parts(file: BinaryIO, keys: BackupKeys | None) -> Iterator[Part]:
    """Yield the parts before the hashes and compare every hash.

    BackupError at the end if the backup is not complete and intact, or not authenticated by one of the keys. Without
    `keys` it may have been made by anybody.
    """
    ours, theirs, code, last = hashlib.sha256(), hashlib.sha256(), b"", ""
    for part in parts(file):
        if last == HMAC or (last == SUMS and part.name != HMAC):
            raise BackupError("the backup is damaged: there are parts after its end")
        last = part.name
        if last == HMAC:
            with _damage_as_backup_error():
                code = part.content.read(LONGEST_CODE)
            continue
        digest = theirs if part.name == SUMS else hashlib.sha256()
        content = _HashedContent(part.content, digest)
        if part.name != SUMS:
            yield Part(part.name, part.size, content)
        while content.read(CHUNK_BYTES):
            pass
        if content.count != part.size:
            raise BackupError("the backup is cut off")
        if part.name != SUMS:
            ours.update(_line(part.name, digest))
    if last not in (SUMS, HMAC):
        raise BackupError("the file is cut off or not a backup")
    if ours.digest() != theirs.digest():
        raise BackupError("the backup is damaged: a part does not match its hash")
    if keys is None:
        return
    if not code:
        raise BackupError("the backup is not authenticated, as those of version 0.1.0: anybody may have changed it")
    if not keys.accept(code, ours):
        raise BackupError("MASTER_KEY: the backup was made with another master key, or somebody changed it")


class _HashedContent:
    """A part's content that is hashed and counted while it is read."""

    def __init__(self, source: Readable, digest: hashlib._Hash) -> None:
        self._source = source
        self._digest = digest
        self.count = 0

    def read(self, size: int, /) -> bytes:
        with _damage_as_backup_error():
            chunk = self._source.read(size)
        self._digest.update(chunk)
        self.count += len(chunk)
        return chunk


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file, readable by its owner only, that gets its name and is durable when the block ends without error."""
    unfinished = path.with_name(path.name + ".unfinished")
    if path.exists():
        raise BackupError(f"{path} already exists")
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

"""A `Storage` in a folder."""

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from adapters.disk import free_bytes_of, translated_os_errors, write_all
from adapters.storage.protocol import checked_key, chunks_of, verify_storage
from domain.errors import NotFoundError

STALE_SECONDS = 24 * 60 * 60
PLACING_TRIES = 100


class FileStorage:
    """A `Storage` in a folder that only the service's account can read."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._unfinished = root / "unfinished"  # in the same file system as the objects, for renames
        with _as_storage_errors():
            root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (root, self._objects, self._unfinished):
                _make_folder(folder)
        self._sweep()

    @staticmethod
    def exists_in(root: Path) -> bool:
        """Return True if there is a storage in this folder already."""
        return (root / "objects").is_dir()

    def put(self, key: str, source: BinaryIO | Iterable[bytes]) -> None:
        target = self._path(key)
        temporary = self._unfinished / secrets.token_hex(16)
        # Errors from reading the source belong to the caller and are not translated.
        try:
            with _as_storage_errors():
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for chunk in chunks_of(source):
                    with _as_storage_errors():
                        write_all(file.fileno(), chunk)
                with _as_storage_errors():
                    os.fsync(file.fileno())
            with _as_storage_errors():
                self._place(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise

    def open(self, key: str) -> BinaryIO:
        path = self._path(key)
        with _as_storage_errors():
            try:
                return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise NotFoundError("no such object") from None

    def open_parts(self, key: str) -> BinaryIO:
        return self.open(key)

    def exists(self, key: str) -> bool:
        path = self._path(key)
        with _as_storage_errors():
            return path.is_file()

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _as_storage_errors(), suppress(FileNotFoundError):
            if path.is_file():
                path.unlink()
                _sync(path.parent)
                self._prune(path.parent)

    def shred(self, key: str) -> None:
        path = self._path(key)
        with _as_storage_errors(), suppress(FileNotFoundError, NotADirectoryError):
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                write_all(descriptor, secrets.token_bytes(os.fstat(descriptor).st_size))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self.delete(key)

    def delete_prefix(self, prefix: str) -> None:
        path = self._path(prefix) if prefix else self._objects
        with _as_storage_errors(), suppress(FileNotFoundError):
            if not path.is_dir():
                self.delete(prefix)
                return
            # The rename hides all objects at once; the removal may take long.
            doomed = self._unfinished / secrets.token_hex(16)
            path.rename(doomed)
            _sync(path.parent)
            self._prune(path.parent)
            shutil.rmtree(doomed)

    def keys(self, prefix: str = "") -> Iterator[str]:
        start = self._path(prefix) if prefix else self._objects
        with _as_storage_errors():
            if start.is_file():
                yield prefix
            for folder, _, names in os.walk(start, onerror=_unless_gone):
                for name in names:
                    yield (Path(folder) / name).relative_to(self._objects).as_posix()

    def free_bytes(self) -> int:
        return free_bytes_of(self._objects)

    def check(self) -> None:
        verify_storage(self)

    def _path(self, key: str) -> Path:
        return self._objects / checked_key(key)

    def _place(self, temporary: Path, target: Path) -> None:
        """Rename the finished file; try again if a concurrent deletion pruned the empty folder.

        A folder that another thread makes and prunes while we make it is one that exists already and is none.
        """
        for attempt in range(PLACING_TRIES):
            try:
                self._make_folders(target.parent)
                temporary.rename(target)
                break
            except (FileNotFoundError, FileExistsError):
                if attempt == PLACING_TRIES - 1:
                    raise
        folder = target.parent
        with suppress(FileNotFoundError):  # deleted again already
            _sync(folder)
            while folder != self._objects:
                folder = folder.parent
                _sync(folder)

    def _make_folders(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_folders(folder.parent)
            _make_folder(folder)

    def _prune(self, folder: Path) -> None:
        """Remove the folders that a deletion left empty."""
        while self._objects in folder.parents:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _sweep(self) -> None:
        """Remove the unfinished files of killed processes; a younger file may still be in use."""
        with _as_storage_errors():
            for path in self._unfinished.iterdir():
                with suppress(FileNotFoundError):
                    if path.lstat().st_mtime < time.time() - STALE_SECONDS:
                        _remove(path)


def _as_storage_errors() -> AbstractContextManager[None]:
    return translated_os_errors("storage")


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

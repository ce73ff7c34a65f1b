"""The storage that a URL names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from adapters.storage.files import FileStorage
from adapters.storage.protocol import Storage


def open_storage(url: str) -> Storage:
    """Return the storage at a `file://` or `s3://` URL; UnavailableError if the folder cannot be made."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        from adapters.storage.s3 import S3Storage

        return S3Storage(parts.netloc, parts.path.strip("/"))
    return FileStorage(Path(unquote(parts.path)))


def place_exists(url: str) -> bool:
    """Return False if `open_storage` would make the folder of the URL. A bucket is taken to exist."""
    parts = urlsplit(url)
    return parts.scheme == "s3" or FileStorage.exists_in(Path(unquote(parts.path)))


def overlaps(first: str, second: str) -> bool:
    """Return True if one of the URLs names the place of the other, or one within it."""
    a, b = _place(first), _place(second)
    return a[:2] == b[:2] and (a[2].is_relative_to(b[2]) or b[2].is_relative_to(a[2]))


def _place(url: str) -> tuple[str, str, Path]:
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return "s3", parts.netloc, Path(parts.path.strip("/"))
    return "file", "", Path(unquote(parts.path)).resolve()

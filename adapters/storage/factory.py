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

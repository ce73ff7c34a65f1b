"""Files that our account alone can read, and that are there either whole or not at all."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write(folder: Path, name: str, content: bytes) -> None:
    """Write the file and make it durable; OSError if that fails, and then there is no such file."""
    draft = folder / f".{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder / name)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise

"""A process that restores and stops at one point, where a test kills it.

Usage: `python -m … URL STORAGE FILE EPOCH_KEYS POINT`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from adapters.backup import restoring
from adapters.storage.files import FileStorage


def main(url: str, storage: str, file: str, epoch_keys: str, point: str) -> None:
    def progress(name: str, count: int, total: int) -> None:
        if name == point:
            sys.stdout.write("here\n")
            sys.stdout.flush()
            time.sleep(60)

    restoring.restore(url, FileStorage(Path(storage)), Path(file), None, epoch_keys, progress=progress)


if __name__ == "__main__":
    main(*sys.argv[1:])

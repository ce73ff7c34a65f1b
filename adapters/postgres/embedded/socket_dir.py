"""The private folder of the server's socket.

It lies directly below the folder for temporary files, because a socket's path is limited to about a hundred bytes and
the server's account must reach it without access to the data folder. Its name is kept in the data folder, so that the
URL stays the same.
"""

import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from adapters.postgres.embedded.account import Account
from adapters.postgres.embedded.settings import NAME

# Leaves room for `.s.PGSQL.5432.lock` within the smallest limit, 104 bytes on macOS.
LONGEST_BYTES = 80
# A comma separates two folders for the server and its clients, and other special characters may have a meaning too.
PLAIN = re.compile(rf"(?:/[A-Za-z0-9_.+-]+)+/{NAME}-[a-z0-9_]{{8}}")

RECORD = "socket"


def recorded(folder: Path) -> Path | None:
    """Return the socket's folder of the server that runs, or ran last, in this data folder, or None."""
    try:
        name = (folder / RECORD).read_text()
    except FileNotFoundError:
        return None
    return Path(name) if _fits(name) else None


def prepare(folder: Path, account: Account | None) -> Path:
    """Make an empty socket folder for a new server: the same as last time, unless that name is taken by another."""
    chosen = recorded(folder)
    if chosen is None or not _recreate(chosen, account):
        chosen = _new(account)
        fresh = folder / f"{RECORD}.new"
        fresh.write_text(str(chosen))
        fresh.replace(folder / RECORD)
    if account:
        os.chown(chosen, account.user, account.group)
    return chosen


def _recreate(chosen: Path, account: Account | None) -> bool:
    try:
        status = chosen.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid in {os.geteuid(), account.user if account else os.geteuid()}:
            shutil.rmtree(chosen)
    except FileNotFoundError:
        pass
    try:
        chosen.mkdir(mode=0o700)
    except OSError:
        return False
    return True


def _new(account: Account | None) -> Path:
    parent = tempfile.gettempdir()
    if not _fits(f"{parent}/{NAME}-12345678") or (account and not account.reaches(Path(parent).resolve())):
        parent = "/tmp"  # noqa: S108 (mkdtemp is private)
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=parent))


def _fits(path: str) -> bool:
    return len(path) <= LONGEST_BYTES and PLAIN.fullmatch(path) is not None

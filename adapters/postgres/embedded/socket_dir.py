"""The private folder of the server's socket.

A socket's whole path has about a hundred bytes, and the server's account needs a way to it that does not lead through
our data folder: so it is a folder of its own directly below the one for temporary files. Its name is kept in the data
folder, so that the URL stays the same.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from adapters.postgres.embedded.account import Account
from adapters.postgres.embedded.settings import NAME

# Leaves room for `.s.PGSQL.5432.lock` in the shortest limit there is (macOS: 104 bytes).
LONGEST_BYTES = 80
# A comma would part it in two, for the server and for its clients; other odd characters are for nobody to try.
PLAIN = re.compile(rf"(?:/[A-Za-z0-9_.+-]+)+/{NAME}-[a-z0-9_]{{8}}")

RECORD = "socket"


def recorded(folder: Path) -> Path | None:
    """The socket's folder of the server that runs, or ran last, in this data folder."""
    try:
        name = (folder / RECORD).read_text()
    except FileNotFoundError:
        return None
    return Path(name) if _fits(name) else None


def prepare(folder: Path, account: Account | None) -> Path:
    """An empty socket folder for a new server: the same as last time unless somebody else took its name."""
    chosen = recorded(folder)
    if chosen is None or not _made_anew(chosen, account):
        chosen = _new(account)
        fresh = folder / f"{RECORD}.new"
        fresh.write_text(str(chosen))
        fresh.replace(folder / RECORD)
    if account:
        os.chown(chosen, account.user, account.group)
    return chosen


def _made_anew(chosen: Path, account: Account | None) -> bool:
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
    place = tempfile.gettempdir()
    if not _fits(f"{place}/{NAME}-12345678") or (account and not account.reaches(Path(place).resolve())):
        place = "/tmp"  # noqa: S108 (mkdtemp is private)
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=place))


def _fits(path: str) -> bool:
    return len(path) <= LONGEST_BYTES and PLAIN.fullmatch(path) is not None

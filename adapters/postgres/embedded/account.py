"""The account that runs the server, and the accounts that may connect to it."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from adapters.postgres.embedded.errors import EmbeddedPostgresError

# PostgreSQL refuses to run as root. One of these accounts exists on nearly every system.
ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """The user and group that the server runs as."""

    user: int
    group: int

    def reaches(self, path: Path) -> bool:
        """Return True if the account may use this program or folder, by the permissions of it and its parents."""
        return all(self._may_use(part) for part in (path, *path.parents))

    def _may_use(self, path: Path) -> bool:
        status = path.stat()
        needed = 0o1 if stat.S_ISDIR(status.st_mode) else 0o5
        if status.st_uid == self.user:
            needed <<= 6
        elif status.st_gid == self.group:
            needed <<= 3
        return status.st_mode & needed == needed


def server_account(folder: Path) -> Account | None:
    """Return the account to run the server as if this process is root, or None if it runs as the present user.

    An existing cluster keeps its owner.
    """
    if os.geteuid() != 0:
        return None
    cluster = folder / "cluster"
    if cluster.exists():
        status = cluster.stat()
        return Account(status.st_uid, status.st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root and there is no account named {' or '.join(ACCOUNTS)}: run as another user"
    )


def client_names() -> list[str]:
    """Return the names of the system accounts that may connect: root and the present user."""
    names = set()
    for user in (0, os.geteuid()):
        try:
            names.add(pwd.getpwuid(user).pw_name)
        except KeyError:
            continue
    return sorted(names)

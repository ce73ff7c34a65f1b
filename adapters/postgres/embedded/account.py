"""Who runs the server, and who may connect to it."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from adapters.postgres.embedded.errors import EmbeddedPostgresError

# PostgreSQL refuses to run as root. Both accounts exist nearly everywhere; we create none.
ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """Who the server runs as."""

    user: int
    group: int

    def reaches(self, path: Path) -> bool:
        """Whether the account may use this program or folder, going by the rights of it and of all folders above."""
        return all(self._may_pass(place) for place in (path, *path.parents))

    def _may_pass(self, path: Path) -> bool:
        status = path.stat()
        needed = 0o1 if stat.S_ISDIR(status.st_mode) else 0o5
        if status.st_uid == self.user:
            needed <<= 6
        elif status.st_gid == self.group:
            needed <<= 3
        return status.st_mode & needed == needed


def server_account(folder: Path) -> Account | None:
    """Another account to run the server as when we are root; None when it runs as ourselves.

    A cluster that exists goes on with whoever it belongs to.
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
    """The operating system's accounts that may connect: root and ourselves."""
    names = set()
    for user in (0, os.geteuid()):
        try:
            names.add(pwd.getpwuid(user).pw_name)
        except KeyError:
            continue
    return sorted(names)

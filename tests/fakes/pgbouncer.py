"""A PgBouncer before the tests' server, lending servers for one transaction at a time; the system's package has it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from tests.client import eventually, free_port
from tests.fakes.relay import relay

# Debian's place for it is on nobody's path but the administrator's.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

# Few servers, so that a statement may well meet another one than the last.
SETTINGS = """\
[databases]
{name} = host=127.0.0.1 port={inside} dbname={name} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
max_client_conn = 200
"""


@contextmanager
def pgbouncer(server_url: str, *more: str) -> Iterator[str]:
    """The URL of the same database through a PgBouncer, as it is without any hint of it; `more` are its settings."""
    assert PROGRAM is not None
    parts = urlsplit(server_url)
    given = parse_qs(parts.query)
    port, user, name = free_port(), unquote(parts.username or ""), parts.path.lstrip("/")
    with relay(f"{given['host'][0]}/.s.PGSQL.{given['port'][0]}") as inside, TemporaryDirectory() as folder:
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(SETTINGS.format(name=name, inside=inside, user=user, port=port) + "\n".join(more))
        settings.parent.chmod(0o755)
        process = subprocess.Popen(
            [PROGRAM, settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_somebody()
        )
        url = f"postgresql://{user}@127.0.0.1:{port}/{name}"
        try:
            eventually(lambda: _answers(url, process))
            yield url
        finally:
            process.terminate()
            process.wait()


def _somebody() -> dict[str, Any]:
    """It does not run as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "pgbouncer ended"
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True

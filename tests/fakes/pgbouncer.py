"""A PgBouncer in transaction mode before the tests' server; it comes with the package of the operating system."""

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

# Debian installs it in a folder that is only on the administrator's path.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

# A small pool, so that consecutive statements of a client often get different server connections.
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
    """Yield the URL of the database through a PgBouncer, without `?pgbouncer=true`; `more` are further settings."""
    assert PROGRAM is not None
    parts = urlsplit(server_url)
    given = parse_qs(parts.query)
    port, user, name = free_port(), unquote(parts.username or ""), parts.path.lstrip("/")
    with relay(f"{given['host'][0]}/.s.PGSQL.{given['port'][0]}") as inside, TemporaryDirectory() as folder:
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(SETTINGS.format(name=name, inside=inside, user=user, port=port) + "\n".join(more))
        settings.parent.chmod(0o755)
        process = subprocess.Popen(
            [PROGRAM, settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_other_account()
        )
        url = f"postgresql://{user}@127.0.0.1:{port}/{name}"
        try:
            eventually(lambda: _answers(url, process), 20)
            yield url
        finally:
            process.terminate()
            process.wait()


def _other_account() -> dict[str, Any]:
    """Return the account to run as if we are root, since PgBouncer refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "pgbouncer ended"
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True

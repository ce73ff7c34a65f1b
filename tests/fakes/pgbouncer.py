"""A PgBouncer in front of the tests' server, with transaction pooling. The system's package provides it."""

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

# Debian installs it in a folder that is only on root's PATH.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

# Few server connections, so that successive statements often get different ones.
SETTINGS = """\
[databases]
{name} = host=127.0.0.1 port={relay_port} dbname={name} user={user}
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
    """Yield the database's URL through a PgBouncer, whose settings are extended by the lines `more`."""
    assert PROGRAM is not None
    parts = urlsplit(server_url)
    query = parse_qs(parts.query)
    port, user, name = free_port(), unquote(parts.username or ""), parts.path.lstrip("/")
    with relay(f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}") as relay_port, TemporaryDirectory() as folder:
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(SETTINGS.format(name=name, relay_port=relay_port, user=user, port=port) + "\n".join(more))
        settings.parent.chmod(0o755)
        process = subprocess.Popen(
            [PROGRAM, settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_unprivileged()
        )
        url = f"postgresql://{user}@127.0.0.1:{port}/{name}"
        try:
            eventually(lambda: _answers(url, process))
            yield url
        finally:
            process.terminate()
            process.wait()


def _unprivileged() -> dict[str, Any]:
    """Return the arguments that run it as an unprivileged user, because it does not run as root."""
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

"""A real PostgreSQL for the tests: one shared server, and an empty database for each test.

All workers and runs of this user share the server, and the last one to leave stops it and removes its folder. It is
in memory if there is enough, so that creating a database does not wait for a disk. `TEST_POSTGRES=15` selects the
operating system's version in `/usr/lib/postgresql/15`; any other folder with a `bin` in it works as well.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.postgres.embedded import EmbeddedPostgres, server
from adapters.postgres.embedded.locks import EXCLUSIVE, FileLock
from adapters.postgres.embedded.settings import access_files, server_settings
from tests.database_reset import RESETS, Content, read_content, reset

ROOM_BYTES = 3 * 2**30

_numbers = count()


class _Database(NamedTuple):
    name: str
    template: str
    resets: int = 0


# Databases are dropped or used again later, because their last connections end a little after they are closed.
_used: list[_Database] = []
KEPT = 8
_connections: dict[str, psycopg.Connection[Any]] = {}
# The contents of the templates whose databases can be used again.
_contents: dict[str, Content] = {}


def server_bin_dir() -> Path | None:
    """Return the folder of programs that TEST_POSTGRES selects, or None for the embedded server."""
    version_or_folder = os.environ.get("TEST_POSTGRES", "")
    if not version_or_folder or version_or_folder == "18":
        return None
    return Path(version_or_folder if "/" in version_or_folder else f"/usr/lib/postgresql/{version_or_folder}") / "bin"


@contextmanager
def test_server() -> Iterator[str]:
    """Yield the URL of a running server, for `fresh_database`."""
    bin_dir = server_bin_dir()
    version = "18" if bin_dir is None else str(bin_dir.parent).strip("/").replace("/", "-")
    private = roomy_folder() / f"storyledger-tests-{os.geteuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    folder = private / version
    shared = EmbeddedPostgres(folder, bin_dir=bin_dir)
    with _alone(private / f"{version}.lock"):
        url = shared.start()
        _drop(url, _abandoned(url))
    try:
        yield url
    finally:
        with _alone(private / f"{version}.lock"):
            if url in _connections:
                _connections.pop(url).close()
            _drop(url, [database.name for database in _used])
            _used.clear()
            _contents.clear()
            shared.stop()
            if not _runs(folder):
                shutil.rmtree(folder)


test_server.__test__ = False  # type: ignore[attr-defined]  # pytest takes every imported `test_…` for a test


@contextmanager
def fresh_database(server_url: str, template: str | None = None) -> Iterator[str]:
    """Yield the URL of a database for one test: a new one, or one that an earlier test of this process has left.

    It is named like no other one, and has exactly the definitions, rows, sequences, privileges and settings of the
    template, or is empty without one. A database is used again only if nobody is connected to it and only its rows
    and sequences have changed (see `tests.database_reset`); otherwise it is dropped. Roles belong to the server:
    a test that creates one has to drop it.
    """
    name = f"test_{os.getpid()}_{next(_numbers)}"
    template = template or "template0"
    with _administration(server_url) as connection:
        database = _used_again(connection, server_url, template, name) or _created(
            connection, server_url, template, name
        )
    try:
        yield at(server_url, name)
    finally:
        _used.append(database)


@contextmanager
def _administration(server_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection that this process keeps for its next databases."""
    connection = _connections.pop(server_url, None) or psycopg.connect(server_url, autocommit=True)
    yield connection
    _connections[server_url] = connection  # not after an error


def _created(connection: psycopg.Connection[Any], server_url: str, template: str, name: str) -> _Database:
    # FILE_COPY, because WAL_LOG writes the whole database to the log, which takes more than twice as long.
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(template)
        )
    )
    if template not in _contents and template != "template0":
        _contents[template] = read_content(at(server_url, name))
    return _Database(name, template)


def _used_again(connection: psycopg.Connection[Any], server_url: str, template: str, name: str) -> _Database | None:
    """Return a used database under a new name and with the template's content, or None. Drop those that are useless."""
    in_use = {
        row[0]
        for row in connection.execute(
            "SELECT datname FROM pg_stat_activity WHERE datname = ANY(%s)", [[database.name for database in _used]]
        )
    }
    reused: _Database | None = None
    for database in list(_used):
        # One with a connection may become free, because connections end a little after they are closed.
        if database.name in in_use and len(_used) <= KEPT:
            continue
        reusable = database.template in _contents and database.resets < RESETS and database.name not in in_use
        if reusable and (reused is not None or database.template != template):
            continue
        _used.remove(database)
        if reusable:
            # The new name keeps out connections that the earlier test may still open.
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(database.name), sql.Identifier(name)
            )
            try:
                connection.execute(rename)
            except psycopg.errors.ObjectInUse:
                # Somebody of the earlier test has connected since the look for connections.
                _drop_by(connection, [database.name])
                continue
            if reset(at(server_url, name), _contents[template]):
                reused = _Database(name, template, database.resets + 1)
            else:
                _drop_by(connection, [name])
        else:
            _drop_by(connection, [database.name])
    return reused


def template_database(server_url: str, key: str, prepare: Callable[[str], None]) -> str:
    """Return the name of a database that `prepare` filled once for all workers. `key` identifies its content."""
    name = f"template_{key}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            unfinished = f"{name}_unfinished"
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(unfinished)))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(unfinished)))
            prepare(at(server_url, unfinished))
            # The first connection writes a cache of the catalogs, which then need not be made in each copy.
            psycopg.connect(at(server_url, unfinished)).close()
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(unfinished), sql.Identifier(name))
            )
    return name


def at(server_url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = FileLock(path)
    if not lock.acquire(EXCLUSIVE, 120):
        raise TimeoutError(f"{path} is held by another run")
    try:
        yield
    finally:
        lock.release()


def _runs(folder: Path) -> bool:
    lock = FileLock(folder / "server.lock")
    try:
        return not lock.acquire(EXCLUSIVE, 0)
    finally:
        lock.release()


def roomy_folder() -> Path:
    """Return a folder for temporary files, in memory if this machine has enough of it."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES
    return memory if roomy else Path(tempfile.gettempdir())


def _drop(server_url: str, names: list[str]) -> None:
    if not names:
        return
    with psycopg.connect(server_url, autocommit=True) as connection:
        _drop_by(connection, names)


def _drop_by(connection: psycopg.Connection[Any], names: list[str]) -> None:
    while names:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(names.pop())))


def _abandoned(server_url: str) -> list[str]:
    """Return the databases that killed runs have left behind."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        names = connection.execute(r"SELECT datname FROM pg_database WHERE datname ~ '^test_\d+_\d+$'").fetchall()
    return [name for (name,) in names if not _alive(int(name.split("_")[1]))]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class OwnServer:
    """A server for one test, which can be stopped, frozen and started again. A restart keeps its URL.

    `settings` override the usual ones, and `access` are lines of `pg_hba.conf` before the usual ones.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, access: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="storyledger-own-", dir=roomy_folder()))
        self.folder.chmod(0o711)
        self._server = EmbeddedPostgres(self.folder / "postgres", bin_dir=server_bin_dir())
        self._prepare()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "server_settings", lambda folder: server_settings(folder) | dict(settings or {}))
            patch.setattr(server, "access_files", lambda accounts: _before(access, access_files(accounts)))
            self.url = self._server.start()

    def _prepare(self) -> None:
        """Prepare the cluster's folder. Servers whose cluster does not start empty override this."""

    def start(self) -> None:
        assert self._server.start() == self.url

    def stop(self) -> None:
        self._server.stop()

    def freeze(self) -> None:
        """Let the server accept connections without answering."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL to all of its processes, frozen or not."""
        self.freeze()
        for pid in self._processes():
            os.kill(pid, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        # The postmaster first, so that it starts no further process meanwhile.
        os.kill(self._processes()[0], number)
        for child in self._processes()[1:]:
            with suppress(ProcessLookupError):
                os.kill(child, number)

    def _processes(self) -> list[int]:
        """Return the ids of the postmaster and its child processes."""
        postmaster = int((self.folder / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def at(self, database: str) -> str:
        """Return the URL of another of its databases."""
        return self._server.url(database)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def migrated_server() -> Iterator[OwnServer]:
    """Yield a server for one test, whose database has this version's schema."""
    server = OwnServer()
    try:
        with connect(server.url) as connection:
            migrations.migrate(connection)
        yield server
    finally:
        server.close()


def _before(access: str, files: dict[str, str]) -> dict[str, str]:
    return files | {"pg_hba.conf": access + files["pg_hba.conf"]}

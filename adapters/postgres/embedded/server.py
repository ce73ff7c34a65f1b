"""The embedded server as its users see it: attach to it, make sure that it runs, detach."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from adapters.postgres.embedded import keeper, socket_dir
from adapters.postgres.embedded.account import client_names, server_account
from adapters.postgres.embedded.binaries import major_version, reachable, wheel_bin_dir
from adapters.postgres.embedded.errors import EmbeddedPostgresError
from adapters.postgres.embedded.locks import EXCLUSIVE, SHARED, FileLock
from adapters.postgres.embedded.settings import NAME, PORT, access_files, initdb_options, server_settings

READY_SECONDS = 120  # includes a long crash recovery
STOPPED_SECONDS = keeper.FAST_SHUTDOWN_SECONDS + keeper.IMMEDIATE_SHUTDOWN_SECONDS + 5
ANSWER_SECONDS = 5
POLL_SECONDS = 0.01
LOG_BYTES = 10_000_000
# The variables that the keeper's interpreter needs to find its libraries.
KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

# A line of the server's log that says why it ended, and not only that it refused an early client.
FATAL_LINE = re.compile(r"(?:FATAL|PANIC): +(?! |the database system is)(.+)")


class EmbeddedPostgres:
    """A PostgreSQL server in `data_dir`, shared by all processes that start it there.

    The server runs while any process is attached. `stop()`, the end of the process and kill -9 all detach, and the
    server ends with the last process. `ensure()` restarts a server that died; the URL stays the same.
    """

    def __init__(self, data_dir: Path, *, bin_dir: Path | None = None) -> None:
        self._folder = data_dir.absolute()
        self._bin_dir = bin_dir
        self._attached = FileLock(self._folder / "attached.lock")
        self._thread_lock = threading.Lock()
        self._socket_dir: Path | None = None
        self._log_start = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def has_data(self) -> bool:
        """Return True if a server was started in this folder before."""
        return (self._folder / "cluster").exists()

    def binary(self, name: str) -> Path:
        """Return the path of one of PostgreSQL's programs, like `pg_dump`, in the server's version."""
        path = (self._bin_dir or wheel_bin_dir()) / name
        if not path.is_file():
            raise EmbeddedPostgresError(f"there is no {name} in {path.parent}")
        return path

    def start(self) -> str:
        """Attach to the server, which is started if it does not run. Return its URL once it answers."""
        return self.ensure()

    def ensure(self) -> str:
        """Return the URL of the server after checking that it answers. A server that died is started again."""
        with self._thread_lock:
            if self._attached.opened and self._socket_dir and self._answers():
                return self.url()
            try:
                return self._ensure()
            except PermissionError as error:
                raise EmbeddedPostgresError(f"{error.filename or self._folder} is not ours to write") from None
            except OSError as error:
                raise EmbeddedPostgresError(f"{error.filename or self._folder}: {error.strerror}") from None

    def url(self, database: str = NAME) -> str:
        """Return the URL of a database of the started server, for libpq and PostgreSQL's programs."""
        if self._socket_dir is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started")
        return (
            f"postgresql://{NAME}@/{quote(database, safe='')}?host={quote(str(self._socket_dir), safe='')}&port={PORT}"
        )

    def stop(self) -> None:
        """Detach. The last process to do so waits until the server has ended."""
        with self._thread_lock:
            if not self._attached.opened:
                return
            with self._exclusive():
                self._attached.release()
                if self._others_are_attached():
                    return
                running = FileLock(self._folder / "server.lock")
                ended = running.acquire(EXCLUSIVE, STOPPED_SECONDS)
                running.release()
                if not ended:
                    raise EmbeddedPostgresError(f"the PostgreSQL in {self._folder} does not end")

    def _others_are_attached(self) -> bool:
        """Return True if another process is attached. Called while no process can attach.

        Then the exclusive lock cannot be acquired, but a shared one can.
        """
        probe = FileLock(self._folder / "attached.lock")
        try:
            return not probe.acquire(EXCLUSIVE, 0) and probe.acquire(SHARED, 0)
        finally:
            probe.release()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keep other processes from starting or stopping this server."""
        lock = FileLock(self._folder / "start.lock")
        if not lock.acquire(EXCLUSIVE, READY_SECONDS + STOPPED_SECONDS):
            raise EmbeddedPostgresError(
                f"another process has been starting the PostgreSQL in {self._folder} for too long"
            )
        try:
            yield
        finally:
            lock.release()

    def _ensure(self) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._exclusive():
            if not self._attached.acquire(SHARED, STOPPED_SECONDS):
                raise EmbeddedPostgresError(f"the PostgreSQL in {self._folder} does not end")
            try:
                self._socket_dir = socket_dir.recorded(self._folder)
                self._start_if_needed()
            except BaseException:
                self._attached.release()
                raise
            return self.url()

    def _start_if_needed(self) -> None:
        """Wait for the running server to answer, or start one."""
        deadline = time.monotonic() + READY_SECONDS
        running = FileLock(self._folder / "server.lock")
        try:
            while not running.acquire(EXCLUSIVE, 0):
                if self._socket_dir and self._answers():
                    break
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(f"the PostgreSQL in {self._folder} runs but does not answer")
                time.sleep(POLL_SECONDS)
            else:
                self._launch(running, deadline)
        finally:
            running.close()
        self._create_database()

    def _launch(self, running: FileLock, deadline: float) -> None:
        """Start a keeper, pass it the server's lock, and wait until its server answers."""
        bin_dir = self._bin_dir or wheel_bin_dir()
        version = major_version(bin_dir)
        self._check_version(version)
        account = server_account(self._folder)
        for unfinished in self._folder.glob("cluster.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        self._log_start = self._rotate_log()
        self._socket_dir = socket_dir.prepare(self._folder, account)
        plan = {
            "folder": str(self._folder),
            "bin_dir": str(reachable(bin_dir, account) if account else bin_dir),
            "initdb": initdb_options(version),
            "settings": server_settings(self._socket_dir),
            "files": access_files(client_names()),
            "socket_dir": str(self._socket_dir),
            "account": [account.user, account.group] if account else None,
        }
        report, keeper_end = os.pipe()
        try:
            try:
                _spawn_keeper(plan, running.fileno(), keeper_end)
            finally:
                os.close(keeper_end)
            running.close()
            self._wait_until_ready(report, deadline)
        finally:
            os.close(report)

    def _wait_until_ready(self, report: int, deadline: float) -> None:
        os.set_blocking(report, False)
        while not self._answers():
            with suppress(BlockingIOError):
                message = os.read(report, 2000)  # empty if the keeper ended without one
                raise EmbeddedPostgresError(self._reason(message.decode(errors="replace")))
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"the PostgreSQL in {self._folder} did not answer in {READY_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def _reason(self, message: str) -> str:
        """Return one line on why there is no server: the keeper's message, or else the last fatal line of its log."""
        log = self._folder / "server.log"
        if not message and log.exists():
            with log.open("rb") as file:
                file.seek(max(self._log_start, log.stat().st_size - 20_000))
                lines = file.read().decode(errors="replace").splitlines()
            fatal_errors = (match[1] for line in reversed(lines) if (match := FATAL_LINE.search(line)))
            message = next(fatal_errors, "it was killed while it started")
        if "No space left on device" in message:
            return f"no PostgreSQL in {self._folder}: the disk is full"
        return f"no PostgreSQL in {self._folder}: {message.strip()}"

    def _check_version(self, version: int) -> None:
        try:
            present = (self._folder / "cluster" / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if present != str(version):
            raise EmbeddedPostgresError(
                f"{self._folder} holds a PostgreSQL {present}, ours is {version}: restore a backup into a new folder"
            )

    def _rotate_log(self) -> int:
        """Start a new log if the present one is long. Return the offset at which this start's lines will begin."""
        log = self._folder / "server.log"
        if not log.exists():
            return 0
        if log.stat().st_size <= LOG_BYTES:
            return log.stat().st_size
        log.replace(log.with_suffix(".log.1"))
        return 0

    def _answers(self) -> bool:
        """Return True if the server lets a client in, or refuses one although it is up.

        Other threads go on while a server that hangs does not answer. `PGconn.ping` would stop them: it keeps Python's
        interpreter lock.
        """
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=ANSWER_SECONDS).close()
        except psycopg.OperationalError as error:
            # Like "sorry, too many clients already"; but "the database system is starting up".
            return "FATAL: " in str(error) and "the database system is" not in str(error)
        return True

    def _create_database(self) -> None:
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=30) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                    connection.execute(f'CREATE DATABASE "{NAME}"')
        except psycopg.Error as error:
            raise EmbeddedPostgresError(self._reason(str(error).splitlines()[0])) from None


def _spawn_keeper(plan: Mapping[str, object], server_lock: int, report: int) -> None:
    plan = {**plan, "server_lock": server_lock, "report": report}
    try:
        subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-I", "-S", keeper.__file__, json.dumps(plan)],
            # The keeper outlives this process and must not have its keys and passwords.
            env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[server_lock, report],
            cwd="/",
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise EmbeddedPostgresError(f"the keeper of the embedded PostgreSQL failed: {error.returncode}") from None

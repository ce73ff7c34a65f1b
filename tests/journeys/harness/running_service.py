"""`storyledger serve` in one process or several, and its PostgreSQL; each can be killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from adapters.postgres.embedded import EmbeddedPostgres
from tests.client import UNLIMITED, WAIT_SECONDS, eventually, free_port
from tests.commands import run_here
from tests.forks import Fork

STORYLEDGER = Path(sys.executable).parent / "storyledger"
READY_SECONDS = 300

WEB, WORKER, PROJECTIONS = APART = ("web", "worker", "projections")
# All parts in one process.
WHOLE = "web,worker,projections"


def postmaster(data_dir: Path) -> int | None:
    """Return the id of the process of the embedded PostgreSQL; None while it starts."""
    for pid_file in data_dir.rglob("postmaster.pid"):
        with suppress(FileNotFoundError, IndexError, ValueError):
            return int(pid_file.read_text().splitlines()[0])
    return None


class RunningService:
    """One service on one data folder, which is started on the same port after each kill.

    Its database is embedded, unless `urls` has a database URL for each of its processes.
    """

    def __init__(
        self,
        folder: Path,
        parts: tuple[str, ...] = (WHOLE,),
        urls: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.folder, self.data, self.parts = folder, folder / "var", parts
        # Each process answers health checks at a port of its own, and finds the sandbox at the web process.
        self._ports = {part: free_port() for part in parts}
        [self.url] = [f"http://127.0.0.1:{port}" for part, port in self._ports.items() if WEB in part]
        variables = {name.upper(): value for name, value in (UNLIMITED | settings).items()}
        self.env = os.environ | {"DATA_DIR": str(self.data), "BASE_URL": self.url} | variables
        self._urls = urls or {}
        self.env.pop("DATABASE_URL", None)
        self.processes: dict[str, Fork] = {}
        self.start(*parts)
        self.secrets: dict[str, str] = json.loads((self.data / "secrets.json").read_text())

    def _env(self, part: str) -> dict[str, str]:
        database = {"DATABASE_URL": self._urls[part]} if self._urls else {}
        return self.env | {"PORT": str(self._ports[part])} | database

    def start(self, *parts: str) -> None:
        """Start these processes, and wait until they are ready."""
        for part in parts:
            with self._log(part).open("ab") as log:
                self.processes[part] = Fork(["serve", "--only", part], self._env(part), log)
        eventually(lambda: self.ready(*parts), READY_SECONDS)

    def _log(self, part: str) -> Path:
        return self.folder / f"{part}.log"

    def ready(self, *parts: str) -> bool:
        """Return True if these processes are ready; fail if one of them has exited."""
        for part in parts:
            exit_code = self.processes[part].poll()
            assert exit_code is None, f"exit code {exit_code}: {self._log(part).read_text()[-2_000:]}"
        return all(self._health(part) == 200 for part in parts)

    def _health(self, part: str) -> int:
        with suppress(httpx2.TransportError):
            url = f"http://127.0.0.1:{self._ports[part]}/health/ready"
            return httpx2.get(url, timeout=60, verify=False).status_code
        return 0

    def kill(self, *parts: str) -> None:
        """Kill these processes at once with SIGKILL, and start them again."""
        for part in parts:
            self.processes[part].kill()
        for part in parts:
            self.processes[part].wait()
        self.start(*parts)

    def kill_database(self) -> None:
        """Kill PostgreSQL with SIGKILL; the service starts it again."""
        killed = self.strike_database()
        eventually(lambda: postmaster(self.data) not in (killed, None), READY_SECONDS)
        eventually(lambda: self.ready(*self.parts), READY_SECONDS)

    def strike_database(self) -> int:
        """Kill PostgreSQL with SIGKILL; return the id of its process."""
        running: int = eventually(lambda: postmaster(self.data))
        with suppress(ProcessLookupError):
            os.kill(running, signal.SIGKILL)
        return running

    def stop(self) -> None:
        running = [process for process in self.processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            process.wait(WAIT_SECONDS)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the URL of the database, which runs for the duration of the block."""
        if self._urls:
            yield self._urls[self.parts[0]]
            return
        embedded = EmbeddedPostgres(self.data / "postgres")
        try:
            yield embedded.start()
        finally:
            embedded.stop()

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command as a process."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen([STORYLEDGER, *arguments], env=self._env(self.parts[0]), stdout=quiet, stderr=quiet)

    def run(self, *arguments: str) -> Any:
        """Run a command and return its JSON output. Fail if the command fails."""
        url = self._urls.get(self.parts[0], "")
        ran = run_here(*arguments, "--json", data_dir=self.data, base_url=self.url, database_url=url)
        assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr[-2_000:]
        return json.loads(ran.stdout)

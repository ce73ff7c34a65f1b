"""Runs `storyledger serve` and other commands as processes, each with its own environment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.client import UNLIMITED, Client, eventually, free_port
from tests.forks import Fork

STORYLEDGER = Path(sys.executable).parent / "storyledger"
# Generous limits, because the machine may be busy.
READY_SECONDS = 240
COMMAND_SECONDS = 180
STOP_SECONDS = 120


def listening_socket() -> socket.socket:
    """Return a socket that several web processes can share."""
    return socket.create_server(("127.0.0.1", 0), backlog=512)


def run(*arguments: str | Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with settings given as keywords."""
    return subprocess.run(
        [STORYLEDGER, *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return this process's environment with the settings in it and without rate limits."""
    return os.environ | {name.upper(): str(value) for name, value in (UNLIMITED | settings).items()}


@contextmanager
def serving_without_port(only: str, log: Path, **settings: Any) -> Iterator[Fork]:
    """Run `storyledger serve --only …` without a PORT inside `with`, and yield the process once it has started."""
    env = environment(settings)
    env.pop("PORT", None)
    with log.open("wb") as output:
        process = Fork(["serve", "--only", only], env, output)

    def started() -> bool:
        assert process.poll() is None, log.read_text()
        return b'"started"' in log.read_bytes()

    try:
        eventually(started, READY_SECONDS)
        yield process
    finally:
        process.kill()
        process.wait()


class Serving:
    """`storyledger serve`, running inside `with`. Settings are keywords, and `log` receives its output.

    With a `listener` it serves on that socket, as does every other process that is given the same one. With several
    `processes` the process here is their supervisor.
    """

    def __init__(
        self,
        only: str | None = None,
        *,
        log: Path | None = None,
        listener: socket.socket | None = None,
        processes: int = 1,
        **settings: Any,
    ):
        self.settings = {"port": listener.getsockname()[1] if listener else free_port()} | settings
        self.url = f"http://127.0.0.1:{self.settings['port']}"
        self._listener = listener
        self._only = only
        self._arguments = ["--only", only] if only else ["--processes", str(processes)]
        self._log = log

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def start(self) -> None:
        """Start the process, and wait until its web part is ready if it has one."""
        with (self._log or Path(os.devnull)).open("ab") as output:
            self.process = Fork(["serve", *self._arguments], environment(self.settings), output, self._listener)
        if self._only is None or "web" in self._only:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        eventually(lambda: self.status("/health/ready") == 200, READY_SECONDS)

    def status(self, path: str) -> int:
        """Return the status that a GET of the path is answered with, or 0 if nothing answers."""
        assert self.process.poll() is None, f"the process has ended: {self._log and self._log.read_text()[-2_000:]}"
        with suppress(httpx2.TransportError):
            # Without TLS; reading the root certificates would take longer than the request.
            return httpx2.get(self.url + path, timeout=60, verify=False).status_code
        return 0

    def client(self, **options: Any) -> Client:
        return Client(base_url=self.url, timeout=60, **options)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

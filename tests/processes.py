"""The service as processes of their own: `storyledger serve` and other commands, with an environment of one's own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.client import UNLIMITED, Client, eventually, free_port

STORYLEDGER = Path(sys.executable).parent / "storyledger"
READY_SECONDS = 180


# As systemd hands a socket down (sd_listen_fds(3)): its number, and whom it is for.
_HANDED_DOWN = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3);"
    " os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])"
)


def listening() -> socket.socket:
    """A socket for several web processes to share."""
    return socket.create_server(("127.0.0.1", 0), backlog=512)


def run(*arguments: str | Path, **env: Any) -> subprocess.CompletedProcess[str]:
    """A command run to its end."""
    return subprocess.run(
        [STORYLEDGER, *arguments], env=environment(env), capture_output=True, text=True, timeout=60, check=False
    )


def environment(given: Mapping[str, Any]) -> dict[str, str]:
    told = UNLIMITED | given
    return os.environ | {name.upper(): str(value) for name, value in told.items()}


class Serving:
    """`storyledger serve`, running inside `with`; settings as keywords, `log` takes what it says.

    With a `listener` it serves on that socket, like all who are handed the same.
    """

    def __init__(
        self,
        only: str | None = None,
        *,
        log: Path | None = None,
        pass_fds: tuple[int, ...] = (),
        listener: socket.socket | None = None,
        **env: Any,
    ):
        self.env = {"port": listener.getsockname()[1] if listener else free_port()} | env
        self._listener = listener
        self.url = f"http://127.0.0.1:{self.env['port']}"
        self._only = only
        self._log = log
        self._pass_fds = pass_fds

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def start(self) -> None:
        """Start; the web part is ready when this returns."""
        command: list[str | Path] = [STORYLEDGER, "serve", *(["--only", self._only] if self._only else [])]
        fds = self._pass_fds
        if self._listener is not None:
            number = self._listener.fileno()
            command = [sys.executable, "-c", _HANDED_DOWN, str(number), *command]
            fds += (number,)
        with (self._log or Path(os.devnull)).open("ab") as told:
            self.process = subprocess.Popen(command, env=environment(self.env), stdout=told, stderr=told, pass_fds=fds)
        if self._only is None or "web" in self._only:
            eventually(lambda: self.status("/health/ready") == 200, READY_SECONDS)

    def status(self, path: str) -> int:
        assert self.process.poll() is None, "it ended"
        with suppress(httpx2.TransportError):
            return httpx2.get(self.url + path).status_code
        return 0

    def client(self, **more: Any) -> Client:
        return Client(base_url=self.url, timeout=60, **more)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

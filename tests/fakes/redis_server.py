"""A Redis for one test, which can be frozen, stopped and started again. The system's package provides it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from contextlib import suppress

from redis import Redis

from tests.client import eventually, free_port

PROGRAM = shutil.which("redis-server")


class RedisServer:
    """A server that stores nothing on disk. A restart keeps its URL."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        assert PROGRAM is not None
        settings = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/"]
        self._process = subprocess.Popen([PROGRAM, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "redis-server ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        return False

    def counted(self) -> int:
        """Return the sum of all counters."""
        with Redis.from_url(self.url) as client:
            return sum(int(client.get(key)) for key in client.keys("*"))

    def freeze(self) -> None:
        """Let the server accept connections without answering."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

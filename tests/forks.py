"""Starts `storyledger` as the fork of a process that has imported it: 0.6 seconds of processor time instead of 2.4.

The command itself runs as it does in a shell: with its own process id, environment, output, signals and exit code.
Tests of the start itself run the installed program instead.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.reduction import DupFd
from typing import IO, Any

# Also what a service loads only after its start, or for its first request.
PRELOADED = ["entrypoints.cli.program", "tests.preloaded"]

# The service has sd_listen_fds(3): the first socket is this descriptor.
PASSED_SOCKET = 3

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOADED)


class Fork:
    """A running command, with those methods of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes],
        listener: socket.socket | None = None,
    ) -> None:
        """Start it; a `listener` is handed over as systemd does it."""
        descriptors = DupFd(output.fileno()), DupFd(listener.fileno()) if listener else None
        self._process = _context.Process(target=_run, args=(list(arguments), dict(environment), *descriptors))
        # Its exit code can be read once only.
        self._lock = threading.Lock()
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        with self._lock:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("storyledger", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(arguments: list[str], environment: dict[str, str], output: Any, listener: Any) -> None:
    from entrypoints.cli.program import main

    # Tests that run under nohup ignore it, and would pass that on.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    descriptor = output.detach()
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
    if listener is not None:
        os.dup2(listener.detach(), PASSED_SOCKET)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    sys.argv = ["storyledger", *arguments]
    try:
        main()
    finally:
        # The process ends without them.
        atexit._run_exitfuncs()

"""The messages between a process of the service and its supervisor: single bytes over a pair of sockets.

A process without a supervisor has the same interface, so `serving` needs no distinction.
"""

import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

# The descriptor of the pair's other end, and the name of the process. It is taken out of the environment at the start.
VARIABLE = "STORYLEDGER_SUPERVISOR"
# The first socket that systemd passes to a process (sd_listen_fds(3)).
PASSED_SOCKET = 3

# From the supervisor: begin, with the listening socket if there is one. The first process checks the environment.
FIRST, GO = b"f", b"g"
# To the supervisor: the environment is as it should be, with the socket that was bound; ready; the database is lost.
CHECKED, READY, GAVE_UP = b"c", b"r", b"u"
# ASK requests the reports of the other processes. REPORT passes a socket to each of them for its report, and REPORTS
# passes the sockets to read from to the process that asked.
ASK, REPORT, REPORTS = b"a", b"p", b"s"
REPORT_SECONDS = 1.0
MOST_SOCKETS = 64


def inherited_listener() -> socket.socket | None:
    """Return the socket that systemd passed to this process, if it did."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=PASSED_SOCKET)
    return None


class Supervision:
    """The place of this process among those of the service: `name` is None, and `is_first` True, if it is alone.

    `listener` is the socket to serve on, or None if this process must bind it.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self.is_first = True
        self.listener: socket.socket | None = None
        # What this process reports when another one asks.
        self.report: Callable[[], bytes] = bytes
        self._channel: socket.socket | None = None
        self._asking = threading.Lock()
        self._reports: queue.SimpleQueue[list[socket.socket]] = queue.SimpleQueue()

    @classmethod
    def begin(cls) -> Self:
        """Return once this process may begin. It stops as by SIGTERM when its supervisor ends in any way."""
        process, variable = cls(), os.environ.pop(VARIABLE, None)
        if variable is None:
            process.listener = inherited_listener()
            return process
        descriptor, process.name = variable.split()
        process._channel = channel = socket.socket(fileno=int(descriptor))
        channel.set_inheritable(False)
        message, listeners, *_ = socket.recv_fds(channel, 1, 1)
        if not message:
            sys.exit(1)
        process.is_first = message == FIRST
        process.listener = socket.socket(fileno=listeners[0]) if listeners else None
        threading.Thread(target=process._watch, args=(channel,), name="supervision", daemon=True).start()
        return process

    def tell(self, message: bytes, *sockets: socket.socket) -> None:
        """Send a message to the supervisor; it is dropped if the supervisor has ended."""
        if self._channel is not None:
            with suppress(OSError):
                socket.send_fds(self._channel, [message], [passed.fileno() for passed in sockets])

    def reports_of_others(self) -> list[bytes]:
        """Return what the other processes report within a second; one that is just starting reports nothing."""
        deadline = time.monotonic() + REPORT_SECONDS
        reports = []
        with self._asking, suppress(queue.Empty):
            # These came too late for the one who asked before.
            while not self._reports.empty():
                for late in self._reports.get():
                    late.close()
            self.tell(ASK)
            for report in self._reports.get(timeout=REPORT_SECONDS):
                with report, suppress(OSError):
                    reports.append(_read(report, deadline))
        return reports

    def _watch(self, channel: socket.socket) -> None:
        with suppress(OSError):
            while True:
                message, descriptors, *_ = socket.recv_fds(channel, 1, MOST_SOCKETS)
                if not message:
                    break
                sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
                if message == REPORTS:
                    self._reports.put(sockets)
                elif sockets:
                    self._report_into(*sockets)
        os.kill(os.getpid(), signal.SIGTERM)

    def _report_into(self, asking: socket.socket) -> None:
        # Whatever goes wrong with a report, this thread must notice when the supervisor ends.
        with asking, suppress(Exception):
            asking.settimeout(REPORT_SECONDS)
            asking.sendall(self.report())


def _read(report: socket.socket, deadline: float) -> bytes:
    """Return what is sent until the other end closes; OSError if that takes too long."""
    received = b""
    while True:
        report.settimeout(max(0.001, deadline - time.monotonic()))
        more = report.recv(1 << 16)
        if not more:
            return received
        received += more

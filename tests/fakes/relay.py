"""A TCP relay to a server that listens on a Unix socket."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server.target)  # type: ignore[attr-defined]
            # With Nagle's algorithm, a small answer would wait for the acknowledgement of the last one.
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = threading.Thread(target=_pump, args=(server, self.request), daemon=True)
            answers.start()
            _pump(self.request, server)
            answers.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


@contextmanager
def relay(target: str) -> Iterator[int]:
    """Yield the port on 127.0.0.1 that is relayed to the Unix socket `target`."""
    with _Relay(("127.0.0.1", 0), _Handler) as server:
        server.target = target  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()

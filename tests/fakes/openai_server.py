"""A small HTTP server on loopback that gives fixed replies, the base of the fakes of OpenAI's APIs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


@dataclass(frozen=True)
class Reply:
    """One answer of the server. Without a `body` the server closes the connection."""

    body: str | None
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


# The server sends no answer until it stops.
NO_REPLY = Reply(None, 0)


@dataclass
class FakeServer:
    """Answers with `replies` in order, repeating the last one, and records every request."""

    url: str
    replies: list[Reply] = field(default_factory=list)

    def record(self, path: str, headers: HTTPMessage, body: bytes) -> None:
        raise NotImplementedError

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


ServerT = TypeVar("ServerT", bound=FakeServer)


@contextmanager
def running(make_server: Callable[[str], ServerT]) -> Iterator[ServerT]:
    """Run the server that `make_server` returns for a URL for the duration of the block."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            server.record(self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            reply = server.next_reply()
            if reply is NO_REPLY:
                stopping.wait()
            if reply.body is None:
                self.close_connection = True
                return
            content = reply.body.encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Write no log."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = make_server(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stopping.set()
        http.shutdown()
        http.server_close()
        thread.join()

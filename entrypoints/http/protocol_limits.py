"""uvicorn's HTTP/1.1 protocol with limits on the size of a request head and on the time a connection may take.

By itself uvicorn with httptools accepts a head of any length, waits for the rest of it without a limit, and answers
malformed requests in plain text.
"""

import asyncio
import secrets
import sys
from typing import Any, ClassVar

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from entrypoints.http.middleware.headers import SECURITY_HEADERS
from entrypoints.http.problems import Problem

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})
# The headers of a request to upgrade to another protocol.
_UPGRADE = frozenset({b"upgrade", b"http2-settings"})


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. It is closed when it takes too long; a malformed request is answered with a problem."""

    MOST_HEADERS: ClassVar[int] = 100
    # Bytes in a row that neither end a head nor carry a body: of the head itself, of chunk sizes, of trailers.
    MOST_HEAD_BYTES: ClassVar[int] = 64 * 1024
    # From the start of a connection, or the last response, to the end of the next head; longer than keep-alive.
    HEAD_SECONDS: ClassVar[float] = 20
    # Without a byte of an expected body, or without a byte of the response being read.
    STILL_SECONDS: ClassVar[float] = 30
    # For a whole body: 50 MB at a quarter of a megabit per second.
    BODY_SECONDS: ClassVar[float] = 1800
    CHECK_SECONDS: ClassVar[float] = 5

    _checking: asyncio.TimerHandle | None = None
    _awaiting: float | None = None
    _begun = 0.0
    _heard = 0.0
    _left = 0
    _taken = 0.0
    _unproductive_bytes = 0
    _productive = False
    _in_head = True
    # The bytes given to the parser, the bytes for it to read next, and the head without its upgrade headers.
    _reading = b""
    _unread = b""
    _plain_head: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self._awaiting = self.loop.time()
        self._checking = self.loop.call_later(self.CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._checking is not None:
            self._checking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        self._productive, self._unread = False, data
        while self._unread:
            self._reading, self._unread = self._unread, b""
            super().data_received(self._reading)
        self._unproductive_bytes = 0 if self._productive else self._unproductive_bytes + len(data)
        if self._unproductive_bytes > self.MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(Problem("headers-too-large", "The headers are too large."))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the response when a client closes only its sending half."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # Without this a trailer would become a header of the request that is being answered.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._productive, self._in_head, self._awaiting = True, False, None
        self._begun = self._heard
        if len(self.headers) > self.MOST_HEADERS:
            self._refuse(Problem("headers-too-large", f"A request may have at most {self.MOST_HEADERS} headers."))
        elif self.parser.should_upgrade() and any(name in _LENGTHS for name, _ in self.headers):
            # The parser takes the body for another protocol. A server may ignore an upgrade (RFC 9110, 7.8).
            self._plain_head = self._head_without_upgrade()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._productive = True
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._productive = True
        if self._plain_head is None and not self.transport.is_closing():
            super().on_message_complete()

    # A request that offers an upgrade is answered in HTTP/1.1. uvicorn alone would lose the body of `curl --http2 -d`.

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join(option for option in options if option.lower() not in _UPGRADE)
            if name not in _UPGRADE and (value or name != b"connection"):
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"\r\n"])

    def _unsupported_upgrade_warning(self) -> None:
        """Called by uvicorn when the parser has stopped at the end of such a head: parse again without the upgrade."""
        stopped, head = sys.exception(), self._plain_head
        if head is None or self.transport.is_closing():
            return
        assert isinstance(stopped, HttpParserUpgrade)
        self._plain_head = None
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._unread = head + self._reading[stopped.args[0] :]

    def on_response_complete(self) -> None:
        self._awaiting = None if self.pipeline else self.loop.time()
        super().on_response_complete()

    # Time limits.

    def _check(self) -> None:
        self._checking = self.loop.call_later(self.CHECK_SECONDS, self._check)
        if self._overdue(self.loop.time()):
            self.transport.abort()

    def _overdue(self, now: float) -> bool:
        left = self.transport.get_write_buffer_size()
        if not left or left != self._left:
            self._left, self._taken = left, now
        if left:
            return now - self._taken > self.STILL_SECONDS
        if self._awaiting is not None:
            return now - self._awaiting > self.HEAD_SECONDS
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.more_body or self.flow.read_paused:
            return False
        return now - self._heard > self.STILL_SECONDS or now - self._begun > self.BODY_SECONDS

    # Malformed requests.

    def send_400_response(self, msg: str) -> None:
        del msg
        if not self.transport.is_closing():
            self._refuse(Problem("malformed", "This is not a valid HTTP request."))

    def _refuse(self, problem: Problem) -> None:
        request_id = secrets.token_hex(12)
        response = problem.response("/", request_id)
        headers = {**response.headers, **SECURITY_HEADERS, "X-Request-Id": request_id, "Connection": "close"}
        head: list[Any] = [STATUS_LINE[response.status_code]]
        head += [f"{name.lower()}: {value}\r\n".encode() for name, value in headers.items()]
        self.transport.write(b"".join([*head, b"\r\n", bytes(response.body)]))
        self.transport.close()

"""HTTP/1.1 on the wire as uvicorn speaks it, with bounds on what one connection may hold and how long it may take.

uvicorn with httptools reads a head of any length, waits for the rest of it for ever, and answers what it cannot read
in plain text.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import Any, ClassVar

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from entrypoints.http.middleware.headers import SAFE
from entrypoints.http.problems import Problem

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})
# What asks for another protocol, and what a client says to it.
_UPGRADE = frozenset({b"upgrade", b"http2-settings"})


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. What takes too long is cut off; what cannot be read is a problem like any other."""

    MOST_HEADERS: ClassVar[int] = 100
    # Bytes that neither end a head nor carry a body: of the head itself, of chunk sizes, of trailers.
    MOST_HEAD_BYTES: ClassVar[int] = 64 * 1024
    # From a connection's beginning, or the last answer, to the end of the next head: longer than connections are kept.
    HEAD_SECONDS: ClassVar[float] = 20
    # Without a byte of a body that is awaited, and without one of an answer being taken.
    STILL_SECONDS: ClassVar[float] = 30
    # For a whole body: 50 MB at a quarter of a megabit a second.
    BODY_SECONDS: ClassVar[float] = 1800
    CHECK_SECONDS: ClassVar[float] = 5

    _checking: asyncio.TimerHandle | None = None
    _awaiting: float | None = None
    _begun = 0.0
    _heard = 0.0
    _left = 0
    _taken = 0.0
    _fruitless = 0
    _fruit = False
    _in_head = True
    # What the parser has been given and what it gets next; the head without its upgrade, while the parser is stopped.
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
        self._fruit, self._unread = False, data
        while self._unread:
            self._reading, self._unread = self._unread, b""
            super().data_received(self._reading)
        self._fruitless = 0 if self._fruit else self._fruitless + len(data)
        if self._fruitless > self.MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(Problem("headers-too-large", "The headers are too large."))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Who has said all they want to say, and closed that half, still gets the answer."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    # What the parser finds.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer would still become a header of the request that is being answered.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._fruit, self._in_head, self._awaiting = True, False, None
        self._begun = self._heard
        if len(self.headers) > self.MOST_HEADERS:
            self._refuse(Problem("headers-too-large", f"A request may have at most {self.MOST_HEADERS} headers."))
        elif self.parser.should_upgrade() and any(name in _LENGTHS for name, _ in self.headers):
            # The parser takes what follows for another protocol, which nobody has to speak (RFC 9110, 7.8).
            self._plain_head = self._head_without_upgrade()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._fruit = True
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._fruit = True
        if self._plain_head is None and not self.transport.is_closing():
            super().on_message_complete()

    # Who asks for another protocol, as clients do that would rather speak HTTP/2, is answered in this one.

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
        """Called by uvicorn once the parser has stopped at the end of such a head."""
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

    # What takes too long.

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

    # What cannot be read.

    def send_400_response(self, msg: str) -> None:
        del msg
        if not self.transport.is_closing():
            self._refuse(Problem("malformed", "This is not HTTP as we understand it."))

    def _refuse(self, problem: Problem) -> None:
        request_id = secrets.token_hex(12)
        response = problem.response("/", request_id)
        headers = {**response.headers, **SAFE, "X-Request-Id": request_id, "Connection": "close"}
        said: list[Any] = [STATUS_LINE[response.status_code]]
        said += [f"{name.lower()}: {value}\r\n".encode() for name, value in headers.items()]
        self.transport.write(b"".join([*said, b"\r\n", bytes(response.body)]))
        self.transport.close()

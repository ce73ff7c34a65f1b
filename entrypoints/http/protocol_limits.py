"""uvicorn's HTTP/1.1 protocol with limits on the size of a request's head and on the time that a connection may take.

uvicorn with httptools accepts a head of any length, waits for the rest of it without a limit, and answers malformed
requests in plain text.
"""

import asyncio
import secrets
import sys
from collections import deque
from typing import Any, ClassVar

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from entrypoints.http.middleware.headers import SECURITY_HEADERS
from entrypoints.http.problems import Problem

_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
# The key in a request's state that is set when its response has no end.
ENDLESS = "endless"
# The headers by which a client offers an upgrade to another protocol.
_UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})


class _BoundedPipelineFlow(FlowControl):
    """Keeps reading paused while pipelined requests wait for the answers to earlier ones.

    uvicorn resumes reading after each answer, so requests that arrive faster than they are answered would fill the
    memory.
    """

    def __init__(self, transport: asyncio.Transport, pipeline: deque[Any]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()


class _JoinedWrites:
    """A transport that sends a head together with the first part of its body, which uvicorn writes one after the other.

    One packet instead of two saves a system call, and wakes the client once. A head that no body follows in the same
    turn of the event loop, such as that of a stream of events, is sent at the end of that turn.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self.is_closing = transport.is_closing
        self.abort = transport.abort
        self.get_write_buffer_size = transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        if len(self._parts) == 1:
            self._loop.call_soon(self.flush)
        else:
            self.flush()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        if self._parts and not self._transport.is_closing():
            self._transport.write(b"".join(self._parts))
        self._parts.clear()


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection, which is closed if the client is too slow; a malformed request is answered with a problem."""

    MAX_HEADERS: ClassVar[int] = 100
    # The limit on bytes in a row that neither complete a head nor belong to a body, such as an unfinished head, chunk
    # sizes or trailers.
    MAX_OVERHEAD_BYTES: ClassVar[int] = 64 * 1024
    # The time from the start of the connection, or from the last response, to the end of the next request's head. It is
    # longer than the keep-alive timeout.
    HEAD_SECONDS: ClassVar[float] = 20
    # The time limit for a client that sends no byte of an expected body, or reads no byte of the response.
    IDLE_SECONDS: ClassVar[float] = 30
    # The time for a whole body. It is enough for 50 MB at a quarter of a megabit per second.
    BODY_SECONDS: ClassVar[float] = 1800
    CHECK_SECONDS: ClassVar[float] = 5

    _check_timer: asyncio.TimerHandle | None = None
    _head_awaited_since: float | None = None
    _body_began_at = 0.0
    _last_received_at = 0.0
    _unsent_bytes = 0
    _last_sent_at = 0.0
    _overhead_bytes = 0
    _made_progress = False
    _in_head = True
    _parsed_data = b""
    _unparsed_data = b""
    _head_to_replay: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _BoundedPipelineFlow(transport, self.pipeline)
        self.transport = self._writes = _JoinedWrites(transport, self.loop)  # type: ignore[assignment]
        self._last_received_at = self._head_awaited_since = self._now()
        self._check_timer = self.loop.call_later(self.CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._check_timer is not None:
            self._check_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._last_received_at = self._now()
        self._made_progress, self._unparsed_data = False, data
        # The loop runs a second time only for a request that is parsed again without its upgrade.
        while self._unparsed_data:
            self._parsed_data, self._unparsed_data = self._unparsed_data, b""
            super().data_received(self._parsed_data)
        self._overhead_bytes = 0 if self._made_progress else self._overhead_bytes + len(data)
        if self._overhead_bytes > self.MAX_OVERHEAD_BYTES and not self.transport.is_closing():
            self._refuse(Problem("headers-too-large", "The headers are too large."))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the response when a client closes only its sending half.

        A stream of events has no end, so a client that closes that half no longer reads it.
        """
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or cycle.scope["state"].get(ENDLESS):
            # The event loop closes its own transport, which has not got the last part of a response yet.
            self._writes.flush()
            return False
        cycle.keep_alive = False
        return True

    def _has_one_host(self) -> bool:
        """Return True if the head has one Host header; HTTP/1.0 knows no such header."""
        count = sum(name == b"host" for name, _ in self.headers)
        return count == 1 or (count == 0 and self.parser.get_http_version() == "1.0")

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer must not become a header of the request that is being answered.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._made_progress, self._in_head, self._head_awaited_since = True, False, None
        self._body_began_at = self._last_received_at
        if len(self.headers) > self.MAX_HEADERS:
            self._refuse(Problem("headers-too-large", f"A request may have at most {self.MAX_HEADERS} headers."))
        elif not self._has_one_host():
            self._refuse(Problem("malformed", "A request has exactly one Host header (RFC 9112, 3.2)."))
        elif self.parser.should_upgrade() and any(name in _BODY_HEADERS for name, _ in self.headers):
            # The parser would treat the body as another protocol. A server may ignore an upgrade (RFC 9110, 7.8).
            self._head_to_replay = self._head_without_upgrade()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._made_progress = True
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._made_progress = True
        if self._head_to_replay is None and not self.transport.is_closing():
            super().on_message_complete()

    # A request that offers an upgrade is answered in HTTP/1.1; uvicorn would lose its body (try `curl --http2 -d`).

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join(option for option in options if option.lower() not in _UPGRADE_HEADERS)
            if name not in _UPGRADE_HEADERS and (value or name != b"connection"):
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"\r\n"])

    def _unsupported_upgrade_warning(self) -> None:
        """Parse the request again without the upgrade; uvicorn calls this when the parser stops after the head."""
        stopped, head = sys.exception(), self._head_to_replay
        if head is None or self.transport.is_closing():
            return
        assert isinstance(stopped, HttpParserUpgrade)
        self._head_to_replay = None
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._unparsed_data = head + self._parsed_data[stopped.args[0] :]

    # Time limits.

    def on_response_complete(self) -> None:
        self._head_awaited_since = None if self.pipeline else self._now()
        super().on_response_complete()

    def _check(self) -> None:
        self._check_timer = self.loop.call_later(self.CHECK_SECONDS, self._check)
        if self._is_overdue(self._now()):
            self.transport.abort()

    def _now(self) -> float:
        return self.loop.time()

    def _is_overdue(self, now: float) -> bool:
        unsent_bytes = self.transport.get_write_buffer_size()
        # The client reads the response if the number of unsent bytes changes.
        if not unsent_bytes or unsent_bytes != self._unsent_bytes:
            self._unsent_bytes, self._last_sent_at = unsent_bytes, now
        if unsent_bytes:
            return now - self._last_sent_at > self.IDLE_SECONDS
        if self._head_awaited_since is not None:
            return now - self._head_awaited_since > self.HEAD_SECONDS
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.more_body or self.flow.read_paused:
            return False
        return now - self._last_received_at > self.IDLE_SECONDS or now - self._body_began_at > self.BODY_SECONDS

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

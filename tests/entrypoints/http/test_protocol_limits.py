"""Malformed HTTP is refused, closed or ignored, and the service keeps running."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from entrypoints.http.middleware.headers import SECURITY_HEADERS
from entrypoints.http.protocol_limits import LimitedHttpProtocol
from tests.client import WAIT_SECONDS, LiveService, Ticket, eventually
from tests.entrypoints.http.contract import LEAKS, PROBLEM

HEAD = b"Host: x\r\nContent-Type: application/json\r\n"
CREATE = b"POST /api/tickets/create HTTP/1.1\r\n" + HEAD
# The size of uvloop's read buffer.
MOST_READ_AT_ONCE_BYTES = 256 * 1024
# Far more memory than requests with limits take, and than libraries that are loaded meanwhile.
MOST_GROWTH_BYTES = 256 * 1024 * 1024


@contextmanager
def connected(live: LiveService) -> Iterator[socket.socket]:
    address = urlsplit(live.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=WAIT_SECONDS) as connection:
        yield connection


def receive_all(connection: socket.socket) -> bytes:
    """Return everything received until the server closes the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while block := connection.recv(65_536):
            received += block
    return received


def answer_to(live: LiveService, request: bytes) -> bytes:
    """Send these bytes, close the sending side, and return the answer."""
    with connected(live) as connection:
        # The server may refuse the request and close the connection before all is sent.
        with suppress(OSError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        return receive_all(connection)


class Written:
    """A transport that keeps the data that is written to it."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


async def application(scope: Any, receive: Any, send: Any) -> None: ...


def test_the_end_of_a_response_is_written_before_the_event_loop_closes_a_half_closed_connection():
    async def run() -> bytes:
        written = Written()
        protocol = LimitedHttpProtocol(Config(application, lifespan="off"), ServerState(), {})
        protocol.connection_made(written)  # type: ignore[arg-type]
        protocol.transport.write(b"last part")
        keeps_open, data = protocol.eof_received(), written.data
        protocol.connection_lost(None)
        assert not keeps_open
        return data

    assert asyncio.run(run()) == b"last part"


class Passing:
    """Moves the clock of the protocol's limits forward by a second at each look."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def is_cut_off(self, connection: socket.socket) -> bool:
        """Let a second pass. Return True if the server has closed the connection without an answer."""
        self.seconds += 1
        connection.setblocking(False)
        try:
            received = connection.recv(65_536)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        assert received == b""
        return True


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Passing:
    time = Passing()
    monkeypatch.setattr(LimitedHttpProtocol, "_now", lambda protocol: protocol.loop.time() + time.seconds)
    monkeypatch.setattr(LimitedHttpProtocol, "CHECK_SECONDS", 0.01)
    return time


@pytest.fixture
def read_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the number of bytes of each read of the server."""
    pieces: list[int] = []
    read = LimitedHttpProtocol.data_received

    def counted(protocol: LimitedHttpProtocol, data: bytes) -> None:
        read(protocol, data)
        pieces.append(len(data))

    monkeypatch.setattr(LimitedHttpProtocol, "data_received", counted)
    return pieces


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Record what the server gives to each transport at a time."""
    parts: list[bytes] = []
    made = LimitedHttpProtocol.connection_made

    def connection_made(protocol: LimitedHttpProtocol, transport: asyncio.Transport) -> None:
        made(protocol, RecordingTransport(transport, parts))  # type: ignore[arg-type]

    monkeypatch.setattr(LimitedHttpProtocol, "connection_made", connection_made)
    return parts


class RecordingTransport:
    """A transport that records what is written to it."""

    def __init__(self, transport: asyncio.Transport, parts: list[bytes]) -> None:
        self._transport = transport
        self._parts = parts

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


def test_the_head_and_the_body_of_an_answer_are_sent_at_once(live: LiveService, writes: list[bytes]) -> None:
    answer = answer_to(live, b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert writes == [answer]
    assert statuses(answer) == [200]


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d{3}) ", answer)]


def problem_of(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n"))}
    received: dict[str, Any] = json.loads(body)
    assert headers["content-type"] == PROBLEM
    assert received["requestId"] == headers["x-request-id"]
    assert {name.lower() for name in SECURITY_HEADERS} <= headers.keys()
    return received


@pytest.fixture(autouse=True)
def _still_alive_and_no_larger(live: LiveService) -> Iterator[None]:
    before = psutil.Process().memory_info().rss
    yield
    with live.client() as client:
        assert client.get("/health/live").status_code == 200
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH_BYTES


@pytest.mark.parametrize(
    "request_line",
    [
        b"", b"GET", b"GET / HTTP/9.9", b"get / HTTP/1.1",
        b"FOO / HTTP/1.1", b"G\x00T / HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET nothing HTTP/1.1",
        b"CONNECT example.com:443 HTTP/1.1", b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET http://[ HTTP/1.1", b"GET http://evil.example:99999/ HTTP/1.1", b"{}",
    ],
)  # fmt: skip
def test_bytes_that_are_no_http_request_are_refused_as_a_problem(live: LiveService, request_line: bytes):
    answer = answer_to(live, request_line + b"\r\nHost: x\r\n\r\n")
    assert statuses(answer) == [400]
    assert problem_of(answer)["type"] == "/problems/malformed"
    assert not LEAKS.search(answer.decode())


@pytest.mark.parametrize("method", [b"TRACE", b"PROPFIND", b"SEARCH", b"M-SEARCH", b"PURGE", b"LINK", b"QUERY"])
@pytest.mark.parametrize("path", [b"/docs", b"/nothing", b"*", b"http://evil.example/docs"])
def test_an_unknown_method_is_not_allowed_and_not_quoted_in_the_answer(live: LiveService, method: bytes, path: bytes):
    answer = answer_to(
        live, method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nX-Canary: canary\r\nConnection: close\r\n\r\n"
    )
    assert set(statuses(answer)) <= {400, 404, 405}
    assert b"canary" not in answer.lower()
    assert b"evil.example" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: -1\r\n", b"Content-Length: 1e3\r\n", b"Content-Length: " + b"9" * 40 + b"\r\n",
        b"Content-Length: 0x2\r\n", b"Content-Length: \r\n", b"Content-Length: 2, 2\r\n",
        b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: xchunked\r\n", b"Bad Name: x\r\n",
        b"Name : x\r\n", b": x\r\n", b"Name\r\n", b"X: a\x00b\r\n", b"X: a\rb\r\n", b"Content-Length : 2\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ],
)  # fmt: skip
def test_a_request_with_an_ambiguous_length_is_refused(live: LiveService, headers: bytes):
    hidden = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = answer_to(live, CREATE + headers + b"\r\n{}" + hidden)
    assert statuses(answer)[:1] == [400]
    assert 200 not in statuses(answer)


@pytest.mark.parametrize(
    "body",
    [b"-1\r\n{}\r\n0\r\n\r\n", b"2;" + b"x" * 200_000 + b"\r\n{}\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n{}", b"zz\r\n"],
)
def test_a_malformed_chunk_is_refused(live: LiveService, body: bytes):
    answer = answer_to(live, CREATE + b"Transfer-Encoding: chunked\r\n\r\n" + body)
    # A client that is still sending when the server answers may not receive the answer.
    assert set(statuses(answer)) <= {400, 422, 431}
    assert 201 not in statuses(answer)


def test_a_trailer_is_not_taken_for_a_header(live: LiveService):
    def send_with_trailer(trailer: bytes) -> bytes:
        with connected(live) as connection:
            connection.sendall(
                CREATE + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                b"47\r\n" + json.dumps({"contactType": "EMAIL", "contactValue": "t@example.com"}).encode().ljust(71)
                + b"\r\n0\r\n" + trailer + b"\r\n"
            )  # fmt: skip
            return receive_all(connection)

    assert statuses(send_with_trailer(b"Authorization: Bearer slk_nobody\r\nX-Request-Id: trailer\r\n")) == [201]
    answer = send_with_trailer(b"X: " + b"x" * 1_000_000)
    assert set(statuses(answer)) <= {201, 400, 431}


@pytest.mark.parametrize("size", [101, 1_000, 50_000])
def test_more_headers_than_the_limit_are_refused(live: LiveService, size: int):
    answer = answer_to(live, b"GET /docs HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * size + b"\r\n")
    assert statuses(answer) == [431]
    assert problem_of(answer)["type"] == "/problems/headers-too-large"


@pytest.mark.parametrize(
    "incomplete_head", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX"]
)
def test_an_endless_head_is_refused_while_it_is_sent(live: LiveService, incomplete_head: bytes):
    with connected(live) as connection:
        sent_bytes = 0
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(incomplete_head)
            piece = b"a: b\r\n" * 10_000 if incomplete_head.endswith(b"\n") else b"x" * 60_000
            for _ in range(2_000):
                sent_bytes += connection.send(piece)
        assert sent_bytes < 20_000_000
        assert set(statuses(receive_all(connection))) <= {400, 431}


def test_a_head_as_large_as_browsers_make_them_is_read(live: LiveService):
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 300) for number in range(90))
    answer = answer_to(live, b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n")
    assert statuses(answer) == [200]


@pytest.mark.parametrize("incomplete_head", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n", CREATE])
def test_a_connection_that_does_not_finish_its_head_is_closed(
    live: LiveService, passing: Passing, incomplete_head: bytes
):
    with connected(live) as connection:
        connection.sendall(incomplete_head)
        while passing.seconds < LimitedHttpProtocol.HEAD_SECONDS:
            # Slow progress does not extend the time.
            connection.setblocking(True)
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(b"\r\n" if incomplete_head in (b"", b"\r\n") else b"x")
            passing.is_cut_off(connection)
        eventually(lambda: passing.is_cut_off(connection))


@pytest.mark.parametrize("length", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
def test_a_connection_with_a_stalled_body_is_closed(live: LiveService, passing: Passing, length: bytes):
    with connected(live) as connection:
        connection.sendall(CREATE + length)
        eventually(lambda: passing.is_cut_off(connection))


def test_a_connection_that_does_not_read_its_answers_is_read_no_further_and_closed(
    live: LiveService, passing: Passing, read_bytes: list[int]
):
    requests = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    with connected(live) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        unsent = requests

        def closed() -> bool:
            nonlocal unsent
            passing.seconds += 1
            try:
                while True:
                    unsent = unsent[connection.send(unsent) :] or requests
            except BlockingIOError:
                return False
            except (BrokenPipeError, ConnectionResetError):
                return True

        eventually(closed)
    # The requests of one read wait; the next read comes when all of them are answered.
    assert sum(read_bytes) < 2 * MOST_READ_AT_ONCE_BYTES


def test_a_connection_in_use_is_not_cut_off(live: LiveService, passing: Passing):
    with connected(live) as connection:
        for _ in range(6):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while not received.endswith(b"}"):
                received += connection.recv(65_536)
            assert statuses(received) == [200]
            passing.seconds += 0.6 * LimitedHttpProtocol.HEAD_SECONDS
        eventually(lambda: passing.is_cut_off(connection))


def test_pipelined_requests_are_answered_in_order(live: LiveService):
    paths = [b"/health/live", b"/nothing", b"/docs", b"/problems/none"] * 5
    pipelined = b"".join(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)
    with connected(live) as connection:
        connection.sendall(pipelined + b"GET /favicon.ico HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert statuses(receive_all(connection)) == [200, 404, 200, 404] * 5 + [200]


@pytest.mark.parametrize("path", [b"/nothing", b"/docs", b"/api/tickets/search", b"/checkpoint/key"])
def test_a_half_closed_connection_is_still_answered(live: LiveService, path: bytes):
    assert len(statuses(answer_to(live, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"))) == 1


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0"])
def test_no_other_protocol_is_accepted(live: LiveService, protocol: bytes):
    upgrade = b"Upgrade: " + protocol + b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    upgrade += b"Sec-WebSocket-Version: 13\r\n"
    with connected(live) as connection:
        connection.sendall(b"GET /docs HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n" + upgrade + b"\r\n")
        assert statuses(receive_all(connection)) == [200]


H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
BODY = json.dumps({"contactType": "EMAIL", "contactValue": "ada@example.com"}).encode()


@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    "framed",
    [b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
     b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)],
)  # fmt: skip
def test_a_request_to_upgrade_to_http_2_is_answered_in_http_1(
    live: LiveService, read_bytes: list[int], framed: bytes, pieces: int
):
    request = CREATE + H2C + framed + b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    size = -(-len(request) // pieces)
    with connected(live) as connection:
        for start in range(0, len(request), size):
            end = min(start + size, len(request))
            connection.sendall(request[start:end])
            eventually(lambda end=end: sum(read_bytes) == end)
        answer = receive_all(connection)
    assert statuses(answer) == [201, 200]
    assert b'"contactValue":"ada@example.com"' in answer


def test_many_pipelined_requests_that_offer_http_2_are_answered_in_order(live: LiveService):
    pipelined = b"POST /docs HTTP/1.1\r\nHost: x\r\n" + H2C + b"Content-Length: 2\r\n\r\n{}"
    last = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert statuses(answer_to(live, pipelined * 400 + last)) == [405] * 400 + [200]


def test_an_upgrade_request_keeps_the_other_connection_options(live: LiveService):
    with connected(live) as connection:
        head = CREATE + H2C.replace(b"Upgrade,", b"close, Upgrade,") + b"Content-Length: %d\r\n\r\n" % len(BODY)
        connection.sendall(head + BODY)
        assert statuses(receive_all(connection)) == [201]


@pytest.mark.parametrize("length", [b"Content-Length: 33\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_after_an_upgrade_is_not_taken_for_the_next_request(
    live: LiveService, read_bytes: list[int], length: bytes
):
    """The parser expects another protocol after such a head, and would parse the body as requests."""
    with connected(live) as connection:
        connection.sendall(CREATE + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n" + length + b"\r\n")
        eventually(lambda: read_bytes)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n\r\n")
        answer = receive_all(connection)
    assert statuses(answer) == [400]
    assert problem_of(answer)["type"] == "/problems/malformed"


@pytest.mark.parametrize("promised", [0, 1, 5, 10_000])
def test_a_body_of_another_length_than_declared_causes_no_internal_error(live: LiveService, promised: int):
    answer = answer_to(live, CREATE + f"Content-Length: {promised}\r\n\r\n".encode() + b'{"contactType": "EMAIL"}')
    assert set(statuses(answer)) <= {400, 422}


BOUNDARY = b"xyz"
WAV = b'Content-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'


@pytest.mark.parametrize(
    "form",
    [
        b"", b"--", b"--xyz", b"--xyz--", b"--xyz--\r\n", b"--xyz\r\n", b"--xyz\r\n\r\n", b"--abc\r\n" + WAV,
        b"--xyz\r\n" + WAV, b"--xyz\r\n" + WAV + b"data", b"--xyz\r\n" + WAV + b"\r\n--xyz", b"\x00" * 1000,
        b"--xyz\r\nContent-Disposition: form-data; name=\"audio\"" + b"x" * 100_000 + b"\r\n\r\n\r\n--xyz--\r\n",
        b"--xyz\r\n" + b"X: y\r\n" * 20_000 + WAV + b"\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--xyz--\r\n",
        b"--xyz\r\n" + WAV + b"a\r\n--xyz\r\n" + WAV + b"b\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: form-data; name=audio; filename*=utf-8''%00%ff\r\n\r\nx\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: ;;;;====\r\n\r\nx\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"" + b"\\" * 5001 + b"\"\r\n\r\nx",
        b"--xyz\r\nContent-Disposition\r\n\r\nx\r\n--xyz--\r\n", b"--xyz\r\n: x\r\n\r\nx\r\n--xyz--\r\n",
        b"--xyz\r\n" + WAV + b"RIFF\xff\xff\xff\xffWAVE" + b"\x00" * 1000 + b"\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Transfer-Encoding: base64\r\n" + WAV + b"AAAA\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: form-data; name=\"\xff\xfe\"\r\n\r\nx\r\n--xyz--\r\n",
        b"--xyz\r\n" * 5_000,
        b"--xyz--" * 5_000,
    ],
)  # fmt: skip
def test_a_broken_form_is_refused(ticket: Ticket, form: bytes):
    kind = "multipart/form-data; boundary=xyz"
    answer = ticket.http.post(f"{ticket.path}/upload-audio", content=form, headers={"Content-Type": kind})
    assert answer.status_code in (400, 413, 415, 422)
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 5_000,
        "multipart/form-data; boundary*=utf-8''xyz", "multipart/mixed; boundary=xyz", ";", "=" * 100,
        "multipart/form-data; boundary=\"", "multipart/form-data; " + "a=b; " * 1_000 + "boundary=xyz",
        "multipart/form-data; boundary=\"xyz\\\"", "multipart/form-data; boundary*0=x; boundary*1=yz",
        "multipart/form-data; boundary=x*y'z\xe9",
        "multipart/form-data; boundary*=\xff", "multipart/form-data;;;boundary",
    ],
)  # fmt: skip
def test_a_form_of_an_unknown_media_type_is_refused(ticket: Ticket, kind: str):
    body = b"--xyz\r\n" + WAV + b"no sound\r\n--xyz--\r\n"
    headers = {"Content-Type": kind.encode("latin-1")}
    answer = ticket.http.post(f"{ticket.path}/upload-audio", content=body, headers=headers)
    assert answer.status_code in (400, 415, 422)
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_body_of_a_request_by_curl_that_offers_http_2_is_read(live: LiveService):
    command = ["curl", "--silent", "--http2", "--header", "Content-Type: application/json", "--data", BODY.decode()]
    created = subprocess.run([*command, f"{live.base_url}/api/tickets/create"], capture_output=True, check=True)
    assert json.loads(created.stdout)["contactValue"] == "ada@example.com"

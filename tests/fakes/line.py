"""A TCP line to a PostgreSQL that listens on a socket of the file system, which knows of every commit and may go dead.

It reads the frontend/backend protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html) of
connections without TLS. A commit here is one that changed something: a COMMIT after a statement that wrote, or a
statement that wrote outside a transaction.
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

from domain import events as facts
from domain.events import TicketEvent

# A watchdog's record of itself: no step of anything.
BREATHING = frozenset({"health_checks"})
# Functions by which a SELECT writes, and statements that do.
_WRITES = re.compile(
    rb"\b(?:insert\s+into|update|delete\s+from|merge\s+into|copy)\s+\"?(?!set\b|of\b|skip\b|nowait\b)([\w.]+)"
    rb"|\b(append_events|procrastinate_(?:defer_jobs|fetch_job|finish_job|cancel_job|retry_job)_v\d+)\b",
    re.IGNORECASE,
)
_LENGTH = 4


@dataclass(frozen=True)
class Commit:
    """Something became durable: by whose connection, and what it was, as tables, functions and topics of events."""

    name: str
    wrote: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}: {' '.join(sorted(self.wrote))}"


def _topics() -> dict[bytes, str]:
    classes = (one for one in vars(facts).values() if isinstance(one, type) and issubclass(one, TicketEvent))
    return {topic.encode(): topic for one in classes if (topic := getattr(one, "TOPIC", None))}


@dataclass
class _Conversation:
    """The state of one connection, read by one thread for each direction."""

    name: str = "?"
    texts: dict[bytes, bytes] = field(default_factory=dict)
    asked: list[tuple[bytes, bytes]] = field(default_factory=list)
    wrote: set[str] = field(default_factory=set)
    answered: int = 0
    any_value: bool = False

    def client_says(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                self.texts[name] = text
            case b"B":
                _, name, given = body.split(b"\0", 2)
                self.asked.append((self.texts.get(name, b""), given))
            case b"Q":
                self.asked.append((body.rstrip(b"\0"), b""))

    def server_says(self, kind: bytes, body: bytes) -> Commit | None:
        """The commit that is over with this message."""
        match kind:
            case b"D":
                self.any_value = self.any_value or _any_value(body)
            case b"C":
                self._completed(body.rstrip(b"\0"))
            case b"E":
                self.wrote.clear()
            case b"Z":
                self.asked, self.answered, self.any_value = self.asked[self.answered :], 0, False
                if body == b"I":
                    wrote, self.wrote = frozenset(self.wrote), set()
                    if wrote - BREATHING:
                        return Commit(self.name, wrote)
        return None

    def _completed(self, tag: bytes) -> None:
        text, given = self.asked[min(self.answered, len(self.asked) - 1)] if self.asked else (b"", b"")
        self.answered += 1
        if tag == b"ROLLBACK":
            self.wrote.clear()
            return
        if tag.startswith((b"CREATE ", b"DROP ", b"ALTER ")):
            self.wrote.add(tag.decode().lower())
        verb, _, count = tag.rpartition(b" ")
        if count == b"0" or (verb == b"SELECT" and not self.any_value) or (verb == b"COPY" and b"STDOUT" in text):
            return
        found = {(table or function).decode().lower() for table, function in _WRITES.findall(text)}
        self.wrote |= found
        if "append_events" in found:
            self.wrote |= {topic for known, topic in _TOPICS.items() if known in given}


_TOPICS = _topics()


def _any_value(row: bytes) -> bool:
    columns = int.from_bytes(row[:2], "big")
    return row[2:] != b"\xff\xff\xff\xff" * columns


class Line:
    """The address while the block lasts. `before` is told of a commit while nobody else has heard of it, `after` once
    the client has; whichever they kill is dead then."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        given = parse_qs(parts.query)
        self._target = f"{given['host'][0]}/.s.PGSQL.{given['port'][0]}"
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.line = self
        self.url = (
            f"postgresql://{parts.username}@127.0.0.1:{self._server.server_address[1]}{parts.path}"
            "?sslmode=disable&gssencmode=disable"
        )
        self.before: Callable[[Commit], None] = lambda _: None
        self.after: Callable[[Commit], None] = lambda _: None
        # Each connection belongs to a time; those of times that are over say nothing any more.
        self._time = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def go_dead(self) -> None:
        """Nothing comes through any more on the connections that are there, and nobody is told; new ones are fine."""
        self._time += 1

    def carry(self, client: socket.socket) -> None:
        born = self._time
        # Messages are passed on one by one: each would wait for the acknowledgement of the one before.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            told = _Conversation()
            asking = threading.Thread(target=self._ask, args=(client, server, told, born), daemon=True)
            asking.start()
            self._answer(client, server, told, born)
            asking.join()

    def _ask(self, client: socket.socket, server: socket.socket, told: _Conversation, born: int) -> None:
        pending = b""
        begun = False
        with suppress(OSError):
            while data := client.recv(65_536):
                pending += data
                if not begun:
                    if len(pending) < _LENGTH or len(pending) < int.from_bytes(pending[:_LENGTH], "big"):
                        continue
                    length = int.from_bytes(pending[:_LENGTH], "big")
                    told.name = _application(pending[2 * _LENGTH : length])
                    begun, ready, pending = True, pending[:length], pending[length:]
                    server.sendall(ready)
                messages, pending = _messages(pending)
                for kind, body, _ in messages:
                    told.client_says(kind, body)
                if self._time == born:
                    server.sendall(b"".join(raw for _, _, raw in messages))
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket, told: _Conversation, born: int) -> None:
        pending = held = b""
        with suppress(OSError):
            while data := server.recv(65_536):
                messages, pending = _messages(pending + data)
                for kind, body, raw in messages:
                    held += raw
                    if kind == b"C":
                        told.server_says(kind, body)
                        continue  # not heard of before what follows
                    commit = told.server_says(kind, body)
                    if commit is not None:
                        self.before(commit)
                    if self._time == born:
                        client.sendall(held)
                    held = b""
                    if commit is not None:
                        self.after(commit)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)


def _application(startup: bytes) -> str:
    words = startup.split(b"\0")
    return dict(zip(words[::2], words[1::2], strict=False)).get(b"application_name", b"?").decode()


def _messages(data: bytes) -> tuple[list[tuple[bytes, bytes, bytes]], bytes]:
    """The whole messages at the beginning, each with its kind and body, and what is left."""
    found, at = [], 0
    while len(data) - at > _LENGTH:
        end = at + 1 + int.from_bytes(data[at + 1 : at + 1 + _LENGTH], "big")
        if end > len(data):
            break
        found.append((data[at : at + 1], data[at + 1 + _LENGTH : end], data[at:end]))
        at = end
    return found, data[at:]


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        # The server may be away: then this address refuses, as nearly as it can.
        with suppress(OSError):
            self.server.line.carry(self.request)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    line: Line

"""A TCP proxy for a PostgreSQL that listens on a Unix socket. It reports every commit and can stop forwarding.

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

# What the service writes about its own health is no commit of interest.
HEALTH_TABLES = frozenset({"health_checks", "health_samples"})
# Statements that write, and functions through which a SELECT writes.
_WRITES = re.compile(
    rb"\b(?:insert\s+into|update|delete\s+from|merge\s+into|copy)\s+\"?(?!set\b|of\b|skip\b|nowait\b)([\w.]+)"
    rb"|\b(append_events|procrastinate_(?:defer_jobs|fetch_job|finish_job|cancel_job|retry_job)_v\d+)\b",
    re.IGNORECASE,
)
_LENGTH = 4


@dataclass(frozen=True)
class Commit:
    """A commit: the name of its connection, and the tables, functions and topics of events that it wrote."""

    name: str
    wrote: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}: {' '.join(sorted(self.wrote))}"


def _topics() -> dict[bytes, str]:
    classes = (
        event_class
        for event_class in vars(facts).values()
        if isinstance(event_class, type) and issubclass(event_class, TicketEvent)
    )
    return {topic.encode(): topic for event_class in classes if (topic := getattr(event_class, "TOPIC", None))}


@dataclass
class _Conversation:
    """The state of one connection, updated by one thread for each direction."""

    name: str = "?"
    texts: dict[bytes, bytes] = field(default_factory=dict)
    statements: list[tuple[bytes, bytes]] = field(default_factory=list)
    wrote: set[str] = field(default_factory=set)
    completed: int = 0
    any_value: bool = False

    def client_says(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                self.texts[name] = text
            case b"B":
                _, name, parameters = body.split(b"\0", 2)
                self.statements.append((self.texts.get(name, b""), parameters))
            case b"Q":
                self.statements.append((body.rstrip(b"\0"), b""))

    def server_says(self, kind: bytes, body: bytes) -> Commit | None:
        """Return the commit that this message completes."""
        match kind:
            case b"D":
                self.any_value = self.any_value or _any_value(body)
            case b"C":
                self._end_statement(body.rstrip(b"\0"))
            case b"E":
                self.wrote.clear()
            case b"Z":
                self.statements, self.completed, self.any_value = self.statements[self.completed :], 0, False
                if body == b"I":
                    wrote, self.wrote = frozenset(self.wrote), set()
                    if wrote - HEALTH_TABLES:
                        return Commit(self.name, wrote)
        return None

    def _end_statement(self, tag: bytes) -> None:
        text, parameters = b"", b""
        if self.statements:
            text, parameters = self.statements[min(self.completed, len(self.statements) - 1)]
        self.completed += 1
        if tag == b"ROLLBACK":
            self.wrote.clear()
            return
        if tag.startswith((b"CREATE ", b"DROP ", b"ALTER ")):
            self.wrote.add(tag.decode().lower())
        verb, _, count = tag.rpartition(b" ")
        if count == b"0" or (verb == b"SELECT" and not self.any_value) or (verb == b"COPY" and b"STDOUT" in text):
            return
        written = {(table or function).decode().lower() for table, function in _WRITES.findall(text)}
        self.wrote |= written
        if "append_events" in written:
            self.wrote |= {topic for topic_bytes, topic in _TOPICS.items() if topic_bytes in parameters}


_TOPICS = _topics()


def _any_value(row: bytes) -> bool:
    columns = int.from_bytes(row[:2], "big")
    return row[2:] != b"\xff\xff\xff\xff" * columns


class Line:
    """Listens inside `with`. Calls `before` with each commit before the client is answered, and `after` afterwards."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self._target = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.line = self
        self.url = (
            f"postgresql://{parts.username}@127.0.0.1:{self._server.server_address[1]}{parts.path}"
            "?sslmode=disable&gssencmode=disable"
        )
        self.before: Callable[[Commit], None] = lambda _: None
        self.after: Callable[[Commit], None] = lambda _: None
        # Each connection belongs to a generation. Connections of earlier generations forward nothing any more.
        self._generation = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def go_dead(self) -> None:
        """Forward nothing more on the present connections, without closing them. New connections work."""
        self._generation += 1

    def carry(self, client: socket.socket) -> None:
        generation = self._generation
        # Messages are sent one by one, and with Nagle's algorithm each would wait for the last acknowledgement.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            conversation = _Conversation()
            request_thread = threading.Thread(
                target=self._forward_requests, args=(client, server, conversation, generation), daemon=True
            )
            request_thread.start()
            self._forward_answers(client, server, conversation, generation)
            request_thread.join()

    def _forward_requests(
        self, client: socket.socket, server: socket.socket, conversation: _Conversation, generation: int
    ) -> None:
        pending = b""
        started = False
        with suppress(OSError):
            while data := client.recv(65_536):
                pending += data
                if not started:
                    if len(pending) < _LENGTH or len(pending) < int.from_bytes(pending[:_LENGTH], "big"):
                        continue
                    length = int.from_bytes(pending[:_LENGTH], "big")
                    conversation.name = _application(pending[2 * _LENGTH : length])
                    started, ready, pending = True, pending[:length], pending[length:]
                    server.sendall(ready)
                messages, pending = _messages(pending)
                for kind, body, _ in messages:
                    conversation.client_says(kind, body)
                if self._generation == generation:
                    server.sendall(b"".join(raw for _, _, raw in messages))
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _forward_answers(
        self, client: socket.socket, server: socket.socket, conversation: _Conversation, generation: int
    ) -> None:
        pending = unsent = b""
        with suppress(OSError):
            while data := server.recv(65_536):
                messages, pending = _messages(pending + data)
                for kind, body, raw in messages:
                    unsent += raw
                    if kind == b"C":
                        conversation.server_says(kind, body)
                        continue  # forwarded together with the next message
                    commit = conversation.server_says(kind, body)
                    if commit is not None:
                        self.before(commit)
                    if self._generation == generation:
                        client.sendall(unsent)
                    unsent = b""
                    if commit is not None:
                        self.after(commit)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)


def _application(startup: bytes) -> str:
    words = startup.split(b"\0")
    return dict(zip(words[::2], words[1::2], strict=False)).get(b"application_name", b"?").decode()


def _messages(data: bytes) -> tuple[list[tuple[bytes, bytes, bytes]], bytes]:
    """Return the complete messages with their kinds and bodies, and the remaining bytes."""
    messages, at = [], 0
    while len(data) - at > _LENGTH:
        end = at + 1 + int.from_bytes(data[at + 1 : at + 1 + _LENGTH], "big")
        if end > len(data):
            break
        messages.append((data[at : at + 1], data[at + 1 + _LENGTH : end], data[at:end]))
        at = end
    return messages, data[at:]


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        # If the server is unavailable, the connection is closed at once.
        with suppress(OSError):
            self.server.line.carry(self.request)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    line: Line

"""A server with the part of Twilio's API that sends messages, a memory in its place, and a reader of the outbox."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

ACCOUNT, TOKEN = "AC0123456789abcdef", "a token of these tests"
SENDER = "+15005550006"


@dataclass(frozen=True)
class Received:
    """A text message as it arrived."""

    to: str
    text: str


@dataclass
class TextProviderServer:
    """The requests that the server received; `refusal` is its next answer, a status and the number of an error."""

    url: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    refusal: tuple[int, int | None] | None = None

    @property
    def received(self) -> list[Received]:
        return [Received(form["To"], form["Body"]) for form in self.forms]


class _Handler(BaseHTTPRequestHandler):
    provider: TextProviderServer

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True)
        if self._is_refused() or self.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            return
        self.provider.forms.append({name: values[0] for name, values in form.items()})
        self._answer(201, {"sid": "SM1", "status": "queued"})

    def do_GET(self) -> None:
        if not self._is_refused() and self.path == f"/2010-04-01/Accounts/{ACCOUNT}.json":
            self._answer(200, {"sid": ACCOUNT, "status": "active"})

    def _is_refused(self) -> bool:
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {expected}":
            self._answer(401, {"code": 20003, "message": "Authenticate"})
            return True
        if self.provider.refusal is None:
            return False
        status, code = self.provider.refusal
        # Twilio's own messages quote the number.
        self._answer(status, {} if code is None else {"code": code, "message": "The 'To' number +15005550009 is wrong"})
        return True

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def text_provider_server() -> Iterator[TextProviderServer]:
    """Run the server on a free port for the duration of the block."""
    provider = TextProviderServer()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


class MemoryTexts:
    """Keeps text messages in memory, or raises its fault."""

    def __init__(self) -> None:
        self.messages: dict[str, Received] = {}
        self.fault: Exception | None = None

    def send(self, message_id: str, number: str, text: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.messages[message_id] = Received(number, text)

    def recall(self, message_id: str) -> None:
        self.messages.pop(message_id, None)

    @property
    def received(self) -> list[Received]:
        return list(self.messages.values())


def text_files(folder: Path, to: str | None = None) -> list[Received]:
    """Return the text messages of a folder, or those to one number, oldest first."""
    messages = []
    for file in sorted(folder.glob("*.txt")):
        head, _, text = file.read_text().partition("\n\n")
        messages.append(Received(head.removeprefix("To: "), text.removesuffix("\n")))
    return [message for message in messages if to in (None, message.to)]

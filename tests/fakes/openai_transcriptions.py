"""A small HTTP server on loopback that has the API of OpenAI's audio transcriptions."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer of the server. Without a `body` the server closes the connection."""

    body: str | None
    status: int = 200
    media_type: str = "application/json"
    pause_seconds: float = 0.0


def text_reply(text: str, *languages: str) -> Reply:
    """Return an answer of `gpt-transcribe`: the text and the detected languages."""
    usage = {"type": "duration", "seconds": 6}
    return Reply(json.dumps({"text": text, "languages": [{"code": code} for code in languages], "usage": usage}))


def error_reply(status: int, code: str) -> Reply:
    error = {"message": "No, sk-secret.", "type": "error", "param": None, "code": code}
    return Reply(json.dumps({"error": error}), status)


@dataclass(frozen=True)
class Sent:
    """One upload as it arrived."""

    path: str
    authorization: str | None
    fields: dict[str, list[str]]
    file_name: str | None
    media_type: str
    content: bytes


@dataclass
class TranscriptionServer:
    """Answers with `replies` in order, repeating the last one, and keeps the uploads."""

    base_url: str
    replies: list[Reply] = field(default_factory=lambda: [text_reply("Hello.", "en")])
    sent: list[Sent] = field(default_factory=list)

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def transcription_server() -> Iterator[TranscriptionServer]:
    """Run a server for the duration of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.sent.append(_sent(self.path, self.headers, body))
            reply = server.next_reply()
            time.sleep(reply.pause_seconds)
            if reply.body is None:
                self.close_connection = True
                return
            content = reply.body.encode()
            with suppress(ConnectionError):  # the client has given up waiting
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.media_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Write no log."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = TranscriptionServer(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def _sent(path: str, headers: Any, body: bytes) -> Sent:
    form = message_from_bytes(
        b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body, policy=policy.HTTP
    )
    fields: dict[str, list[str]] = {}
    file: tuple[str | None, str, bytes] = (None, "", b"")
    for part in form.iter_parts():
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            raise TypeError(content)
        if part.get_filename() is None:
            fields.setdefault(part["content-disposition"].params["name"], []).append(content.decode())
        else:
            file = (part.get_filename(), part.get_content_type(), content)
    return Sent(path, headers.get("Authorization"), fields, *file)

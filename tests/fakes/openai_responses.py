"""A small HTTP server on loopback that has the API of OpenAI's Responses API."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer of the server. Without a `body` the server closes the connection."""

    body: str | None
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pause_seconds: float = 0.0


def _response(content: list[dict[str, Any]], **changes: Any) -> Reply:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": "completed",
        "model": "gpt-5-mini",
        "output": [{"id": "rs_1", "type": "reasoning", "summary": []}, message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "incomplete_details": None,
        "error": None,
    }
    return Reply(json.dumps({**response, **changes}))


def text_reply(answer: dict[str, Any] | str) -> Reply:
    """Return a completed answer with this JSON as text."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return _response([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}])


def refusal_reply() -> Reply:
    return _response([{"type": "refusal", "refusal": "I cannot help with that."}])


def truncated_reply(text: str) -> Reply:
    return _response(
        [{"type": "output_text", "text": text, "annotations": []}],
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    )


def empty_reply() -> Reply:
    """Return an answer without a message, because all tokens went into reasoning."""
    return _response([], output=[], status="incomplete", incomplete_details={"reason": "max_output_tokens"})


def error_reply(status: int, code: str, **headers: str) -> Reply:
    body = {"error": {"message": f"{code} for key sk-proj-SECRET", "type": code, "code": code, "param": None}}
    return Reply(json.dumps(body), status=status, headers=headers)


@dataclass
class ResponsesServer:
    """Answers with `replies` in order, repeating the last one, and keeps the requests."""

    url: str
    replies: list[Reply] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def responses_server() -> Iterator[ResponsesServer]:
    """Run a server for the duration of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.paths.append(self.path)
            server.requests.append(json.loads(body))
            reply = server.next_reply()
            time.sleep(reply.pause_seconds)
            if reply.body is None:
                self.close_connection = True
                return
            data = reply.body.encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Write no log."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore clients that disconnect, because some tests do so on purpose."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    server = ResponsesServer(f"http://127.0.0.1:{httpd.server_address[1]}/v1")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()

"""A small HTTP server on loopback that has the API of OpenAI's Responses and chat completions."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.client import HTTPMessage
from typing import Any

from tests.fakes.openai_server import FakeServer, Reply, running


def _response(content: list[dict[str, Any]], **changes: Any) -> Reply:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": "completed",
        "model": "gpt-5.4-mini",
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


def chat_reply(content: str | None, finish_reason: str = "stop", refusal: str | None = None) -> Reply:
    """Return an answer of chat completions, as self-hosted servers give it."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    completion = {"id": "c_1", "object": "chat.completion", "created": 1, "model": "own", "choices": [choice]}
    return Reply(json.dumps(completion))


def error_reply(status: int, code: str, **headers: str) -> Reply:
    body = {"error": {"message": f"{code} for key sk-proj-SECRET", "type": code, "code": code, "param": None}}
    return Reply(json.dumps(body), status=status, headers=headers)


@dataclass
class ResponsesServer(FakeServer):
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def record(self, path: str, headers: HTTPMessage, body: bytes) -> None:
        self.paths.append(path)
        self.requests.append(json.loads(body))


def responses_server() -> AbstractContextManager[ResponsesServer]:
    """Run a server for the duration of the block."""
    return running(ResponsesServer)

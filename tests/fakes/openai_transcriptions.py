"""A small HTTP server on loopback that has the API of OpenAI's audio transcriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.client import HTTPMessage
from pathlib import Path

from tests.fakes.openai_server import FakeServer, Reply, running

# What is said in the recording of the demonstration, of which a complete draft is made.
STORY = (Path(__file__).parents[2] / "adapters" / "speech" / "demo.txt").read_text()


def text_reply(text: str, *languages: str) -> Reply:
    """Return an answer of `gpt-transcribe`: the text and the detected languages."""
    usage = {"type": "duration", "seconds": 6}
    return Reply(json.dumps({"text": text, "languages": [{"code": code} for code in languages], "usage": usage}))


def verbose_reply(text: str, **fields: object) -> Reply:
    """Return an answer in the format verbose_json, of whisper-1 and of self-hosted servers."""
    return Reply(json.dumps({"task": "transcribe", "language": "english", "duration": 3.8, "text": text, **fields}))


def error_reply(status: int, code: str) -> Reply:
    error = {"message": "No, sk-secret.", "type": "error", "param": None, "code": code}
    return Reply(json.dumps({"error": error}), status)


@dataclass(frozen=True)
class ReceivedUpload:
    """One received upload."""

    path: str
    authorization: str | None
    fields: dict[str, list[str]]
    file_name: str | None
    media_type: str
    content: bytes


@dataclass
class TranscriptionServer(FakeServer):
    uploads: list[ReceivedUpload] = field(default_factory=list)

    def record(self, path: str, headers: HTTPMessage, body: bytes) -> None:
        self.uploads.append(_parse_upload(path, headers, body))


def transcription_server() -> AbstractContextManager[TranscriptionServer]:
    """Run a server for the duration of the block."""
    return running(lambda url: TranscriptionServer(url, [text_reply("Hello.", "en")]))


@contextmanager
def speech_settings(*replies: Reply) -> Iterator[dict[str, str]]:
    """Yield the settings of a service whose transcriptions come from a server, at once and without a model.

    By default every recording tells the same story.
    """
    with transcription_server() as server:
        server.replies = list(replies or (text_reply(STORY, "en"),))
        yield {"openai_speech_base_url": server.url}


def _parse_upload(path: str, headers: HTTPMessage, body: bytes) -> ReceivedUpload:
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
    return ReceivedUpload(path, headers.get("Authorization"), fields, *file)

"""OpenAI's transcriber: the recording goes to their service, small enough for it, and comes back as text."""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from openai import (
    APIError,
    APIStatusError,
    AuthenticationError,
    OpenAI,
    PermissionDeniedError,
    RateLimitError,
    Timeout,
    omit,
)
from openai.types.audio import Transcription

from adapters.speech.bounded import ChildFailed, Limits, run_child
from adapters.speech.failures import failure_of, refusal
from domain.errors import StepFailed
from domain.ports import Report
from domain.values import Transcript

# What their service takes, by the file name they tell the format from. Raw AAC is not among it.
NAMES = {
    "audio/wav": "recording.wav",
    "audio/mpeg": "recording.mp3",
    "audio/ogg": "recording.ogg",
    "audio/webm": "recording.webm",
    "audio/mp4": "recording.m4a",
    "audio/flac": "recording.flac",
}
REENCODED = "audio/ogg"

# What a second of our own encoding takes at most, its variations included.
REENCODED_BYTES_PER_SECOND = 5_000

ISO_639_1 = re.compile(r"[a-z]{2}")

RETRYABLE_STATUS = (408, 409)


@dataclass(frozen=True)
class Part:
    """A stretch of the recording as it is sent."""

    sound: bytes
    media_type: str


class OpenAITranscriber:
    """Writes down speech in any language their service knows; the recording leaves this machine.

    Safe to call from many threads at once.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        model: str = "gpt-transcribe",
        *,
        keywords: Sequence[str] = (),
        languages: Sequence[str] = (),
        timeout_seconds: float = 120.0,
        retries: int = 1,
        max_seconds: int = 3600,
        max_upload_bytes: int = 25_000_000,
        part_seconds: int = 1200,
    ) -> None:
        self._client = OpenAI(
            api_key=api_key,
            base_url=base_url,
            timeout=Timeout(timeout_seconds, connect=5.0),
            max_retries=retries,
        )
        self._model = model
        self._hints: dict[str, Any] = {
            "keywords": list(keywords) if keywords else omit,
            "languages": list(languages) if languages else omit,
        }
        self._max_seconds = max_seconds
        self._max_upload_bytes = max_upload_bytes
        self._part_seconds = min(part_seconds, max(1, max_upload_bytes // REENCODED_BYTES_PER_SECOND))
        output_mb = max_seconds * REENCODED_BYTES_PER_SECOND // 1_000_000 + 1
        self._limits = Limits(cpu_seconds=300, wall_seconds=600, memory_mb=1024, output_mb=output_mb)

    def transcribe(self, recording: BinaryIO, report: Report) -> Transcript:
        """What is said; StepFailed, retryable where their service or the way to it is the trouble."""
        parts = self._parts(recording)
        report(0.0)
        texts: list[str] = []
        languages: Counter[str] = Counter()
        for number, part in enumerate(parts, start=1):
            answer = self._ask(part)
            texts.append(answer.text.strip())
            languages.update(_codes(answer.languages))
            report(number / len(parts))
        text = " ".join(filter(None, texts))
        if not text:
            raise refusal("no_speech")
        return Transcript(text, _language(languages), self._model)

    def _parts(self, recording: BinaryIO) -> list[Part]:
        """The recording as it is where their service takes it so, else encoded again and split."""
        try:
            facts = run_child("measure", recording, {"max_seconds": self._max_seconds}, self._limits)
            size = os.fstat(recording.fileno()).st_size
            short = facts["duration_ms"] <= self._part_seconds * 1000
            if facts["media_type"] in NAMES and size <= self._max_upload_bytes and short:
                return [Part(os.pread(recording.fileno(), size, 0), facts["media_type"])]
            return self._reencoded(recording)
        except ChildFailed as failed:
            raise failure_of(failed) from None

    def _reencoded(self, recording: BinaryIO) -> list[Part]:
        arguments = {"max_seconds": self._max_seconds, "part_seconds": self._part_seconds}
        with tempfile.TemporaryFile() as output:
            parts = run_child("reencode", recording, arguments, self._limits, output=output)
            return [Part(os.pread(output.fileno(), part["size"], part["offset"]), REENCODED) for part in parts]

    def _ask(self, part: Part) -> Transcription:
        try:
            answer: object = self._client.audio.transcriptions.create(
                file=(NAMES[part.media_type], part.sound, part.media_type),
                model=self._model,
                response_format="json",
                **self._hints,
            )
        except APIError as error:
            raise _failure(error) from None
        except ValueError:  # what they sent is no JSON
            raise _unavailable() from None
        if not isinstance(answer, Transcription) or not isinstance(answer.text, str):
            raise _unavailable()
        return answer


def _failure(error: APIError) -> StepFailed:
    match error:
        case AuthenticationError() | PermissionDeniedError():
            message = "The transcription service does not accept our key."
            return StepFailed("transcriber_rejected", message, retryable=False)
        case RateLimitError():
            return StepFailed("transcriber_busy", "The transcription service is busy.", retryable=True)
        case APIStatusError(status_code=status) if status < 500 and status not in RETRYABLE_STATUS:
            message = "The transcription service does not accept this recording."
            return StepFailed("transcriber_refused", message, retryable=False)
        case _:
            return _unavailable()


def _unavailable() -> StepFailed:
    return StepFailed("transcriber_unavailable", "The transcription service cannot be reached.", retryable=True)


def _codes(languages: object) -> list[str]:
    """The codes in an answer's languages, whatever else is there: the library does not check what it is sent."""
    codes = [getattr(language, "code", None) for language in languages] if isinstance(languages, list) else []
    return [code.lower() for code in codes if isinstance(code, str)]


def _language(heard: Counter[str]) -> str | None:
    """The language heard in most parts, if their service was sure of one."""
    codes = [code.split("-")[0] for code, _ in heard.most_common(1)]
    return codes[0] if codes and ISO_639_1.fullmatch(codes[0]) else None

"""OpenAI's transcriber: sends the recording to their service in parts that it accepts."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from openai import (
    APIError,
    omit,
)
from openai.types.audio import Transcription

from adapters.model_servers import DEFAULT_SPEECH_MODEL, Fault, ModelServer, ServerMisconfigured, fault_of
from adapters.speech.child_process import Limits, run_child
from adapters.speech.errors import NO_SPEECH, ChildFailed
from adapters.speech.failures import failure_of, refusal
from domain.errors import StepFailed
from domain.ports import Report
from domain.values import Transcript

# The media types that the service accepts (not raw AAC), with the file names by which it recognises them.
FILE_NAMES = {
    "audio/wav": "recording.wav",
    "audio/mpeg": "recording.mp3",
    "audio/ogg": "recording.ogg",
    "audio/webm": "recording.webm",
    "audio/mp4": "recording.m4a",
    "audio/flac": "recording.flac",
}
REENCODED = "audio/ogg"

# The most bytes that one second takes in our own encoding.
REENCODED_BYTES_PER_SECOND = 5_000

ISO_639_1 = re.compile(r"[a-z]{2}")


@dataclass(frozen=True)
class Part:
    """A part of the recording as it is sent."""

    content: bytes
    media_type: str


class OpenAITranscriber:
    """Transcribes speech in every language that the service knows. The recording leaves this machine.

    Threads may call it at the same time.
    """

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None = None,
        model: str = DEFAULT_SPEECH_MODEL,
        *,
        timeout_seconds: float = 120.0,
        retries: int = 1,
        max_seconds: int = 3600,
        max_upload_bytes: int = 25_000_000,
        part_seconds: int = 1200,
    ) -> None:
        server = ModelServer(model, api_key, base_url)
        self._client = server.client(timeout_seconds, retries)
        self._headers = server.headers
        self._model = model
        self._max_seconds = max_seconds
        self._max_upload_bytes = max_upload_bytes
        self._part_seconds = min(part_seconds, max(1, max_upload_bytes // REENCODED_BYTES_PER_SECOND))
        output_mb = max_seconds * REENCODED_BYTES_PER_SECOND // 1_000_000 + 1
        self._limits = Limits(cpu_seconds=300, wall_seconds=600, memory_mb=1024, output_mb=output_mb)

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        """Return the transcript. Raise StepFailed, retryable if the service or the network is the cause."""
        parts = self._parts(recording)
        report(0.0)
        texts: list[str] = []
        languages: Counter[str] = Counter()
        for number, part in enumerate(parts, start=1):
            answer = self._transcribe_part(part, hints)
            texts.append(answer.text.strip())
            languages.update(_codes(answer.languages))
            report(number / len(parts))
        text = " ".join(filter(None, texts))
        if not text:
            raise refusal(NO_SPEECH)
        return Transcript(text, _language(languages), self._model)

    def _parts(self, recording: BinaryIO) -> list[Part]:
        """Return the recording unchanged if the service accepts it, otherwise encoded again in parts."""
        try:
            facts = run_child("measure", recording, {"max_seconds": self._max_seconds}, self._limits)
            size = os.fstat(recording.fileno()).st_size
            short = facts["duration_ms"] <= self._part_seconds * 1000
            if facts["media_type"] in FILE_NAMES and size <= self._max_upload_bytes and short:
                return [Part(os.pread(recording.fileno(), size, 0), facts["media_type"])]
            return self._reencoded(recording)
        except ChildFailed as failed:
            raise failure_of(failed) from None

    def _reencoded(self, recording: BinaryIO) -> list[Part]:
        arguments = {"max_seconds": self._max_seconds, "part_seconds": self._part_seconds}
        with tempfile.TemporaryFile() as output:
            parts = run_child("reencode", recording, arguments, self._limits, output=output)
            return [Part(os.pread(output.fileno(), part["size"], part["offset"]), REENCODED) for part in parts]

    def _transcribe_part(self, part: Part, hints: Sequence[str]) -> Transcription:
        try:
            answer: object = self._client.audio.transcriptions.create(
                file=(FILE_NAMES[part.media_type], part.content, part.media_type),
                model=self._model,
                response_format="json",
                extra_headers=self._headers,
                keywords=list(hints) if hints else omit,
            )
        except APIError as error:
            raise _failure(error) from None
        except ValueError:  # the answer is not JSON
            raise _unavailable() from None
        if not isinstance(answer, Transcription) or not isinstance(answer.text, str):
            raise _unavailable()
        return answer


def _failure(error: APIError) -> StepFailed:
    match fault := fault_of(error):
        case Fault.KEY_REJECTED:
            message = "The transcription service rejected our API key. Please try again later."
            return ServerMisconfigured("transcriber_rejected", message, fault)
        case Fault.MODEL_MISSING | Fault.ENDPOINT_MISSING:
            message = "Our transcription service is not set up correctly. Please try again later."
            return ServerMisconfigured("transcriber_misconfigured", message, fault)
        case Fault.BUSY:
            return StepFailed("transcriber_busy", "The transcription service is busy.", retryable=True)
        case Fault.REFUSED:
            message = "The transcription service rejected this recording."
            return StepFailed("transcriber_refused", message, retryable=False)
        case Fault.UNAVAILABLE:
            return _unavailable()


def _unavailable() -> StepFailed:
    return StepFailed("transcriber_unavailable", "The transcription service cannot be reached.", retryable=True)


def _codes(languages: object) -> list[str]:
    """Return the language codes of an answer. The library does not check the answer, so its shape is uncertain."""
    codes = [getattr(language, "code", None) for language in languages] if isinstance(languages, list) else []
    return [code.lower() for code in codes if isinstance(code, str)]


def _language(languages: Counter[str]) -> str | None:
    """Return the language of most parts, or None if the service detected none."""
    codes = [code.split("-")[0] for code, _ in languages.most_common(1)]
    return codes[0] if codes and ISO_639_1.fullmatch(codes[0]) else None

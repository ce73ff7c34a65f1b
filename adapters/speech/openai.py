"""A transcriber that sends the recording to OpenAI, or to a server with its API, in parts that it accepts."""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO, TypeVar

from openai import APIError, APIStatusError

from adapters.confined.child_process import Limits, run_child
from adapters.confined.errors import ChildFailed
from adapters.model_servers import DEFAULT_SPEECH_MODEL, Fault, ModelServer, failed_step, fault_of
from adapters.speech.errors import NO_SPEECH
from adapters.speech.failures import failure_of, refusal
from adapters.speech.transcription_answers import PartAnswer, hinted, parse, repeats, requests_for
from domain.errors import StepFailed
from domain.ports import Report
from domain.values import Segment, Transcript, Word

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

# By these a server says that it does not offer a request; it may also mean the recording.
NOT_OFFERED_STATUS = (400, 422, 501)


Timed = TypeVar("Timed", Segment, Word)


@dataclass(frozen=True)
class Part:
    """A part of the recording as it is sent."""

    content: bytes
    media_type: str
    start_ms: int
    duration_ms: int


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
        # Those that the server does not offer are left out from then on.
        self._requests = requests_for(model)
        self._max_seconds = max_seconds
        self._max_upload_bytes = max_upload_bytes
        self._part_seconds = min(part_seconds, max(1, max_upload_bytes // REENCODED_BYTES_PER_SECOND))
        output_mb = max_seconds * REENCODED_BYTES_PER_SECOND // 1_000_000 + 1
        self._limits = Limits(cpu_seconds=300, wall_seconds=600, memory_mb=1024, output_mb=output_mb)
        self._gate_limits = Limits(cpu_seconds=600, wall_seconds=1200, memory_mb=4096)

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        """Return the transcript. Raise StepFailed, retryable if the service or the network is the cause.

        A recording in which no voice is found on this machine is refused and not sent: models invent words in silence.
        """
        parts = self._parts(recording)
        report(0.0)
        answers: list[PartAnswer] = []
        for number, part in enumerate(parts, start=1):
            answers.append(self._transcribe_part(part, hints))
            report(number / len(parts))
        return _joined(parts, answers, self._model)

    def _parts(self, recording: BinaryIO) -> list[Part]:
        """Return the recording unchanged if the service accepts it, otherwise encoded again in parts."""
        try:
            arguments = {"max_seconds": self._max_seconds}
            facts = run_child("measure", recording, arguments, self._limits)
            run_child("require_speech", recording, arguments, self._gate_limits)
            size = os.fstat(recording.fileno()).st_size
            short = facts["duration_ms"] <= self._part_seconds * 1000
            if facts["media_type"] in FILE_NAMES and size <= self._max_upload_bytes and short:
                return [Part(os.pread(recording.fileno(), size, 0), facts["media_type"], 0, facts["duration_ms"])]
            return self._reencoded(recording)
        except ChildFailed as failed:
            raise failure_of(failed) from None

    def _reencoded(self, recording: BinaryIO) -> list[Part]:
        arguments = {"max_seconds": self._max_seconds, "part_seconds": self._part_seconds}
        with tempfile.TemporaryFile() as output:
            encoded = run_child("reencode", recording, arguments, self._limits, output=output)
            parts, start_ms = [], 0
            for part in encoded:
                content = os.pread(output.fileno(), part["size"], part["offset"])
                parts.append(Part(content, REENCODED, start_ms, part["duration_ms"]))
                start_ms += part["duration_ms"]
            return parts

    def _transcribe_part(self, part: Part, hints: Sequence[str]) -> PartAnswer:
        requests = self._requests
        for number, request in enumerate(requests, start=1):
            try:
                body = self._client.audio.transcriptions.with_raw_response.create(
                    file=(FILE_NAMES[part.media_type], part.content, part.media_type),
                    model=self._model,
                    extra_headers=self._headers,
                    extra_body={**request, **hinted(self._model, hints)},
                ).content
            except APIError as error:
                fault = fault_of(error)
                offered = not isinstance(error, APIStatusError) or error.status_code not in NOT_OFFERED_STATUS
                if offered or number == len(requests) or fault is not Fault.REFUSED:
                    raise _failure(fault) from None
                continue
            self._requests = requests[number - 1 :]
            try:
                answer = parse(body, part.duration_ms)
            except ValueError:
                raise _failure(Fault.UNAVAILABLE) from None
            return PartAnswer("") if repeats(answer.text, hints) else answer
        raise AssertionError("the last request has no other after it")


def _joined(parts: list[Part], answers: list[PartAnswer], model: str) -> Transcript:
    """Return the transcript of all parts; it has segments or words only if every part with a text has them."""
    spoken = [(part.start_ms, answer) for part, answer in zip(parts, answers, strict=True) if answer.text]
    if not spoken:
        raise refusal(NO_SPEECH)
    languages = Counter(code for answer in answers for code in answer.languages).most_common(1)
    segments = [_shifted(answer.segments, start_ms) for start_ms, answer in spoken]
    if len(spoken) > 1:
        # Each part has names of its own for the speakers.
        segments = [tuple(replace(segment, speaker=None) for segment in part) for part in segments]
    words = [_shifted(answer.words, start_ms) for start_ms, answer in spoken]
    return Transcript(
        " ".join(answer.text for _, answer in spoken),
        languages[0][0] if languages else None,
        model,
        tuple(chain.from_iterable(segments)) if all(segments) else None,
        tuple(chain.from_iterable(words)) if all(words) else None,
    )


def _shifted(times: tuple[Timed, ...] | None, start_ms: int) -> tuple[Timed, ...]:
    return tuple(
        replace(time, start_ms=time.start_ms + start_ms, end_ms=time.end_ms + start_ms) for time in times or ()
    )


def _failure(fault: Fault) -> StepFailed:
    refused = StepFailed("transcriber_refused", "The transcription service rejected this recording.", retryable=False)
    return failed_step(fault, "transcriber", "transcription", refused)

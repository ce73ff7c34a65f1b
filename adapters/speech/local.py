"""The local transcriber: pocketsphinx and its English model, no network, in a child process with limits."""

from collections.abc import Sequence
from typing import BinaryIO

from pydantic import TypeAdapter

from adapters.speech.child_process import Limits, run_child
from adapters.speech.errors import ChildFailed
from adapters.speech.failures import failure_of
from domain.ports import Report
from domain.values import Segment, Transcript, Word

ENGINE = "pocketsphinx"
LANGUAGE = "en"

SEGMENTS = TypeAdapter(tuple[Segment, ...])
WORDS = TypeAdapter(tuple[Word, ...])


class LocalTranscriber:
    """Transcribes English speech on this machine, in about a third of the recording's duration.

    Threads may call it at the same time; each call starts its own child process.
    """

    def __init__(
        self,
        max_seconds: int = 3600,
        *,
        cpu_seconds: int = 3 * 3600,
        wall_seconds: int = 4 * 3600,
        memory_mb: int = 2048,
    ) -> None:
        self._max_seconds = max_seconds
        self._limits = Limits(cpu_seconds, wall_seconds, memory_mb)

    def transcribe(
        self,
        recording: BinaryIO,
        report: Report,
        hints: Sequence[str] = (),  # noqa: ARG002 - this recogniser takes no hints
    ) -> Transcript:
        """Return the transcript. Raise StepFailed if the recording has no speech or is not English."""
        arguments = {"max_seconds": self._max_seconds}
        try:
            result = run_child("recognise", recording, arguments, self._limits, report=report)
        except ChildFailed as failed:
            raise failure_of(failed) from None
        segments = SEGMENTS.validate_python(result["segments"])
        return Transcript(result["text"], LANGUAGE, ENGINE, segments, WORDS.validate_python(result["words"]))

"""The local transcriber: pocketsphinx and its English model, no network, in a child process with limits."""

from __future__ import annotations

from typing import BinaryIO

from pydantic import TypeAdapter

from adapters.speech.bounded import ChildFailed, Limits, run_child
from adapters.speech.failures import failure_of
from domain.ports import Report
from domain.values import Segment, Transcript, Word

ENGINE = "pocketsphinx"
LANGUAGE = "en"

SEGMENTS = TypeAdapter(tuple[Segment, ...])
WORDS = TypeAdapter(tuple[Word, ...])


class LocalTranscriber:
    """Writes down English speech on this machine, at about a third of the time it took to say.

    Safe to call from many threads at once; each call has a child process of its own.
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

    def transcribe(self, recording: BinaryIO, report: Report) -> Transcript:
        """What is said in English; StepFailed if nobody speaks or it is not English."""
        arguments = {"max_seconds": self._max_seconds}
        try:
            heard = run_child("recognise", recording, arguments, self._limits, report=report)
        except ChildFailed as failed:
            raise failure_of(failed) from None
        segments = SEGMENTS.validate_python(heard["segments"])
        return Transcript(heard["text"], LANGUAGE, ENGINE, segments, WORDS.validate_python(heard["words"]))

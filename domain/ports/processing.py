"""The tools that turn a recording into a draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol

from domain.values import Analysis, AudioFacts, Draft, Transcript

# Takes the finished part of a step, 0..1, and raises Superseded to stop the work.
Report = Callable[[float], None]


class AudioInspector(Protocol):
    def inspect(self, recording: BinaryIO) -> AudioFacts:
        """Return the facts found by decoding; NotAudioError or AudioTooLongError if the recording is not accepted.

        `recording` is a seekable file with a file descriptor; its position is not preserved.
        """


class Transcriber(Protocol):
    def transcribe(self, recording: BinaryIO, report: Report) -> Transcript:
        """Return the transcript of an inspected recording; StepFailed (`no_speech`, `unsupported_language`, …) if none.

        Calls `report` as it advances, and leaves no process behind when `report` raises.
        """


class Analyser(Protocol):
    def analyse(self, transcript: Transcript) -> Analysis:
        """Return the analysis of the transcript."""


class Drafter(Protocol):
    def draft(self, transcript: Transcript, analysis: Analysis) -> Draft:
        """Return a draft made from the transcript alone: fields that it does not mention stay None. Or StepFailed."""

"""A transcriber with a fixed outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from domain.errors import StepFailed
from domain.ports import Report
from domain.values import Transcript

TRANSCRIPT = Transcript(
    "Hello, my name is David Miller. I want to raise five thousand dollars for my family.", "en", "fake"
)


@dataclass
class FakeTranscriber:
    """Returns `outcome` for every recording, or raises it if it is a failure. Records the hints that it gets."""

    outcome: Transcript | StepFailed = TRANSCRIPT
    hints: list[Sequence[str]] = field(default_factory=list)

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        self.hints.append(hints)
        report(0.0)
        if isinstance(self.outcome, StepFailed):
            raise self.outcome
        report(1.0)
        return self.outcome

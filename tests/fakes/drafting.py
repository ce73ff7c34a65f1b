"""An analyser and a drafter with fixed answers that record their requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.errors import StepFailed
from domain.values import Analysis, Draft, Money, Sentiment, Transcript, Urgency

ANALYSIS = Analysis(
    language="en",
    sentiment=Sentiment.NEGATIVE,
    urgency=Urgency.HIGH,
    key_points=("We need fifteen hundred dollars for the rent.",),
)
DRAFT = Draft(
    title="Help Ada Moss with rent",
    story="My name is Ada Moss. We need fifteen hundred dollars for the rent.",
    goal=Money(150_000, "USD"),
    currency="USD",
    beneficiary="Ada Moss",
    location="Portland, Oregon",
    category="HOUSING",
)


@dataclass
class FakeAnalyser:
    """Returns `analysis`, or raises `failure` if it is set."""

    analysis: Analysis = ANALYSIS
    failure: StepFailed | None = None
    transcripts: list[Transcript] = field(default_factory=list)

    def analyse(self, transcript: Transcript) -> Analysis:
        self.transcripts.append(transcript)
        if self.failure is not None:
            raise self.failure
        return self.analysis


@dataclass
class FakeDrafter:
    """Returns `proposal`, or raises `failure` if it is set."""

    proposal: Draft = DRAFT
    failure: StepFailed | None = None
    transcripts: list[Transcript] = field(default_factory=list)

    def draft(self, transcript: Transcript, analysis: Analysis) -> Draft:
        self.transcripts.append(transcript)
        if self.failure is not None:
            raise self.failure
        return self.proposal

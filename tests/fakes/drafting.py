"""An analyser and a drafter with fixed answers that record their requests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from domain.errors import StepFailed
from domain.values import Analysis, Draft, Money, Sentiment, Source, Transcript, Urgency

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
    engine="fake",
)

# A draft of which the recording has the first sentence; nobody knows where the rest was said.
SPOKEN = replace(
    DRAFT,
    sources=(
        *(Source(name, start=0, end=26) for name in ("title", "goal", "beneficiary", "location", "category")),
        Source("story", 1, start=0, end=17, start_ms=200, end_ms=700),
        Source("story", 2, start=18, end=26),
    ),
)


def heard(draft: Draft, transcript: Transcript) -> Draft:
    """Return the draft with the whole transcript as the source of every field."""
    fields = (name for name in Draft.names() if name != "currency" and getattr(draft, name))
    return replace(draft, sources=tuple(Source(name, start=0, end=len(transcript.text)) for name in fields))


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
    """Returns `proposal`, with the whole transcript as its source, or raises `failure` if it is set."""

    proposal: Draft = DRAFT
    failure: StepFailed | None = None
    transcripts: list[Transcript] = field(default_factory=list)

    def draft(self, transcript: Transcript, analysis: Analysis, currency: str = "USD") -> Draft:
        del currency
        self.transcripts.append(transcript)
        if self.failure is not None:
            raise self.failure
        return self.proposal if self.proposal.sources else heard(self.proposal, transcript)

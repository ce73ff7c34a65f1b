"""The contract that every analyser and drafter keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.drafting.openai import OpenAIDrafter
from domain.ports import Analyser, Drafter
from domain.values import Money, Sentiment, Transcript, Urgency
from tests.fakes.openai_responses import responses_server, text_reply

SPEECH = (
    "This is Ashley Williams. We live in Portland, Oregon. I lost my job, and our landlord sent an "
    "eviction notice. I make $400 a week. I need $2,000 for rent by Friday."
)
NO_REQUEST = "It is raining today and the bus was late."


@dataclass
class Pair:
    analyser: Analyser
    drafter: Drafter


def answers(speech: str) -> list[dict[str, object]]:
    """Return the answers of a correct model: first the analysis, then the campaign."""
    is_empty = speech == NO_REQUEST
    campaign = {
        "title": None if is_empty else "Help Ashley Williams with rent",
        "story": speech,
        "goal_amount": None if is_empty else "2000",
        "currency": None if is_empty else "USD",
        "beneficiary": None if is_empty else "Ashley Williams",
        "location": None if is_empty else "Portland, Oregon",
        "category": None if is_empty else "HOUSING",
        "breakdown": [],
    }
    analysis = {
        "language": "en",
        "sentiment": "neutral" if is_empty else "negative",
        "urgency": "MEDIUM" if is_empty else "CRITICAL",
        "key_points": [] if is_empty else ["I need $2,000 for rent by Friday."],
    }
    return [analysis, campaign]


@pytest.fixture(params=["local", "openai"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    if request.param == "local":
        yield Pair(LocalAnalyser(), LocalDrafter())
        return
    speech = request.getfixturevalue("speech")
    with responses_server() as server:
        server.replies = [text_reply(answer) for answer in answers(speech)]
        both = OpenAIDrafter("sk-test", base_url=server.url, timeout_seconds=60, max_retries=0)
        yield Pair(both, both)
        both.close()


@pytest.mark.parametrize("speech", [SPEECH])
def test_a_draft_contains_what_the_speaker_said(pair, speech):
    transcript = Transcript(speech, "en", "test")
    analysis = pair.analyser.analyse(transcript)
    draft = pair.drafter.draft(transcript, analysis)
    assert (analysis.language, analysis.sentiment, analysis.urgency) == ("en", Sentiment.NEGATIVE, Urgency.CRITICAL)
    assert "I need $2,000 for rent by Friday." in analysis.key_points
    assert draft.title == "Help Ashley Williams with rent"
    assert (draft.goal, draft.currency) == (Money(200_000, "USD"), "USD")
    assert (draft.beneficiary, draft.location, draft.category) == ("Ashley Williams", "Portland, Oregon", "HOUSING")
    assert draft.story == SPEECH


@pytest.mark.parametrize("speech", [NO_REQUEST])
def test_values_that_were_not_said_stay_empty(pair, speech):
    transcript = Transcript(speech, "en", "test")
    analysis = pair.analyser.analyse(transcript)
    draft = pair.drafter.draft(transcript, analysis)
    assert analysis.urgency == Urgency.MEDIUM
    assert (draft.title, draft.goal, draft.currency, draft.beneficiary, draft.location) == (None,) * 5
    assert draft.breakdown == ()
    assert draft.story == NO_REQUEST

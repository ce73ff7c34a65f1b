"""What every analyser and drafter keeps, whoever writes the words."""

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
    "Hello, this is Ashley Williams. We live in Portland, Oregon. I lost my job, and our landlord sent an "
    "eviction notice. I make $400 a week. I need $2,000 for rent by Friday."
)
NOTHING_SAID = "Hello. It is raining today and the bus was late."


@dataclass
class Pair:
    analyser: Analyser
    drafter: Drafter


def answered(speech: str) -> list[dict[str, object]]:
    """What a model that keeps to its task answers: first the analysis, then the campaign."""
    silent = speech == NOTHING_SAID
    campaign = {
        "title": None if silent else "Help Ashley Williams with rent",
        "story": speech,
        "goal_amount": None if silent else "2000",
        "currency": None if silent else "USD",
        "beneficiary": None if silent else "Ashley Williams",
        "location": None if silent else "Portland, Oregon",
        "category": None if silent else "HOUSING",
        "breakdown": [],
    }
    reading = {
        "language": "en",
        "sentiment": "neutral" if silent else "negative",
        "urgency": "MEDIUM" if silent else "CRITICAL",
        "key_points": [] if silent else ["I need $2,000 for rent by Friday."],
    }
    return [reading, campaign]


@pytest.fixture(params=["local", "openai"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    if request.param == "local":
        yield Pair(LocalAnalyser(), LocalDrafter())
        return
    speech = request.getfixturevalue("speech")
    with responses_server() as server:
        server.replies = [text_reply(answer) for answer in answered(speech)]
        both = OpenAIDrafter("sk-test", base_url=server.url, timeout_seconds=5, max_retries=0)
        yield Pair(both, both)
        both.close()


@pytest.mark.parametrize("speech", [SPEECH])
def test_a_campaign_is_made_of_what_was_said(pair, speech):
    transcript = Transcript(speech, "en", "test")
    analysis = pair.analyser.analyse(transcript)
    draft = pair.drafter.draft(transcript, analysis)
    assert (analysis.language, analysis.sentiment, analysis.urgency) == ("en", Sentiment.NEGATIVE, Urgency.CRITICAL)
    assert "I need $2,000 for rent by Friday." in analysis.key_points
    assert draft.title == "Help Ashley Williams with rent"
    assert (draft.goal, draft.currency) == (Money(200_000, "USD"), "USD")
    assert (draft.beneficiary, draft.location, draft.category) == ("Ashley Williams", "Portland, Oregon", "HOUSING")
    assert draft.story == SPEECH


@pytest.mark.parametrize("speech", [NOTHING_SAID])
def test_what_nobody_said_stays_open(pair, speech):
    transcript = Transcript(speech, "en", "test")
    analysis = pair.analyser.analyse(transcript)
    draft = pair.drafter.draft(transcript, analysis)
    assert analysis.urgency == Urgency.MEDIUM
    assert (draft.title, draft.goal, draft.currency, draft.beneficiary, draft.location) == (None,) * 5
    assert draft.breakdown == ()
    assert draft.story == NOTHING_SAID

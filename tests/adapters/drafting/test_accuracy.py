"""Lower limits of the local drafter's accuracy on stories of `tests/fixtures`, well below the real figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.evaluation.stories import Drafted, Shares, by_source, drafted, stories_in

TEMPLATES = "fuzz500"
ALL_STORIES = stories_in(Path(__file__).parents[2] / "fixtures" / "stories.jsonl")
# The stories of this set are a few templates with small changes, so a part of them is enough.
STORIES = [story for number, story in enumerate(ALL_STORIES) if story.source != TEMPLATES or number % 8 == 0]


@pytest.fixture(scope="module")
def results() -> list[Drafted]:
    return [drafted(story) for story in STORIES]


def test_the_stories_come_from_four_sources(results):
    assert set(by_source(results)) == {"core30", "hard60", "realistic50", TEMPLATES}


@pytest.mark.parametrize(
    ("field", "floor"), [("name", 0.9), ("category", 0.85), ("urgency", 0.8), ("goal", 0.9), ("all", 0.7)]
)
def test_most_stories_are_drafted_correctly(results, field, floor):
    assert getattr(Shares.of(results), field) >= floor


@pytest.mark.parametrize("source", ["core30", "hard60", "realistic50", TEMPLATES])
def test_more_than_half_of_every_source_is_drafted_correctly(results, source):
    assert by_source(results)[source].all >= 0.55

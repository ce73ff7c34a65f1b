"""Lower limits of the local drafter's accuracy on the stories of `tests/fixtures`, well below the real figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.drafting_accuracy import Score, scored, stories_in

STORIES = stories_in(Path(__file__).parents[2] / "fixtures" / "stories.jsonl")


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return scored(STORIES)


def test_there_are_sixty_stories_in_four_sets(scores):
    assert {name: score.stories for name, score in scores.items()} == {
        "core30": 10,
        "hard60": 16,
        "realistic50": 12,
        "fuzz500": 22,
        "all sets": 60,
    }


@pytest.mark.parametrize(
    ("field", "floor"), [("name", 0.9), ("category", 0.85), ("urgency", 0.8), ("goal", 0.9), ("all four", 0.7)]
)
def test_most_stories_are_drafted_correctly(scores, field, floor):
    assert scores["all sets"].share(field) >= floor


@pytest.mark.parametrize("name", ["core30", "hard60", "realistic50", "fuzz500"])
def test_more_than_half_of_every_set_is_drafted_correctly(scores, name):
    assert scores[name].share("all four") >= 0.55

"""Floors under the local drafter's accuracy, well below what it reaches, on the stories of `tests/fixtures`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.benchmarks.drafting_accuracy import Score, right_fields, scored, stories_in

STORIES = stories_in(Path(__file__).parents[2] / "fixtures" / "stories.jsonl")


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return scored(STORIES)


def test_there_are_sixty_stories_of_four_sets(scores):
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
def test_most_stories_are_understood(scores, field, floor):
    assert scores["all sets"].share(field) >= floor


@pytest.mark.parametrize("name", ["core30", "hard60", "realistic50", "fuzz500"])
def test_every_set_is_understood_better_than_by_half(scores, name):
    assert scores[name].share("all four") >= 0.55


def test_a_warm_story_takes_less_than_fifty_milliseconds():
    spent = []
    for story in STORIES[:20]:
        started = time.perf_counter()
        right_fields(story)
        spent.append(time.perf_counter() - started)
    assert sorted(spent)[len(spent) // 2] < 0.05

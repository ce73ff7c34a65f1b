"""Compares ways to classify stories across sources: each source is read by what was made from the others only.

python -m tests.benchmarks.cross_source [STORIES.jsonl]
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from adapters.drafting import categories, urgency
from adapters.drafting.amounts import Amount
from adapters.drafting.categories import Categories, listed, pattern_of
from adapters.drafting.goal import goal_of
from adapters.drafting.urgency import Urgencies
from adapters.drafting.utterance import Utterance
from adapters.evaluation.stories import NO_CATEGORY, Drafted, Shares, Story, by_source, drafted, stories_in

STORIES = Path(__file__).parents[2] / "tests" / "fixtures" / "stories.jsonl"
# The stories of this set are a few templates with small changes. They count for training, but not in the last column.
TEMPLATES = "fuzz500"
L2 = 0.003
ROUNDS = 400


@dataclass(frozen=True)
class Read:
    """A story with what the drafter finds in it."""

    story: Story
    utterance: Utterance
    goal: Amount | None
    drafted: Drafted

    @classmethod
    def of(cls, story: Story) -> Read:
        utterance = Utterance.of(story.transcript, "en")
        goal = goal_of(utterance)
        return cls(story, utterance, goal[1] if goal else None, drafted(story))


def section(path: Path) -> str:
    """Return the table of all ways."""
    stories = [Read.of(story) for story in stories_in(path)]
    ways = {
        "rules": [read.drafted for read in stories],
        "rules without the source's own expressions": without_own_expressions(stories),
        "linear model over words and parts of words": linear(stories),
    }
    sources = list(by_source(ways["rules"]))
    lines = [
        "Category and urgency across sources. The rules were written with all sources in sight, so the second way",
        "reads each source without the expressions that no other has, which is less than anybody would list. The",
        "linear model is trained on the other sources. Name and goal are always those of the rules.",
        "",
        "| way | field | " + " | ".join(sources) + " | all but templates |",
        "| --- | --- |" + " --- |" * (len(sources) + 1),
    ]
    for way, results in ways.items():
        shares = by_source(results)
        real = Shares.of([result for result in results if result.story.source != TEMPLATES])
        for field in ("category", "urgency", "all"):
            values = [getattr(each, field) for each in (*(shares[source] for source in sources), real)]
            name = "all four" if field == "all" else field
            lines.append(f"| {way} | {name} | " + " | ".join(f"{value:.1%}" for value in values) + " |")
    return "\n".join(lines)


def without_own_expressions(stories: Sequence[Read]) -> list[Drafted]:
    """Return what rules find whose expressions occur in another source as well, or in none."""
    rules = {}
    for source in {read.story.source for read in stories}:

        def kept(text: str, source: str = source) -> str:
            return ",".join(each for each in listed(text) if _sources_with(each, stories) != {source}) or "-"

        of_categories = {
            category: {strength: kept(text) for strength, text in lists.items()}
            for category, lists in categories.EXPRESSIONS.items()
        }
        of_urgencies = {name: kept(text) for name, text in urgency.EXPRESSIONS.items()}
        rules[source] = Categories(of_categories), Urgencies(of_urgencies)
    results = []
    for read in stories:
        by_category, by_urgency = rules[read.story.source]
        category = by_category.of(read.utterance, read.goal) or NO_CATEGORY
        results.append(replace(read.drafted, category=category, urgency=str(by_urgency.of(read.utterance))))
    return results


def _sources_with(expression: str, stories: Sequence[Read]) -> set[str]:
    pattern = pattern_of([expression])
    return {read.story.source for read in stories if pattern.search(read.utterance.normalized.text)}


def linear(stories: Sequence[Read]) -> list[Drafted]:
    """Return what a multinomial logistic regression finds that was trained on the other sources."""
    features = _features([read.story.transcript for read in stories])
    sources = np.array([read.story.source for read in stories])
    # A template counts as two stories, however often it occurs.
    copies = Counter((read.story.source, read.story.expected.name) for read in stories)
    weights = np.array([
        2 / copies[read.story.source, read.story.expected.name] if read.story.source == TEMPLATES else 1.0
        for read in stories
    ])  # fmt: skip
    found: dict[str, list[str]] = {}
    labels: Mapping[str, Callable[[Story], str]] = {
        "category": lambda story: story.expected.category,
        "urgency": lambda story: story.expected.urgency,
    }
    for field, label in labels.items():
        truth = np.array([label(read.story) for read in stories])
        answers = truth.copy()
        for source in set(sources):
            others = sources != source
            classes = sorted(set(truth[others]))
            model = _trained(features[others], [classes.index(each) for each in truth[others]], weights[others])
            answers[~others] = np.array(classes)[(features[~others] @ model).argmax(axis=1)]
        found[field] = [str(answer) for answer in answers]
    return [
        replace(read.drafted, category=category, urgency=level)
        for read, category, level in zip(stories, found["category"], found["urgency"], strict=True)
    ]


def _features(texts: Sequence[str]) -> np.ndarray:
    """Return for each text which words, pairs of words and parts of words it has, with length 1, and a constant."""
    grams = []
    for text in texts:
        words = re.findall(r"[a-z'0]+", re.sub(r"\d[\d,.]*", "0", text.lower()))
        parts = {f"#<{word}>"[at : at + size] for word in words for size in (4, 5) for at in range(len(word))}
        grams.append({*words, *map(" ".join, pairwise(words)), *parts})
    columns = {gram: number for number, gram in enumerate(sorted(set().union(*grams)))}
    features = np.zeros((len(texts), len(columns) + 1))
    for row, found in enumerate(grams):
        features[row, [columns[gram] for gram in found]] = 1 / np.sqrt(len(found))
    features[:, -1] = 1
    return features


def _trained(features: np.ndarray, labels: Sequence[int], weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of each class, by accelerated gradient descent."""
    truth = np.eye(max(labels) + 1)[labels]
    step = 1 / (np.linalg.norm(features * np.sqrt(weights)[:, None], 2) ** 2 / 2 + L2)
    model = ahead = np.zeros((features.shape[1], truth.shape[1]))
    momentum = 1.0
    for _ in range(ROUNDS):
        scores = features @ ahead
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        wrong = (odds / odds.sum(axis=1, keepdims=True) - truth) * weights[:, None]
        following = ahead - step * (features.T @ wrong + L2 * ahead)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + (momentum - 1) / faster * (following - model)
        model, momentum = following, faster
    return model


if __name__ == "__main__":
    print(section(Path(sys.argv[1]) if len(sys.argv) > 1 else STORIES))

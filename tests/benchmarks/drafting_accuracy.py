"""Measures the accuracy of the local drafter on labelled stories, for each set.

Run it as `python -m tests.benchmarks.drafting_accuracy STORIES.jsonl`. Each line is one story as a JSON object:
`{id, set, transcript, expected: {name, category, urgency, goalAmount, goalTolerance}}`. Name, category and urgency must
be equal, the goal within the tolerance. A story without a category counts as OTHER.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.drafting.names import speaker_in
from adapters.drafting.utterance import Utterance
from domain.values import Transcript

FIELDS = ("name", "category", "urgency", "goal")


@dataclass
class Score:
    """The number of stories in a set, and of those that are right in each field and in all four."""

    stories: int = 0
    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*FIELDS, "all four"), 0))

    def share(self, name: str) -> float:
        return self.right[name] / self.stories if self.stories else 0.0


def stories_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def right_fields(story: dict[str, Any]) -> dict[str, bool]:
    """Return for each label of a story whether the local drafter finds it."""
    expected = story["expected"]
    transcript = Transcript(story["transcript"], None, "labelled")
    analysis = LocalAnalyser().analyse(transcript)
    draft = LocalDrafter().draft(transcript, analysis)
    return {
        "name": speaker_in(Utterance.of(transcript.text, analysis.language)) == expected["name"],
        "category": (draft.category or "OTHER") == expected["category"],
        "urgency": analysis.urgency == expected["urgency"],
        "goal": _is_near(draft.goal.major if draft.goal else None, expected["goalAmount"], expected["goalTolerance"]),
    }


def scored(stories: Iterable[dict[str, Any]]) -> dict[str, Score]:
    """Return the score of each set and of all sets together."""
    scores: dict[str, Score] = {}
    for story in stories:
        right = right_fields(story)
        for name in (story["set"], "all sets"):
            score = scores.setdefault(name, Score())
            score.stories += 1
            for label, value in (*right.items(), ("all four", all(right.values()))):
                score.right[label] += value
    return dict(sorted(scores.items(), key=lambda item: item[0] == "all sets"))


def _is_near(amount: Decimal | None, expected: float | None, tolerance: float | None) -> bool:
    if amount is None or expected is None:
        return amount is None and expected is None
    return abs(amount - Decimal(str(expected))) <= Decimal(str(tolerance or 0))


def main(path: str) -> None:
    stories = stories_in(Path(path))
    right_fields(stories[0])
    started = time.perf_counter()
    scores = scored(stories)
    spent = (time.perf_counter() - started) * 1000 / len(stories)
    lines = [f"{'set':<14}{'stories':>8}" + "".join(f"{name:>10}" for name in (*FIELDS, "all four"))]
    for name, score in scores.items():
        lines.append(f"{name:<14}{score.stories:>8}" + "".join(f"{score.share(label):>10.1%}" for label in score.right))
    sys.stdout.write("\n".join([*lines, f"{spent:.1f} ms per story, warm", ""]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.benchmarks.drafting_accuracy STORIES.jsonl")
    main(sys.argv[1])

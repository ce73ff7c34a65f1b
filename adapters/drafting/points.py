"""Finds the key points of a story and the parts of its budget."""

import re
from collections.abc import Sequence
from decimal import Decimal

from adapters.drafting.amounts import Amount
from adapters.drafting.categories import scores_of
from adapters.drafting.goal import goal_candidates
from adapters.drafting.parts import purpose_of
from adapters.drafting.story import Story
from adapters.drafting.utterance import Utterance
from adapters.drafting.vocabulary import TABLES
from domain.values import Money, decimals

MAX_POINTS, MAX_POINT = 5, 200
MAX_LINES, MAX_LINE = 20, 200

_NEED_WORDS = re.compile(
    r"\b(?:need|needs|help|cost|costs|lost|because|sick|surgery|evict\w*|behind|bill|bills|job|hospital|necesit\w*)\b",
    re.I,
)


def key_points_of(story: Story, language: str | None) -> tuple[str, ...]:
    """Return at most five sentences of the story about the need and its amounts, in order.

    If the story was shortened, the last point says so instead.
    """
    sentences = [sentence.text for sentence in story.sentences]
    note = _shortening_note(story, language)
    weights = [_weight(sentence) for sentence in sentences]
    ranked = sorted((at for at, weight in enumerate(weights) if weight), key=lambda at: (-weights[at], at))
    return (*(_shortened(sentences[at]) for at in sorted(ranked[: MAX_POINTS - len(note)])), *note)


def _shortening_note(story: Story, language: str | None) -> tuple[str, ...]:
    if not story.left_out:
        return ()
    kept = len(story.sentences)
    text = TABLES["shortened_story"]["es" if language == "es" else "en"]
    return (text.format(kept=kept, all=kept + story.left_out),)


def parts_of(utterance: Utterance, amounts: Sequence[Amount], goal: Money) -> list[tuple[str, Decimal]]:
    """Return the purposes and values of the goal's parts if they add up to it, otherwise []."""
    parts = [
        (purpose, candidate.amount.value)
        for candidate in goal_candidates(utterance, amounts)
        if 0 < candidate.amount.value < goal.major and candidate.score > 0 and not candidate.amount.foreign
        if (purpose := purpose_of(candidate.amount, utterance))
    ]
    return parts if len(parts) > 1 and sum(value for _, value in parts) == goal.major else []


def breakdown_of(parts: Sequence[tuple[str, Decimal]], currency: str) -> tuple[str, ...]:
    """Return a line for each part of the goal: "rent: 500 USD"."""
    return tuple(f"{purpose}: {_price(value, currency)}"[:MAX_LINE] for purpose, value in parts[:MAX_LINES])


def _weight(sentence: str) -> int:
    """Return how much a sentence says about the need, 0 for a greeting or a name."""
    need_words = len(_NEED_WORDS.findall(sentence))
    amount = bool(re.search(r"\d{2}|\b(?:hundred|thousand|mil)\b", sentence))
    keywords = min(3, sum(scores_of(Utterance.of(sentence, None), None).values())) if len(sentence.split()) > 3 else 0
    return 2 * need_words + 3 * (amount and need_words > 0) + keywords


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= MAX_POINT else sentence[: MAX_POINT - 1].rsplit(" ", 1)[0] + "…"


def _price(value: Decimal, currency: str) -> str:
    whole = value == value.to_integral_value()
    return f"{int(value):,} {currency}" if whole else f"{value:,.{decimals(currency)}f} {currency}"

"""The sentences that matter most, and the lines of a budget, as they were said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from adapters.drafting.amounts import Amount
from adapters.drafting.categories import scores_of
from adapters.drafting.goal import Ask, weighed
from adapters.drafting.speech import Utterance, tokens_of
from domain.values import Money, decimals

MAX_POINTS, MAX_POINT = 5, 200
# The need is told early; what a long story says after this repeats it.
_HEARD_CHARACTERS = 20_000
MAX_LINES, MAX_LINE = 20, 200

_TELLING = re.compile(
    r"\b(?:need|needs|help|cost|costs|lost|because|sick|surgery|evict\w*|behind|bill|bills|job|hospital|necesit\w*)\b",
    re.I,
)
_PURPOSE = re.compile(
    r" ?(?:dollars |more |bucks |euros |pounds |yen )*(?:for|on|towards?) (?:the |my |our |a |his |her "
    r"|their )?(?P<what>(?:(?!(?:and|but|so|plus|to|by|before|because|i|we)\b)[^\W\d_][\w'-]* ){1,5})"
)
_NAMED = re.compile(
    r"(?P<what>(?:(?<![\w'-])(?!(?:and|but|so|my|the|our|that|that's|plus|her|his|it|this|they|total"
    r"|goal)\b)[^\W\d_][\w'-]* ){1,3})(?:is|are|costs?|will cost|runs) (?:about |around )?$"
)


def key_points_of(story: str | None) -> tuple[str, ...]:
    """At most five sentences of the story, those that tell of the need and its amounts, in their order."""
    if not story:
        return ()
    sentences = _sentences_of(story[:_HEARD_CHARACTERS])
    weights = [_weight(sentence) for sentence in sentences]
    ranked = sorted((at for at, weight in enumerate(weights) if weight), key=lambda at: (-weights[at], at))[:MAX_POINTS]
    return tuple(_cut(sentences[at]) for at in sorted(ranked))


def breakdown_of(speech: Utterance, amounts: Sequence[Amount], goal: Money) -> tuple[str, ...]:
    """What the goal is made of, where its parts were said and add up to it: "rent: 500 USD"."""
    parts: list[tuple[str, Decimal]] = []
    for ask in weighed(speech, amounts):
        what = _spent_on(speech, ask)
        if what and ask.score > 0 and not ask.amount.foreign and ask.amount.value < goal.major:
            parts.append((what, ask.amount.value))
    if len(parts) < 2 or sum(value for _, value in parts) != goal.major:
        return ()
    return tuple(f"{what}: {_price(value, goal.currency)}"[:MAX_LINE] for what, value in parts[:MAX_LINES])


def _sentences_of(story: str) -> list[str]:
    tokens = tokens_of(story)
    starts = [token.start for before, token in pairwise(tokens) if token.sentence != before.sentence]
    return [story[start:end].strip() for start, end in zip([0, *starts], [*starts, len(story)], strict=True)]


def _weight(sentence: str) -> int:
    """How much a sentence tells of the need; 0 for a greeting or a name."""
    telling = len(_TELLING.findall(sentence))
    amount = bool(re.search(r"\d{2}|\b(?:hundred|thousand|mil)\b", sentence))
    signs = min(3, sum(scores_of(Utterance.of(sentence, None), None).values())) if len(sentence.split()) > 3 else 0
    return 2 * telling + 3 * (amount and telling > 0) + signs


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= MAX_POINT else sentence[: MAX_POINT - 1].rsplit(" ", 1)[0] + "…"


def _spent_on(speech: Utterance, ask: Ask) -> str | None:
    line, starts = speech.line.text, speech.line.starts
    before = starts.get(ask.amount.first)
    if before is not None and (match := _NAMED.search(line[max(0, before - 80) : before])):
        return match["what"].strip()
    after = next((starts[index] for index in range(ask.amount.last + 1, ask.amount.last + 4) if index in starts), None)
    if after is not None and (match := _PURPOSE.match(line, after)):
        return match["what"].strip()
    return None


def _price(value: Decimal, currency: str) -> str:
    whole = value == value.to_integral_value()
    return f"{int(value):,} {currency}" if whole else f"{value:,.{decimals(currency)}f} {currency}"

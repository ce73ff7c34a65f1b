"""Finds the category of the need: of what the money is asked for, otherwise of what the story tells."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.drafting.amounts import Amount
from adapters.drafting.utterance import NormalizedText, Utterance

# A trouble that is mentioned as another or an earlier one does not count.
ASIDE = re.compile(
    r"(?:previously|had (?:issues|problems|troubles?) with|also (?:dealing|struggling) with|in the past|used to)"
    r"(?:(?: [\w'-]+){1,4} (?=\||$)| \w+)"
)
# A denied expression does not count either: "nobody is abusing me", "it is not for bills". "No food" is no denial.
_DENIED = re.compile(
    r"\b(?:nobody|no one|nadie|(?:not|isn't|wasn't) (?:for|about|because of|in|a|an|that)|am not|i'm not|never)"
    r"(?: (?!(?:but|just|only|so|else|to)\b)[\w'-]+){1,3}"
)
# A request ends where its reason or its aim begins: "this training to find work".
_WORDS = r"(?: (?!(?:to|so|because|but|or|before)\b)[\w'-]+){1,6}"
_ASKED = re.compile(
    r"(?:(?:help|assistance|support|money|funds|ayuda) (?:with|for|to|con|para|\w+ing)"
    r"|(?:need|needs|pay|paying|pays|afford|raise funds for|raising money for|costs? of|fixing|fix|behind on|cover)"
    rf"){_WORDS}"
)
# Money that is asked for a time is asked for what that time is for: "rent until I find work".
_MEANWHILE = re.compile(rf"(?:while|until|till|hasta que) (?:i|we|i'm|we're|he|she){_WORDS}")
_PURPOSE = re.compile(
    r"(?: (?:dollars|more|total|usd|euros|pounds|dolares|urgently|immediately|upfront|by \w+))*"
    r" (?:for|to|in|para|on|towards?)(?: [\w'-]+){1,6}"
)
_PRICED = re.compile(
    r"(?:[\w'-]+ ){1,4}(?:bills?|costs?|fees?|is|will cost|expenses)(?: (?:is|are|about|of|will|be|cost))* $"
)
WEIGHTS = {"weak": 1, "strong": 3, "decisive": 3}
ASKED_FACTOR, PURPOSE_FACTOR = 2, 4
# Among several troubles of which the request names none, the most serious one is the category.
_BY_SERIOUSNESS = ("SAFETY", "HEALTHCARE", "HOUSING", "UTILITIES", "FOOD")


def listed(text: str) -> list[str]:
    """Return the expressions of a list with commas and lines."""
    return [phrase.strip() for phrase in re.split(r"[,\n]", text) if phrase.strip()]


def pattern_of(phrases: Iterable[str]) -> re.Pattern[str]:
    """Compile expressions into one that matches whole words, the longest first."""
    parts = "|".join(re.escape(p).replace(r"\*", r"\w*") for p in sorted(phrases, key=len, reverse=True))
    return re.compile(rf"(?<![\w'-])(?:{parts})s?(?![\w'])")


@dataclass(frozen=True)
class _Found:
    """An expression of a category at an offset of the text."""

    start: int
    category: str
    strength: str
    score: int


class Categories:
    """Finds categories by their expressions: for each category, those of each strength."""

    def __init__(self, expressions: Mapping[str, Mapping[str, str]]) -> None:
        self.keywords = {
            category: tuple((strength, pattern_of(listed(text))) for strength, text in lists.items() if listed(text))
            for category, lists in expressions.items()
        }

    def of(self, utterance: Utterance, goal: Amount | None) -> str | None:
        """Return the category of the story, or None if no category scores enough."""
        matches = self._found(utterance, goal)
        scores = _sums(matches)
        if max(scores.values(), default=0) < WEIGHTS["strong" if goal is None else "weak"]:
            return None
        if decisive := [match.category for match in matches if match.strength == "decisive"]:
            return decisive[0]
        strong = [category for category, score in scores.items() if score >= WEIGHTS["strong"]]
        if len(strong) > 2 and not (goal and list(_around_goal(utterance.normalized, goal))):
            serious = [category for category in _BY_SERIOUSNESS if category in strong]
            if serious:
                return serious[0]
        # Of equal scores, that of the category which is named first.
        return max(scores, key=lambda category: scores[category])

    def scores(self, utterance: Utterance, goal: Amount | None) -> dict[str, int]:
        """Return the positive scores of the categories, in the order in which the story first names them."""
        return _sums(self._found(utterance, goal))

    def _found(self, utterance: Utterance, goal: Amount | None) -> list[_Found]:
        """Return the expressions in order, each once, at the place where it counts most."""
        text, factors = utterance.normalized.text, _factors(utterance.normalized, goal)
        best: dict[tuple[str, str], _Found] = {}
        for category, keywords in self.keywords.items():
            for strength, pattern in keywords:
                for match in pattern.finditer(text):
                    candidate = _Found(match.start(), category, strength, WEIGHTS[strength] * factors[match.start()])
                    present = best.get((category, match.group()))
                    if candidate.score and (present is None or candidate.score > present.score):
                        best[category, match.group()] = candidate
        return sorted(best.values(), key=lambda candidate: candidate.start)


def _sums(found: list[_Found]) -> dict[str, int]:
    scores: dict[str, int] = defaultdict(int)
    for each in found:
        scores[each.category] += each.score
    return dict(scores)


def _factors(normalized: NormalizedText, goal: Amount | None) -> bytearray:
    """Return the factor of words at each offset: higher in a request, 0 in an aside."""
    factors = bytearray([1]) * (len(normalized.text) + 1)
    spans = [(*match.span(), ASKED_FACTOR) for match in _ASKED.finditer(normalized.text)]
    spans.extend(_around_goal(normalized, goal) if goal else ())
    spans.extend((*match.span(), PURPOSE_FACTOR) for match in _MEANWHILE.finditer(normalized.text))
    for pattern in (ASIDE, _DENIED):
        spans.extend((*match.span(), 0) for match in pattern.finditer(normalized.text))
    for start, end, factor in spans:
        factors[start:end] = bytearray([factor]) * (end - start)
    return factors


def _around_goal(normalized: NormalizedText, goal: Amount) -> Iterator[tuple[int, int, int]]:
    """Yield the spans after the amount ("950 for repairs") and before it ("electric bill is 450"), with factors."""
    after = normalized.first_offset(goal.last + 1, goal.last + 4)
    if after is not None and (match := _PURPOSE.match(normalized.text, after - 1)):
        yield (*match.span(), PURPOSE_FACTOR)
    before = normalized.first_offset(goal.first, goal.first + 3)
    if before is not None:
        lead = normalized.text[max(0, before - 60) : before]
        if match := _PRICED.search(lead):
            yield before - len(lead) + match.start(), before, ASKED_FACTOR


EXPRESSIONS: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("categories.toml").read_text(encoding="utf-8")
)
_CATEGORIES = Categories(EXPRESSIONS)
category_of, scores_of = _CATEGORIES.of, _CATEGORIES.scores
# The patterns of each category, each with its strength.
CATEGORY_KEYWORDS = _CATEGORIES.keywords

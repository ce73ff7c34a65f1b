"""Finds the category of the need. Keywords near the request count more than those elsewhere in the story."""

import re
from collections import defaultdict

from adapters.drafting.amounts import Amount
from adapters.drafting.utterance import NormalizedText, Utterance
from adapters.drafting.vocabulary import CATEGORIES, CATEGORY_KEYWORDS

# A trouble that is mentioned as another or an earlier one does not count.
_ASIDE = re.compile(
    r"(?:previously (?:had|dealt with)?|had (?:issues|problems|troubles?) with|also (?:dealing|struggling) with"
    r"|in the past|last year|used to (?:have|be|live|work))(?:(?: [\w'-]+){1,4} (?=\||$)| \w+)"
)
_ASKED = re.compile(
    r"(?:(?:help|assistance|support|money|funds|ayuda) "
    r"(?:with|for|paying|finishing|finding|getting|to (?:pay|get|fix|buy|cover)|con|para)"
    r"|(?:need|needs|paying|pay|afford|raise funds for|raising money for|raise money for|costs? of|fixing|behind on) "
    r"(?:for |this |my |our |the |some )*"
    r"|because of)(?: [\w'-]+){1,5}"
)
_PURPOSE = re.compile(
    r"(?: (?:dollars|more|total|usd|euros|pounds|dolares))*(?: (?:urgently|immediately|by \w+))*"
    r" (?:for|to|in|para|on|towards?|upfront to)(?: [\w'-]+){1,6}"
)
_BILL_BEFORE = re.compile(
    r"(?:[\w'-]+ ){1,4}(?:bills?|costs?|fees?|is|will cost|expenses)(?: (?:is|are|about|of|will|be|cost))* $"
)
_ASKED_FACTOR, _PURPOSE_FACTOR = 2, 4
# If a speaker names several troubles and one sum, the most serious one is the category.
_MOST_SERIOUS = ("SAFETY", "HEALTHCARE", "HOUSING", "UTILITIES", "FOOD")
_STRONG, _MANY = 3, 3


def category_of(utterance: Utterance, goal: Amount | None) -> str | None:
    """Return the category of the story, or None if no category scores enough."""
    scores = scores_of(utterance, goal)
    if max(scores.values(), default=0) < (_STRONG if goal is None else 1):
        return None
    strong = [category for category, score in scores.items() if score >= _STRONG]
    purposes = _around_goal(utterance.normalized, goal) if goal is not None else []
    if len(strong) >= _MANY and not purposes and (serious := [name for name in _MOST_SERIOUS if name in strong]):
        return serious[0]
    return max(CATEGORIES, key=lambda category: (scores.get(category, 0), -CATEGORIES.index(category)))


def scores_of(utterance: Utterance, goal: Amount | None) -> dict[str, int]:
    """Return the positive scores of the categories."""
    factors = _factors(utterance.normalized, goal)
    scores: dict[str, int] = defaultdict(int)
    for category, patterns in CATEGORY_KEYWORDS.items():
        counted: set[str] = set()
        for weight, pattern in patterns:
            for match in pattern.finditer(utterance.normalized.text):
                factor = factors[match.start()]
                if factor > 1 or match.group() not in counted:
                    scores[category] += weight * factor
                counted.add(match.group())
    return {category: score for category, score in scores.items() if score > 0}


def _factors(normalized: NormalizedText, goal: Amount | None) -> bytearray:
    """Return the factor of keywords at each offset: higher near a request for help, 0 in an aside."""
    factors = bytearray([1]) * (len(normalized.text) + 1)
    spans = [(*match.span(), _ASKED_FACTOR) for match in _ASKED.finditer(normalized.text)]
    if goal is not None:
        spans.extend(_around_goal(normalized, goal))
    spans.extend((*match.span(), 0) for match in _ASIDE.finditer(normalized.text))
    for start, end, factor in spans:
        factors[start:end] = bytearray([factor]) * (end - start)
    return factors


def _around_goal(normalized: NormalizedText, goal: Amount) -> list[tuple[int, int, int]]:
    """Return the spans after the amount ("950 for repairs") and before it ("electric bill is 450"), with factors."""
    spans = []
    after = normalized.first_offset(goal.last + 1, goal.last + 4)
    if after is not None and (match := _PURPOSE.match(normalized.text, after - 1)):
        spans.append((*match.span(), _PURPOSE_FACTOR))
    before = normalized.first_offset(goal.first, goal.first + 3)
    if before is not None:
        lead = normalized.text[max(0, before - 60) : before]
        if match := _BILL_BEFORE.search(lead):
            spans.append((before - len(lead) + match.start(), before, _ASKED_FACTOR))
    return spans

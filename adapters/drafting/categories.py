"""What the money is for, as one of a fixed list of categories: by what is asked for more than by what is told."""

from __future__ import annotations

import re
from collections import defaultdict

from adapters.drafting.amounts import Amount
from adapters.drafting.signs import CATEGORIES, PATTERNS
from adapters.drafting.speech import NormalizedText, Utterance

# What is mentioned as another or an older trouble is not what the money is for.
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
_ASKED_TIMES, _PURPOSE_TIMES = 2, 4
# Where somebody counts up troubles and asks for one sum, health comes before the roof and the roof before the rest.
_GRAVEST = ("SAFETY", "HEALTHCARE", "HOUSING", "UTILITIES", "FOOD")
_STRONG, _MANY = 3, 3


def category_of(speech: Utterance, goal: Amount | None) -> str | None:
    """The category the story speaks for, None if it speaks for none."""
    scores = scores_of(speech, goal)
    if max(scores.values(), default=0) < (_STRONG if goal is None else 1):
        return None
    strong = [category for category, score in scores.items() if score >= _STRONG]
    purposes = _around_goal(speech.line, goal) if goal is not None else []
    if len(strong) >= _MANY and not purposes and (grave := [one for one in _GRAVEST if one in strong]):
        return grave[0]
    return max(CATEGORIES, key=lambda category: (scores.get(category, 0), -CATEGORIES.index(category)))


def scores_of(speech: Utterance, goal: Amount | None) -> dict[str, int]:
    """How strongly the story speaks for each category it speaks for at all."""
    line = speech.line.text
    times = _times(speech.line, goal)
    scores: dict[str, int] = defaultdict(int)
    for category, patterns in PATTERNS.items():
        heard: set[str] = set()
        for weight, pattern in patterns:
            for match in pattern.finditer(line):
                here = times[match.start()]
                if here > 1 or match.group() not in heard:
                    scores[category] += weight * here
                heard.add(match.group())
    return {category: score for category, score in scores.items() if score > 0}


def _times(line: NormalizedText, goal: Amount | None) -> bytearray:
    """How often a sign counts at each place of the line: more where help is asked for, not at all in an aside."""
    times = bytearray([1]) * (len(line.text) + 1)
    spans = [(*match.span(), _ASKED_TIMES) for match in _ASKED.finditer(line.text)]
    if goal is not None:
        spans.extend(_around_goal(line, goal))
    spans.extend((*match.span(), 0) for match in _ASIDE.finditer(line.text))
    for start, end, here in spans:
        times[start:end] = bytearray([here]) * (end - start)
    return times


def _around_goal(line: NormalizedText, goal: Amount) -> list[tuple[int, int, int]]:
    """What stands directly behind the amount ("950 for repairs") or names it ("electric bill is 450")."""
    plain, places = line.text, line.starts
    zones = []
    after = next((places[index] for index in range(goal.last + 1, goal.last + 4) if index in places), None)
    if after is not None and (match := _PURPOSE.match(plain, after - 1)):
        zones.append((*match.span(), _PURPOSE_TIMES))
    before = next((places[index] for index in range(goal.first, goal.first + 3) if index in places), None)
    if before is not None:
        lead = plain[max(0, before - 60) : before]
        if match := _BILL_BEFORE.search(lead):
            zones.append((before - len(lead) + match.start(), before, _ASKED_TIMES))
    return zones

"""Builds a campaign's title from the speaker's words."""

import re

from adapters.drafting.amounts import Amount
from adapters.drafting.utterance import Utterance
from adapters.drafting.vocabulary import TABLES, WORDS

MAX_TITLE = 80

# Words that begin or connect other parts of the sentence, so they cannot be part of a purpose.
_NOT_IN_PURPOSE = (
    "need|needs|and|so|but|because|the|is|are|i|i'm|we|he|she|it|my|our|his|her|their|that|who|by|to|for|this|these|right"
    "|now|before|until|while|costs?|or|if|when|in|at|after"
)
_WORD = rf"(?:(?!(?:{_NOT_IN_PURPOSE})\b)[^\W\d_][\w'-]*)"
_PURPOSE = (
    r"(?:(?:my|our|the|some|his|her|their|this|these|a|an|basic) )*"
    rf"(?P<purpose>{_WORD}(?: {_WORD}){{0,3}})"
)
_HELP_WITH = re.compile(
    r"(?:help|assistance|money|funds) "
    rf"(?:with|for|paying(?: for)?|to pay(?: for)?|to cover|fixing|finishing|covering) {_PURPOSE}"
)
_MONEY_FOR = re.compile(
    r" ?(?:(?:dollars|more|total|euros|pounds|yen) )*(?:(?:urgently|immediately) )?"
    rf"(?:for|to pay for|to pay|to cover|to fix) {_PURPOSE}"
)
_NEEDS = re.compile(
    rf"\b(?:need|needs) (?P<purpose>legal help|medical help|{_WORD} (?:surgery|repairs?|therapy|treatment|equipment)"
    r"|surgery|groceries|childcare|rent)\b"
)
_TRIMMED_WORDS = WORDS["trimmed_from_purpose"]
_BY_CATEGORY: dict[str, dict[str, str]] = TABLES["purposes"]


def title_of(utterance: Utterance, beneficiary: str | None, category: str | None, goal: Amount | None) -> str | None:
    """Return a title such as "Help Maria Garcia with car repairs", or None without beneficiary and purpose."""
    spanish = utterance.language == "es"
    purpose = None if spanish else purpose_in(utterance, goal)
    purpose = purpose or _BY_CATEGORY["es" if spanish else "en"].get(category or "")
    subject = ("Ayuda para " if spanish else "Help ") + beneficiary if beneficiary else None
    if subject and beneficiary and purpose:
        purpose = _without_owner(purpose, beneficiary)
        connector = ":" if spanish else " get" if purpose.endswith(" help") else " with"
        title = f"{subject}{connector} {purpose}"
        return title if len(title) <= MAX_TITLE else subject[:MAX_TITLE]
    if subject:
        return subject[:MAX_TITLE]
    return f"{'Ayuda:' if spanish else 'Help with'} {purpose}"[:MAX_TITLE] if purpose else None


def purpose_in(utterance: Utterance, goal: Amount | None) -> str | None:
    """Return what the help is for in the speaker's words ("car repairs"), or None."""
    text = utterance.normalized.text
    after_goal = None
    if goal is not None:
        after = utterance.normalized.first_offset(goal.last + 1, goal.last + 4)
        after_goal = _MONEY_FOR.match(text, after) if after is not None else None
    for match in (after_goal, _HELP_WITH.search(text), _NEEDS.search(text)):
        if match and (purpose := _trimmed(match["purpose"])):
            return purpose
    return None


def _without_owner(purpose: str, beneficiary: str) -> str:
    """Remove the owner from "mother's care" if the beneficiary is the mother."""
    owner, _, rest = purpose.partition(" ")
    last_name = beneficiary.lower().split()[-1:]
    return rest if rest and owner.endswith("'s") and [owner.removesuffix("'s")] == last_name else purpose


def _trimmed(purpose: str) -> str | None:
    words = purpose.split()
    while words and words[-1] in _TRIMMED_WORDS:
        words.pop()
    while words and words[0] in _TRIMMED_WORDS:
        words.pop(0)
    return " ".join(words) or None

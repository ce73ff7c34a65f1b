"""A campaign's title, made of nothing but what was said."""

from __future__ import annotations

import re

from adapters.drafting.amounts import Amount
from adapters.drafting.speech import Utterance
from adapters.drafting.vocabulary import words

MAX_TITLE = 80

# A word that may be part of what is asked for: none that starts or ties another part of the sentence.
_NO_PART = (
    "need|needs|and|so|but|because|the|is|are|i|i'm|we|he|she|it|my|our|his|her|their|that|who|by|to|for|this|these|right"
    "|now|before|until|while|costs?|or|if|when|in|at|after"
)
_WORD = rf"(?:(?!(?:{_NO_PART})\b)[^\W\d_][\w'-]*)"
_THING = (
    r"(?:(?:my|our|the|some|his|her|their|this|these|a|an|basic) )*"
    rf"(?P<thing>{_WORD}(?: {_WORD}){{0,3}})"
)
_ASKED = re.compile(
    r"(?:help|assistance|money|funds) "
    rf"(?:with|for|paying(?: for)?|to pay(?: for)?|to cover|fixing|finishing|covering) {_THING}"
)
_MONEY_FOR = re.compile(
    r" ?(?:(?:dollars|more|total|euros|pounds|yen) )*(?:(?:urgently|immediately) )?"
    rf"(?:for|to pay for|to pay|to cover|to fix) {_THING}"
)
_PLAIN_ASK = re.compile(
    rf"\b(?:need|needs) (?P<thing>legal help|medical help|{_WORD} (?:surgery|repairs?|therapy|treatment|equipment)"
    r"|surgery|groceries|childcare|rent)\b"
)
_LOOSE_ENDS = words(
    "a an the of in on at as with from right now really urgently today tomorrow please here there also about me "
    "you us them him situation case life one something everything anything things stuff just"
)
_BY_CATEGORY = {
    "en": {
        "HOUSING": "housing",
        "HEALTHCARE": "medical costs",
        "UTILITIES": "utility bills",
        "LEGAL": "legal costs",
        "FOOD": "food",
        "EDUCATION": "education",
        "TRANSPORTATION": "transportation",
    },
    "es": {
        "HOUSING": "vivienda",
        "HEALTHCARE": "gastos médicos",
        "UTILITIES": "servicios del hogar",
        "LEGAL": "gastos legales",
        "FOOD": "comida",
        "EDUCATION": "educación",
        "TRANSPORTATION": "transporte",
    },
}


def title_of(speech: Utterance, beneficiary: str | None, category: str | None, goal: Amount | None) -> str | None:
    """ "Help Maria Garcia with car repairs": whom and with what, as far as either was said; None if neither was."""
    spanish = speech.language == "es"
    what = None if spanish else purpose_in(speech, goal)
    what = what or _BY_CATEGORY["es" if spanish else "en"].get(category or "")
    whom = ("Ayuda para " if spanish else "Help ") + beneficiary if beneficiary else None
    if whom and beneficiary and what:
        what = _without_owner(what, beneficiary)
        tie = ":" if spanish else " get" if what.endswith(" help") else " with"
        return whole if len(whole := f"{whom}{tie} {what}") <= MAX_TITLE else whom[:MAX_TITLE]
    if whom:
        return whom[:MAX_TITLE]
    return f"{'Ayuda:' if spanish else 'Help with'} {what}"[:MAX_TITLE] if what else None


def purpose_in(speech: Utterance, goal: Amount | None) -> str | None:
    """What the help is for, in the speaker's words: "car repairs"."""
    line, starts = speech.line.text, speech.line.starts
    found = None
    if goal is not None:
        after = next((starts[index] for index in range(goal.last + 1, goal.last + 4) if index in starts), None)
        found = _MONEY_FOR.match(line, after) if after is not None else None
    for match in (found, _ASKED.search(line), _PLAIN_ASK.search(line)):
        if match and (thing := _trimmed(match["thing"])):
            return thing
    return None


def _without_owner(what: str, beneficiary: str) -> str:
    """ "mother's care" is just "care" where the title already says whose."""
    owner, _, rest = what.partition(" ")
    named = beneficiary.lower().split()[-1:]
    return rest if rest and owner.endswith("'s") and [owner.removesuffix("'s")] == named else what


def _trimmed(thing: str) -> str | None:
    words = thing.split()
    while words and words[-1] in _LOOSE_ENDS:
        words.pop()
    while words and words[0] in _LOOSE_ENDS:
        words.pop(0)
    return " ".join(words) or None

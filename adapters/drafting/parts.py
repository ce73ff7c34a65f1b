"""Finds what each amount is for, and the lists of amounts that make one sum: "$500 for rent and $300 for food"."""

import re
from collections.abc import Sequence

from adapters.drafting.amounts import Amount
from adapters.drafting.utterance import Token, Utterance
from adapters.drafting.vocabulary import FUNCTION_WORDS, TABLES, words

_MAX_BETWEEN = 10
_MAX_LABEL = 3
_FOR = words("for in on towards toward para")
_AND = words("and plus y also another")
_BETWEEN_PARTS = _AND | words("then i we i'm we're need needs about around asking for maybe")
_UNITS = words("dollars dollar bucks euros pounds yen more extra dolares")
_IS = words("is are was costs cost will runs be about around of")
_REQUESTS = words(" ".join(TABLES["governors"][kind] for kind in ("asked", "needed", "due"))) | words("help ayuda")
_NOT_IN_LABEL = (FUNCTION_WORDS - words("home")) | _REQUESTS | _IS
_ALL_OF_IT = re.compile(
    r"\b(?:all (?:of )?(?:it|that|this|them|these|those|two|three|four|five)|both|everything|todo)\b"
)


def purpose_of(amount: Amount, utterance: Utterance) -> str | None:
    """Return what an amount is for: "$500 for the rent", "the rent is $500" and "rent, $500" are for "rent"."""
    following = [token for token in utterance.tokens[amount.last + 1 : amount.last + 12] if not token.is_filler]
    while following and following[0].folded in _UNITS:
        following.pop(0)
    if following and following[0].folded in _FOR:
        start = next((at for at in range(1, len(following)) if following[at].folded not in FUNCTION_WORDS), 1)
        if start < 4 and (purpose := _label(following[start:])):
            return purpose
    return label_of(amount, utterance.tokens)


def label_of(amount: Amount, tokens: Sequence[Token]) -> str | None:
    """Return the words that name an amount before it, as in "rent is $500" and "rent, $500"."""
    at = amount.first - 1
    while at >= 0 and tokens[at].folded in _IS and tokens[at].sentence == tokens[amount.first].sentence:
        at -= 1
    words: list[Token] = []
    while at >= 0 and len(words) < _MAX_LABEL and tokens[at].sentence == tokens[amount.first].sentence:
        if tokens[at].folded in _NOT_IN_LABEL or not tokens[at].text[0].isalpha():
            break
        words.insert(0, tokens[at])
        if tokens[at].separator.strip():
            break
        at -= 1
    return " ".join(word.folded for word in words) or None


def _label(tokens: Sequence[Token]) -> str | None:
    words: list[str] = []
    for token in tokens[:5]:
        is_end = token.folded in _NOT_IN_LABEL - {"of"} or not token.text[0].isalpha()
        if is_end or (words and token.separator.strip()):
            break
        words.append(token.folded)
    return " ".join(words).removesuffix(" of") or None


def listed_with(best: Amount, amounts: Sequence[Amount], utterance: Utterance) -> list[Amount]:
    """Return the amounts that are listed with an amount and asked for together, itself included."""
    tokens = utterance.tokens
    at = amounts.index(best)
    first = last = at
    while first and _continues(amounts[first - 1], amounts[first], tokens):
        first -= 1
    while last + 1 < len(amounts) and _continues(amounts[last], amounts[last + 1], tokens):
        last += 1
    if first == last:
        sentence = tokens[best.first].sentence
        named = [part for part in amounts if tokens[part.first].sentence == sentence and label_of(part, tokens)]
        opening = [token.folded for token in tokens[: named[0].first] if token.sentence == sentence] if named else []
        later = " ".join(token.folded for token in tokens[best.last :] if token.sentence <= sentence + 1)
        is_asked_for = set(opening) & _REQUESTS or _ALL_OF_IT.search(later)
        return named if best in named and is_asked_for else [best]
    return list(amounts[first : last + 1])


def _continues(first: Amount, second: Amount, tokens: Sequence[Token]) -> bool:
    """Return True if two amounts are listed as in "$500 for rent, and $300 for food"."""
    between = [token for token in tokens[first.last + 1 : second.first] if not token.is_filler]
    after = tokens[second.last + 1].folded if second.last + 1 < len(tokens) else ""
    if not 1 < len(between) < _MAX_BETWEEN or between[0].folded not in _FOR or after not in _FOR:
        return False
    link = list(between)
    while link and link[-1].folded in _BETWEEN_PARTS:
        link.pop()
    joining = {token.folded for token in between[len(link) :]}
    if any(before.sentence != between[0].sentence for before in link):
        return False
    return bool(joining & _AND) or (not joining and tokens[second.first].separator.strip() == ",")

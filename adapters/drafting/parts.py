"""Finds what each amount is for, and the lists of amounts that make one sum: "$500 for rent and $300 for food"."""

import re
from collections.abc import Sequence

from adapters.drafting.amounts import Amount
from adapters.drafting.utterance import Token, Utterance
from adapters.drafting.vocabulary import FUNCTION_WORDS, TABLES, WORDS, words

_MAX_BETWEEN = 10
_MAX_LABEL, _MAX_PHRASE = 3, 4
_FOR = words("for in on towards toward para")
_AND = words("and plus y also another")
_BETWEEN_PARTS = _AND | words("then i we i'm we're need needs about around asking for maybe")
_UNITS = words("dollars dollar bucks euros pounds yen more extra dolares")
_IS = words("is are was costs cost will runs be about around of")
_REQUESTS = words(" ".join(TABLES["governors"][kind] for kind in ("asked", "needed", "due"))) | words("help ayuda")
_DETERMINERS = words("a an the my our his her their this these some your")
_PAYING = words("pay paying cover covering fix fixing buy get for towards")
# Some function words describe a thing: "first month's rent", "home repairs", "living expenses".
_DESCRIBING = words("first last home work living new old back help costs")
_NOT_IN_PHRASE = (FUNCTION_WORDS | _REQUESTS | _IS | WORDS["after_purpose"]) - _DESCRIBING
_ALL_OF_IT = re.compile(
    r"\b(?:all (?:of )?(?:it|that|this|them|these|those|two|three|four|five)|both|everything|todo)\b"
)


def purpose_of(amount: Amount, utterance: Utterance) -> str | None:
    """Return what an amount is for: "$500 for the rent", "the rent is $500" and "rent, $500" are for "rent"."""
    purpose = purpose_after(amount, utterance.tokens) or named_before(amount, utterance.tokens, is_listed=True)
    return re.sub(r"^(?:the|an?) ", "", purpose) if purpose else None


def purpose_after(amount: Amount, tokens: Sequence[Token]) -> str | None:
    """Return the purpose in "$500 for the rent" and "$500 more to pay for rent"."""
    at = amount.last + 1
    while at < len(tokens) and (tokens[at].is_filler or tokens[at].folded in _UNITS):
        at += 1
    if (
        at == len(tokens)
        or tokens[at].folded not in _FOR | {"to"}
        or tokens[at].sentence != tokens[amount.last].sentence
    ):
        return None
    if tokens[at].folded == "to":
        at += 1
        if at == len(tokens) or tokens[at].folded not in _PAYING:
            return None
    while at < len(tokens) and tokens[at].folded in _FOR | _PAYING:
        at += 1
    return phrase_at(tokens, at)


def named_before(amount: Amount, tokens: Sequence[Token], is_listed: bool = False) -> str | None:
    """Return the words that name an amount before it, as in "rent is $500" or, in a list, "rent, $500"."""
    start = amount.first
    while start and tokens[start - 1].folded in _IS and tokens[start - 1].sentence == tokens[amount.first].sentence:
        start -= 1
    if start == amount.first and not is_listed:
        return None
    first = start
    while first and start - first < _MAX_LABEL and tokens[first - 1].sentence == tokens[amount.first].sentence:
        if not _is_in_phrase(tokens[first - 1]) or (first < start and tokens[first].separator.strip()):
            break
        first -= 1
    return phrase_at(tokens[:start], max(0, first - 1 if first and tokens[first - 1].folded in _DETERMINERS else first))


def phrase_at(tokens: Sequence[Token], start: int) -> str | None:
    """Return the noun phrase that begins here, without what follows it: "rent" of "my rent which is due".

    A second one after "and" belongs to it. "The" stands for "my", which is not true in a title.
    """
    at = start
    article = ""
    while at < len(tokens) and at < start + 3 and (tokens[at].folded in _DETERMINERS or tokens[at].is_filler):
        if tokens[at].folded in _DETERMINERS:
            article = tokens[at].folded if tokens[at].folded in ("a", "an") else "the"
        at += 1
    words = _phrase_words(tokens, at)
    end = at + len(words)
    if words and end < len(tokens) and tokens[end].folded == "and" and not tokens[end].separator.strip():
        second = _phrase_words(tokens, end + 1)
        after = tokens[end + 1 + len(second)] if end + 1 + len(second) < len(tokens) else None
        if second and (after is None or after.separator.strip() or after.folded not in _DETERMINERS | {"me", "us"}):
            words += ["and", *second]
    return f"{article} {' '.join(words)}".strip() if words else None


def _phrase_words(tokens: Sequence[Token], start: int) -> list[str]:
    words: list[str] = []
    for token in tokens[start : start + _MAX_PHRASE]:
        if not _is_in_phrase(token) or (
            words and (token.separator.strip(" -") or token.sentence != tokens[start].sentence)
        ):
            break
        words.append(token.text if token.text.isupper() and len(token.text) <= 3 else token.text.lower())
    return words


def _is_in_phrase(token: Token) -> bool:
    return token.folded not in _NOT_IN_PHRASE and token.text[0].isalpha() and not token.is_filler


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
        named = [
            part
            for part in amounts
            if tokens[part.first].sentence == sentence and named_before(part, tokens, is_listed=True)
        ]
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

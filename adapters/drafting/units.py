"""Splits a text into words and numbers with the clauses that they are in, in a form in which texts can be compared."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.drafting.numbers import numbers_in
from adapters.drafting.utterance import FillerKind, Token, tokenized
from adapters.drafting.vocabulary import TABLES, words

_TABLE = TABLES["comparison"]
_CONTRACTIONS: dict[str, str] = _TABLE["contractions"]
_ENDINGS: dict[str, str] = _TABLE["endings"]
_IS = words("he's she's it's that's there's what's who's where's here's")
_CURRENCIES: dict[str, str] = {
    name: currency for currency, names in _TABLE["currencies"].items() for name in names.split()
}
CURRENCY = frozenset(_CURRENCIES.values())
_SYMBOLS = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_CLAUSE_MARK = re.compile(r"[,;:()–—\n]|\.\.|\s-\s")


def keys_of(name: str) -> frozenset[str]:
    """Return the keys of a word list."""
    return frozenset(map(key_of, words(_TABLE[name])))


def key_of(word: str) -> str:
    """Return the word without the ending of a plural or a possessive, to compare it with others."""
    word = word.removesuffix("'s").removesuffix("'").replace("-", " ").replace("'", "")
    word = word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
    return _CURRENCIES.get(word, word)


RESERVATIONS, CONJUNCTIONS = keys_of("reservation"), keys_of("conjunction")
_EMBEDDING = keys_of("embedding")
_SUBJECTS = {language: words(subjects) for language, subjects in _TABLE["subjects"].items()}


@dataclass(frozen=True, slots=True)
class Unit:
    """A word or a number, with its place in the text; `hedge` marks a word such as "well" that may mean nothing."""

    key: str
    word: str
    start: int
    end: int
    clause: int
    hedge: bool = False


def units_of(text: str, language: str) -> tuple[Unit, ...]:
    """Return the words and numbers of a text with their clauses, without pauses such as "um"."""
    tokens = [token for token in tokenized(text) if token.filler is not FillerKind.PAUSE]
    numbers = {number.first: number for number in numbers_in(tokens, language)}
    units: list[Unit] = []
    subjects = _SUBJECTS.get(language, frozenset())
    clause, index = 0, 0
    while index < len(tokens):
        token = tokens[index]
        number = numbers.get(index)
        last = tokens[number.last] if number else token
        keys = _number_keys(number.value, number.low, tokens[index : number.last + 1]) if number else _word_keys(token)
        if units and _begins_clause(token, tokens[index - 1], keys[0], units[-1].key, subjects):
            clause += 1
        hedge = token.filler is FillerKind.HEDGE
        words_of_keys = [token.folded, *[""] * (len(keys) - 1)]
        units.extend(
            Unit(key, word, token.start, last.end, clause, hedge) for key, word in zip(keys, words_of_keys, strict=True)
        )
        index = number.last + 1 if number else index + 1
    return tuple(units)


def figure_key(value: Decimal) -> str:
    text = f"{value:f}"
    return "#" + (text.rstrip("0").rstrip(".") if "." in text else text)


def _number_keys(value: Decimal, low: Decimal | None, tokens: Sequence[Token]) -> list[str]:
    symbol = next((name for token in tokens for sign, name in _SYMBOLS.items() if sign in token.text), None)
    return [
        figure_key(value) if low is None else f"{figure_key(low)}-{figure_key(value)}",
        *([symbol] if symbol else []),
    ]


def _word_keys(token: Token) -> list[str]:
    word = token.folded
    if spoken := _CONTRACTIONS.get(word):
        return [key_of(part) for part in spoken.split()]
    if word in _IS:
        return [key_of(word[:-2]), "is"]
    for ending, full in _ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return [key_of(word[: -len(ending)]), full]
    return [key_of(part) for part in word.split("-") if part] or [word]


def _begins_clause(token: Token, before: Token, key: str, key_before: str, subjects: frozenset[str]) -> bool:
    if token.sentence != before.sentence or key in CONJUNCTIONS:
        return True
    if _CLAUSE_MARK.search(token.separator) and not before.is_filler and not token.is_filler:
        return True
    return key in subjects and key_before not in _EMBEDDING | CONJUNCTIONS | RESERVATIONS | subjects

"""Finds the speaker's name from the words of an introduction, without a list of names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.drafting.utterance import Token, Utterance
from adapters.drafting.vocabulary import FUNCTION_WORDS, PARTICLES, SITUATION_WORDS, TABLES, TITLES, words

MAX_NAME = 120

# Introductions with their weights, the most certain first.
_INTRODUCTIONS = tuple((tuple(phrase.split()), weight) for phrase, weight in TABLES["introductions"].items())
_AFTER_OWN_NAME = frozenset(["calling", "speaking", "here"])
_GREETINGS = words("hi hello hey morning afternoon evening hola dias tardes noches")
_OTHER_PEOPLE = words("his her their son's daughter's mother's father's wife's husband's dog's whose")
_REPEATED_INTRODUCTION = words("it's its is uh well my name no sorry um i'm like")
_AFTER_A_NAME = words("and i i'm im we my calling speaking y necesito necesitamos vivo vivimos tengo mi")
_MAX_REMARK_WORDS = 8
_SUFFIXES = ("ing", "ed", "ly", "ful", "less", "ness", "tion")


@dataclass(frozen=True)
class _Candidate:
    """A possible name of the speaker: its words, and the weight and index of its introduction."""

    words: tuple[str, ...]
    weight: int
    index: int


def speaker_in(utterance: Utterance) -> str | None:
    """Return the name in the speaker's introduction, or None if there is none."""
    words = utterance.words
    candidates = [*_introduced(words, utterance.cased), *_announced(words, utterance.cased)]
    if not candidates:
        return None
    best = max(candidates, key=lambda candidate: (candidate.weight, min(len(candidate.words), 2), -candidate.index))
    if len(best.words) == 1:
        best = next(
            (candidate for candidate in candidates if len(candidate.words) > 1 and candidate.words[0] == best.words[0]),
            best,
        )
    return spelled_name(best.words, utterance.cased)


def name_at(words: Sequence[Token], start: int, cased: bool, sure: bool) -> tuple[tuple[str, ...], int]:
    """Return the parts of the name that begins at a word, or (), and the index after it.

    `sure` means that the words before announce a name.
    """
    parts: list[str] = []
    index = start
    while index < len(words) and words[index].folded in TITLES:
        index += 1
    limit = 4 if cased else 2
    while index < len(words) and len(parts) < limit + sum(word.lower() in PARTICLES for word in parts):
        token = words[index]
        if parts and _breaks(words[index - 1], token):
            break
        if not _may_be_name(token, parts, cased, sure, _next_word(words, index)):
            break
        parts.append(token.text)
        index += 1
    if not cased and len(parts) == 2:
        third = _third_part(words, index, sure)
        parts.extend(third)
        index += len(third)
    while parts and parts[-1].lower() in PARTICLES:
        parts.pop()
        index -= 1
    return tuple(parts), index


def spelled_name(words: Sequence[str], cased: bool) -> str:
    """Return the name with capitals, even if the recogniser wrote none."""
    parts = [word.removesuffix("'s").removesuffix("’s") for word in words]
    if not cased or all(part.isupper() and len(part) > 2 for part in parts):
        parts = [
            part.lower() if part.lower() in PARTICLES and index else _capital(part) for index, part in enumerate(parts)
        ]
    return " ".join(parts)[:MAX_NAME]


def _introduced(words: Sequence[Token], cased: bool) -> list[_Candidate]:
    candidates = []
    folded = [word.folded for word in words]
    for index in range(len(words)):
        for pattern, weight in _INTRODUCTIONS:
            end = index + len(pattern)
            if tuple(folded[index:end]) != pattern:
                continue
            previous = folded[index - 1] if index else ""
            if previous in _OTHER_PEOPLE or previous == "my" or previous.endswith("'s"):
                continue
            start = end
            while weight == 4 and start < len(words) and folded[start] in _REPEATED_INTRODUCTION and start < end + 4:
                start += 1
            sure = weight == 4 or (weight == 3 and index < 12)
            name, end = name_at(words, start, cased, sure)
            if not name and weight == 4 and cased:
                name, end = _after_remark(words, start)
            if not name or (not cased and weight < 4 and not _plausible(name, words, end, index, weight)):
                continue
            candidates.append(_Candidate(name, weight, index))
            break
    return candidates


def _after_remark(words: Sequence[Token], start: int) -> tuple[tuple[str, ...], int]:
    """Return the name after a remark: "my name is... sorry, I'm nervous... David Chen"."""
    for index in range(start + 1, min(start + _MAX_REMARK_WORDS, len(words))):
        if re.search(r"\.\.|…|[-–—]", words[index].separator):
            name, end = name_at(words, index, cased=True, sure=True)
            if len(name) > 1:
                return name, end
    return (), start


def _announced(words: Sequence[Token], cased: bool) -> list[_Candidate]:
    """Find a name at the start of a sentence before one of a few words: "Maria Garcia calling"."""
    candidates = []
    for index, word in enumerate(words):
        if word.folded not in _AFTER_OWN_NAME or index == 0:
            continue
        for length in (3, 2, 1):
            start = index - length
            if start < 0 or not _opens(words, start, word.folded, cased):
                continue
            name, end = name_at(words[:index], start, cased, sure=cased or start < 3)
            if end == index and (len(name) > 1 or (name and cased)):
                candidates.append(_Candidate(name, 3, start))
                break
    return candidates


def _opens(words: Sequence[Token], start: int, next_word: str, cased: bool) -> bool:
    """Return True if a name may begin here: at the start of a sentence or, without capitals, if the words are rare."""
    if start == 0 or words[start - 1].folded in _GREETINGS:
        return True
    if words[start - 1].sentence != words[start].sentence or "," in words[start].separator:
        return True
    return not cased and next_word != "here" and all(_is_rare(word) for word in words[start : start + 2])


def _is_rare(token: Token) -> bool:
    word = token.folded
    return not (word in FUNCTION_WORDS or word in SITUATION_WORDS or any(letter.isdigit() for letter in word))


def _breaks(before: Token, token: Token) -> bool:
    mark = token.separator.strip()
    if not mark:
        return False
    return not (mark == "." and (len(before.text) == 1 or before.folded in ("st", "jr", "sr")))


def _next_word(words: Sequence[Token], index: int) -> str:
    return words[index + 1].folded if index + 1 < len(words) else ""


def _may_be_name(token: Token, parts: Sequence[str], cased: bool, sure: bool, after: str) -> bool:
    word = token.folded
    if any(letter.isdigit() for letter in word) or word in _AFTER_OWN_NAME:
        return False
    if (
        word in PARTICLES
        and (parts or (cased and token.text[0].isupper()))
        and after
        and after not in FUNCTION_WORDS - PARTICLES
    ):
        return True
    if cased:
        return token.text[0].isupper() and (
            word not in FUNCTION_WORDS or bool(parts and word in ("will", "may", "young"))
        )
    if word in FUNCTION_WORDS or word in SITUATION_WORDS:
        return False
    return sure or not word.endswith(_SUFFIXES)


def _third_part(words: Sequence[Token], index: int, sure: bool) -> list[str]:
    """Return a third part of a name without capitals, only if the next word continues the sentence."""
    if index >= len(words) or _breaks(words[index - 1], words[index]) or not sure:
        return []
    token = words[index]
    if not _may_be_name(token, ["", ""], False, True, _next_word(words, index)) or token.folded.endswith(_SUFFIXES):
        return []
    after = _next_word(words, index)
    return [token.text] if after in _AFTER_A_NAME else []


def _plausible(name: Sequence[str], words: Sequence[Token], end: int, index: int, weight: int) -> bool:
    """Return True if "i'm" or "this is" without capitals introduces a name, judged by position and next word."""
    if len(name) < 2:
        return False
    if index and words[index - 1].folded in _GREETINGS:
        return True
    if index > 12:
        return False
    after = words[end] if end < len(words) else None
    ends = after is None or not _is_rare(after) or after.folded in _AFTER_OWN_NAME or bool(after.separator.strip())
    return ends or (weight == 3 and index <= 6)


def _capital(part: str) -> str:
    pieces = []
    for piece in part.lower().split("-"):
        word = piece[:1].upper() + piece[1:]
        if len(word) > 2 and word[1] in "'’":
            word = word[:2] + word[2].upper() + word[3:]
        if word.startswith("Mc") and len(word) > 3:
            word = "Mc" + word[2].upper() + word[3:]
        pieces.append(word)
    return "-".join(pieces)

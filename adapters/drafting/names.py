"""Names in speech: who is speaking, found by how people introduce themselves and by no list of names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.drafting.speech import Token, Utterance
from adapters.drafting.vocabulary import FUNCTION_WORDS, PARTICLES, SITUATION_WORDS, TITLES, words

MAX_NAME = 120

# How people say who they are, the surest first. `opening` ones count only where speech begins anew.
_INTRODUCTIONS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("my", "full", "name", "is"), 4),
    (("my", "name", "is"), 4),
    (("my", "name's"), 4),
    (("my", "names"), 4),
    (("me", "llamo"), 4),
    (("mi", "nombre", "es"), 4),
    (("this", "is"), 3),
    (("le", "habla"), 3),
    (("habla",), 2),
    (("i", "am"), 2),
    (("i'm",), 2),
    (("im",), 2),
    (("soy",), 3),
    (("it's",), 1),
    (("name", "is"), 1),
)
_FAREWELLS = frozenset(["calling", "speaking", "here"])
_GREETINGS = words("hi hello hey morning afternoon evening hola dias tardes noches")
_OTHERS = words("his her their son's daughter's mother's father's wife's husband's dog's whose")
_AGAIN = words("it's its is uh well my name no sorry um i'm like")
_AFTER_A_NAME = words("and i i'm im we my calling speaking y necesito necesitamos vivo vivimos tengo mi")
_INTERJECTION = 8
_MEASURES = words("dollars hundred thousand years months old")
_SUFFIXES = ("ing", "ed", "ly", "ful", "less", "ness", "tion")


@dataclass(frozen=True)
class _Candidate:
    words: tuple[str, ...]
    weight: int
    at: int


def speaker_name(text: str, language: str | None = None) -> str | None:
    """The name that the speaker gives as his or her own, None if none is said."""
    return speaker_in(Utterance.of(text, language))


def speaker_in(speech: Utterance) -> str | None:
    """The same, of speech already taken apart."""
    words = speech.words
    candidates = [*_introduced(words, speech.cased), *_announced(words, speech.cased)]
    if not candidates:
        return None
    best = max(candidates, key=lambda one: (one.weight, min(len(one.words), 2), -one.at))
    if len(best.words) == 1:
        best = next((one for one in candidates if len(one.words) > 1 and one.words[0] == best.words[0]), best)
    return spelled_name(best.words, speech.cased)


def name_at(words: Sequence[Token], start: int, cased: bool, sure: bool) -> tuple[tuple[str, ...], int]:
    """The name that begins at a word, () if none does, and the word behind it; `sure` says that one was announced."""
    found: list[str] = []
    at = start
    while at < len(words) and words[at].folded in TITLES:
        at += 1
    limit = 4 if cased else 2
    while at < len(words) and len(found) < limit + sum(word.lower() in PARTICLES for word in found):
        token = words[at]
        if found and _breaks(words[at - 1], token):
            break
        if not _may_be_name(token, found, cased, sure, _next(words, at)):
            break
        found.append(token.text)
        at += 1
    if not cased and len(found) == 2:
        third = _third_part(words, at, sure)
        found.extend(third)
        at += len(third)
    while found and found[-1].lower() in PARTICLES:
        found.pop()
        at -= 1
    return tuple(found), at


def spelled_name(words: Sequence[str], cased: bool) -> str:
    """The name as it is written, with capitals where a recogniser left them out."""
    parts = [word.removesuffix("'s").removesuffix("’s") for word in words]
    if not cased or all(part.isupper() and len(part) > 2 for part in parts):
        parts = [
            part.lower() if part.lower() in PARTICLES and index else _capital(part) for index, part in enumerate(parts)
        ]
    return " ".join(parts)[:MAX_NAME]


def _introduced(words: Sequence[Token], cased: bool) -> list[_Candidate]:
    found = []
    folded = [word.folded for word in words]
    for at in range(len(words)):
        for pattern, weight in _INTRODUCTIONS:
            end = at + len(pattern)
            if tuple(folded[at:end]) != pattern:
                continue
            if at and (folded[at - 1] in _OTHERS or folded[at - 1] == "my" or folded[at - 1].endswith("'s")):
                continue
            start = end
            while weight == 4 and start < len(words) and folded[start] in _AGAIN and start < end + 4:
                start += 1
            sure = weight == 4 or (weight == 3 and at < 12)
            name, end = name_at(words, start, cased, sure)
            if not name and weight == 4 and cased:
                name, end = _after_interjection(words, start)
            if not name or (not cased and weight < 4 and not _plausible(name, words, end, at, weight)):
                continue
            corrected = _corrected(words, end, cased)
            found.append(_Candidate(corrected or name, weight, at))
            break
    return found


def _after_interjection(words: Sequence[Token], start: int) -> tuple[tuple[str, ...], int]:
    """The name behind a remark: "my name is... sorry, I'm nervous... David Chen"."""
    for at in range(start + 1, min(start + _INTERJECTION, len(words))):
        if re.search(r"\.\.|…|[-–—]", words[at].gap):
            name, end = name_at(words, at, cased=True, sure=True)
            if len(name) > 1:
                return name, end
    return (), start


def _announced(words: Sequence[Token], cased: bool) -> list[_Candidate]:
    """ "Maria Garcia calling", "Maria Garcia here": a name at the start of a sentence and one word behind it."""
    found = []
    for at, word in enumerate(words):
        if word.folded not in _FAREWELLS or at == 0:
            continue
        for length in (3, 2, 1):
            start = at - length
            if start < 0 or not _opens(words, start, word.folded, cased):
                continue
            name, end = name_at(words[:at], start, cased, sure=cased or start < 3)
            if end == at and (len(name) > 1 or (name and cased)):
                found.append(_Candidate(name, 3, start))
                break
    return found


def _opens(words: Sequence[Token], start: int, farewell: str, cased: bool) -> bool:
    """Whether a name may begin here: where a sentence does or, without capitals, before a word that ends only names."""
    if start == 0 or words[start - 1].folded in _GREETINGS:
        return True
    if words[start - 1].sentence != words[start].sentence or "," in words[start].gap:
        return True
    return not cased and farewell != "here" and all(_is_rare(word) for word in words[start : start + 2])


def _is_rare(token: Token) -> bool:
    word = token.folded
    return not (word in FUNCTION_WORDS or word in SITUATION_WORDS or any(letter.isdigit() for letter in word))


def _corrected(words: Sequence[Token], at: int, cased: bool) -> tuple[str, ...]:
    """The name that takes back the one before it: "Jon Smith, no, John Smythe"."""
    start = at
    while (
        at < len(words)
        and at < start + 3
        and words[at].folded in ("no", "sorry", "wait", "rather", "it's", "correction")
    ):
        at += 1
    if at == start or not cased:
        return ()
    name, _ = name_at(words, at, cased, sure=True)
    return name if len(name) > 1 else ()


def _breaks(before: Token, token: Token) -> bool:
    mark = token.gap.strip()
    if not mark:
        return False
    return not (mark == "." and (len(before.text) == 1 or before.folded in ("st", "jr", "sr")))


def _next(words: Sequence[Token], at: int) -> str:
    return words[at + 1].folded if at + 1 < len(words) else ""


def _may_be_name(token: Token, found: Sequence[str], cased: bool, sure: bool, after: str) -> bool:
    word = token.folded
    if any(letter.isdigit() for letter in word) or word in _FAREWELLS:
        return False
    if (
        word in PARTICLES
        and (found or (cased and token.text[0].isupper()))
        and after
        and after not in FUNCTION_WORDS - PARTICLES
    ):
        return True
    if cased:
        return token.text[0].isupper() and (
            word not in FUNCTION_WORDS or bool(found and word in ("will", "may", "young"))
        )
    if word in FUNCTION_WORDS or word in SITUATION_WORDS or word in _MEASURES:
        return False
    return sure or not word.endswith(_SUFFIXES)


def _third_part(words: Sequence[Token], at: int, sure: bool) -> list[str]:
    """A third name in speech without capitals, taken only where the sentence plainly goes on after it."""
    if at >= len(words) or _breaks(words[at - 1], words[at]) or not sure:
        return []
    token = words[at]
    if not _may_be_name(token, ["", ""], False, True, _next(words, at)) or token.folded.endswith(_SUFFIXES):
        return []
    after = _next(words, at)
    return [token.text] if after in _AFTER_A_NAME else []


def _plausible(name: Sequence[str], words: Sequence[Token], end: int, at: int, weight: int) -> bool:
    """Without capitals, "i'm" and "this is" give a name only where a call begins, or where a name could end."""
    if len(name) < 2:
        return False
    if at and words[at - 1].folded in _GREETINGS:
        return True
    if at > 12:
        return False
    after = words[end] if end < len(words) else None
    ends = after is None or not _is_rare(after) or after.folded in _FAREWELLS or bool(after.gap.strip())
    return ends or (weight == 3 and at <= 6)


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

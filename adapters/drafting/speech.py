"""Spoken words as tokens: what was said, where, and which of it only filled a pause."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import pairwise

from adapters.drafting.vocabulary import words

# Longer than three hours of speech: nothing said later can matter to a campaign of 10,000 characters.
MAX_CHARACTERS = 200_000

_TOKEN = re.compile(
    r"""
      (?:(?:US|CA|AU|NZ)?[$€£¥]\s?)?\d+(?:[.,]\d+)*(?:\s?[€£¥]|[kKmM]\b)?%?  # 1,500  $1.5k  300 €  40%
      (?:[-–/:]\$?\d+(?:[.,]\d+)*)*                                        # 555-0134  10:30  8-10
    | [^\W\d_]+(?:['’-][^\W\d_]+)*                                         # words, O'Brien, thirty-five
    """,
    re.VERBOSE,
)
_ABBREVIATIONS = words("dr mr mrs ms st jr sr rev prof sgt lt mt ft vs sra srta")
_NON_SPEECH = re.compile(
    r"<[^<>]{0,200}>|\[[^\[\]]{0,60}\]|\((?:inaudible|music|laughs|laughter|applause|silence)\)", re.I
)
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)


class Filler(IntEnum):
    """How surely a word says nothing: PAUSE never does, HEDGE seldom does."""

    NONE = 0
    HEDGE = 1
    PAUSE = 2


@dataclass(frozen=True, slots=True)
class Token:
    """One word; `gap` is what stood between it and the word before, `folded` is without case and accents."""

    text: str
    folded: str
    start: int
    end: int
    gap: str
    sentence: int
    filler: Filler


_PAUSES = words("um umm uh uhm uhh er erm ah ahh hm hmm mm mhm mmm eh ehm este")
_HEDGES = words("basically actually well like literally honestly")
_FIRST_PERSON = words("i i'm i've i'll i'd")
_HEDGE_PAIRS = frozenset([("you", "know"), ("i", "mean"), ("o", "sea")])
# "would like", "looks like", "as well": there the word says something.
_NO_FILLER_BEFORE = {
    "like": words("would i'd we'd he'd she'd they'd look looks looked feel feels felt sounds seem seems just is was"),
    "well": words("as doing very pretty so not feel feeling get getting"),
}
_NO_HEDGE_AFTER_YOU_KNOW = words("how what that who where why if anyone anybody someone")


def fold(text: str) -> str:
    """Lower case, straight apostrophes and no accents: the form in which words are compared."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'").lower())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def tidy(text: str) -> str:
    """The text without what nobody can have said: control characters, markup, notes of the recogniser."""
    text = _CONTROL.sub(" ", text[:MAX_CHARACTERS].replace("\u00a0", " ").replace("\u202f", " "))
    return re.sub(r"[{}<>]", " ", _NON_SPEECH.sub(" ", unicodedata.normalize("NFC", text)))


def tokens_of(text: str) -> tuple[Token, ...]:
    """The words of a tidy text in their order."""
    found: list[Token] = []
    sentence = 0
    matches = list(_TOKEN.finditer(text))
    folded = [fold(match.group()) for match in matches]
    end = 0
    for index, match in enumerate(matches):
        gap = text[end : match.start()]
        if found and _ends_sentence(found[-1].folded, gap, match.group()):
            sentence += 1
        found.append(
            Token(match.group(), folded[index], match.start(), match.end(), gap, sentence, _filler(folded, index))
        )
        end = match.end()
    return tuple(found)


def _ends_sentence(before: str, gap: str, after: str) -> bool:
    mark = gap.strip()
    if not re.search(r"[.!?\n…。！？]", gap):
        return False
    if mark in ("...", "…", "..") and after[0].islower():
        return False
    initial = len(before) == 1 and before.isalpha() and before != "i"
    return mark != "." or not (before in _ABBREVIATIONS or initial)


def _filler(said: Sequence[str], index: int) -> Filler:
    word = said[index]
    before = said[index - 1] if index else ""
    after = said[index + 1] if index + 1 < len(said) else ""
    if word in _PAUSES:
        return Filler.PAUSE
    if word in _HEDGES:
        return Filler.NONE if before in _NO_FILLER_BEFORE.get(word, ()) else Filler.HEDGE
    if (word, after) in _HEDGE_PAIRS:
        follower = said[index + 2] if index + 2 < len(said) else ""
        return Filler.NONE if word == "you" and follower in _NO_HEDGE_AFTER_YOU_KNOW else Filler.HEDGE
    if (before, word) in _HEDGE_PAIRS:
        return Filler.NONE if before == "you" and after in _NO_HEDGE_AFTER_YOU_KNOW else Filler.HEDGE
    return Filler.NONE


def is_cased(tokens: Sequence[Token]) -> bool:
    """Whether capitals mean something here: a recogniser may write everything small, or everything big."""
    return any(
        token.text[0].isupper() and not token.text.isupper() and before.sentence == token.sentence
        for before, token in pairwise(tokens)
        if token.folded not in _FIRST_PERSON
    )


@dataclass(frozen=True)
class NormalizedText:
    """The words that say something, folded, parted by spaces, with a bar where a sentence ends.

    `starts` tells where in `text` each token begins; fillers have no place in it.
    """

    text: str
    starts: dict[int, int]

    @cached_property
    def places(self) -> list[int]:
        """Where the words begin, in their order."""
        return list(self.starts.values())

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> NormalizedText:
        parts: list[str] = []
        starts: dict[int, int] = {}
        at = sentence = 0
        for index, token in enumerate(tokens):
            if token.filler is not Filler.NONE:
                continue
            if token.sentence != sentence:
                parts.append("| ")
                at += 2
                sentence = token.sentence
            starts[index] = at
            parts.append(token.folded + " ")
            at += len(token.folded) + 1
        return cls("".join(parts), starts)


@dataclass(frozen=True)
class Utterance:
    """A whole transcript, taken apart once."""

    text: str
    tokens: tuple[Token, ...]
    cased: bool
    language: str

    @classmethod
    def of(cls, text: str, language: str | None) -> Utterance:
        """The speech in a transcript's text; an unknown language is read as English."""
        clean = tidy(text)
        tokens = tokens_of(clean)
        return cls(clean, tokens, is_cased(tokens), (language or "en").lower()[:2])

    @cached_property
    def line(self) -> NormalizedText:
        """What was said, folded, in one line."""
        return NormalizedText.of(self.tokens)

    @cached_property
    def words(self) -> tuple[Token, ...]:
        """The tokens that say something."""
        return tuple(token for token in self.tokens if token.filler is Filler.NONE)

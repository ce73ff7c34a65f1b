"""A transcript as tokens: each word with its position, its sentence and whether it is a filler."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import pairwise

from adapters.drafting.vocabulary import words

# More than three hours of speech. A campaign has at most 10,000 characters, so the rest cannot matter.
MAX_CHARACTERS = 200_000

_TOKEN = re.compile(
    r"""
      (?:(?:US|CA|AU|NZ)?[$€£¥]\s?)?\d+(?:[.,]\d+)*(?:\s?[€£¥]|[kKmM]\b)?%?  # 1,500  $1.5k  300 €  40%
      (?:[-–/:]\$?\d+(?:[.,]\d+)*)*                                        # 555-0134  10:30  8-10
    | [^\W\d_]+(?:['’-][^\W\d_]+)*                                         # words, O'Brien, thirty-five
    """,
    re.VERBOSE,
)
ABBREVIATIONS = words("dr mr mrs ms st jr sr rev prof sgt lt mt ft vs sra srta")
_NON_SPEECH = re.compile(
    r"<[^<>]{0,200}>|\[[^\[\]]{0,60}\]|\((?:inaudible|music|laughs|laughter|applause|silence)\)", re.I
)
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)


class FillerKind(IntEnum):
    """Whether a word carries meaning: a PAUSE ("um") never does, a HEDGE ("well") rarely does."""

    NONE = 0
    HEDGE = 1
    PAUSE = 2


@dataclass(frozen=True, slots=True)
class Token:
    """One word. `separator` is the text between it and the previous word; `folded` is `fold(text)`."""

    text: str
    folded: str
    start: int
    end: int
    separator: str
    sentence: int
    filler: FillerKind

    @property
    def is_filler(self) -> bool:
        return self.filler is not FillerKind.NONE


_PAUSES = words("um umm uh uhm uhh er erm ah ahh hm hmm mm mhm mmm eh ehm este")
_HEDGES = words("basically actually well like literally honestly")
_FIRST_PERSON = words("i i'm i've i'll i'd")
_HEDGE_PAIRS = frozenset([("you", "know"), ("i", "mean"), ("o", "sea")])
# After these words a hedge has a meaning: "would like", "looks like", "as well".
_NO_FILLER_BEFORE = {
    "like": words("would i'd we'd he'd she'd they'd look looks looked feel feels felt sounds seem seems just is was"),
    "well": words("as doing very pretty so not feel feeling get getting"),
}
_NO_HEDGE_AFTER_YOU_KNOW = words("how what that who where why if anyone anybody someone")


def fold(text: str) -> str:
    """Return the text in lower case, with straight apostrophes and without accents, to compare words."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'").lower())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def cleaned(text: str) -> str:
    """Return the text in composed form (NFC), with blanks for control characters, markup and notes of the recogniser.

    The characters keep their offsets.
    """
    text = unicodedata.normalize("NFC", text)[:MAX_CHARACTERS].replace("\u00a0", " ").replace("\u202f", " ")
    return re.sub(r"[{}<>]", " ", _NON_SPEECH.sub(lambda note: " " * len(note.group()), _CONTROL.sub(" ", text)))


def tokenized(text: str) -> tuple[Token, ...]:
    """Return the words of a cleaned text in order."""
    tokens: list[Token] = []
    sentence = 0
    matches = list(_TOKEN.finditer(text))
    folded = [fold(match.group()) for match in matches]
    end = 0
    for index, match in enumerate(matches):
        separator = text[end : match.start()]
        if tokens and _ends_sentence(tokens[-1].folded, separator, match.group()):
            sentence += 1
        tokens.append(
            Token(match.group(), folded[index], match.start(), match.end(), separator, sentence, _filler(folded, index))
        )
        end = match.end()
    return tuple(tokens)


def _ends_sentence(before: str, separator: str, after: str) -> bool:
    mark = separator.strip()
    if not re.search(r"[.!?\n…。！？]", separator):
        return False
    if mark in ("...", "…", "..") and after[0].islower():
        return False
    initial = len(before) == 1 and before.isalpha() and before != "i"
    return mark != "." or not (before in ABBREVIATIONS or initial)


def _filler(words: Sequence[str], index: int) -> FillerKind:
    word = words[index]
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    if word in _PAUSES:
        return FillerKind.PAUSE
    if word in _HEDGES:
        return FillerKind.NONE if before in _NO_FILLER_BEFORE.get(word, ()) else FillerKind.HEDGE
    if (word, after) in _HEDGE_PAIRS:
        follower = words[index + 2] if index + 2 < len(words) else ""
        return FillerKind.NONE if word == "you" and follower in _NO_HEDGE_AFTER_YOU_KNOW else FillerKind.HEDGE
    if (before, word) in _HEDGE_PAIRS:
        return FillerKind.NONE if before == "you" and after in _NO_HEDGE_AFTER_YOU_KNOW else FillerKind.HEDGE
    return FillerKind.NONE


def is_cased(tokens: Sequence[Token]) -> bool:
    """Return True if capitals mark names. A recogniser may also write everything in one case."""
    return any(
        token.text[0].isupper() and not token.text.isupper() and before.sentence == token.sentence
        for before, token in pairwise(tokens)
        if token.folded not in _FIRST_PERSON
    )


@dataclass(frozen=True)
class NormalizedText:
    """The folded words without fillers, separated by spaces, with a bar between sentences.

    `starts` maps the index of each token to its offset in `text`. Fillers are not in it.
    """

    text: str
    starts: dict[int, int]

    @cached_property
    def word_starts(self) -> list[int]:
        """Return the offsets of the words in order."""
        return list(self.starts.values())

    def first_offset(self, start: int, end: int) -> int | None:
        """Return the offset of the first token from `start` to `end` that is not a filler, or None."""
        return next((self.starts[index] for index in range(start, end) if index in self.starts), None)

    def token_at(self, offset: int) -> int | None:
        """Return the index of the first token from this offset on, or None."""
        at = bisect_left(self.word_starts, offset)
        return list(self.starts)[at] if at < len(self.word_starts) else None

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> NormalizedText:
        parts: list[str] = []
        starts: dict[int, int] = {}
        at = sentence = 0
        for index, token in enumerate(tokens):
            if token.is_filler:
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
    """A tokenized transcript."""

    text: str
    tokens: tuple[Token, ...]
    cased: bool
    language: str

    @classmethod
    def of(cls, text: str, language: str | None) -> Utterance:
        """Tokenize a transcript's text. An unknown language is treated as English."""
        clean = cleaned(text)
        tokens = tokenized(clean)
        return cls(clean, tokens, is_cased(tokens), (language or "en").lower()[:2])

    @cached_property
    def normalized(self) -> NormalizedText:
        return NormalizedText.of(self.tokens)

    @cached_property
    def words(self) -> tuple[Token, ...]:
        """Return the tokens without fillers."""
        return tuple(token for token in self.tokens if not token.is_filler)

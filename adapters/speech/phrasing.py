"""Turns recognised words into sentences, and decides whether they are speech and English."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from domain.values import Segment, Word

# The number of the recognised pronunciation: `to(2)`.
VARIANT = re.compile(r"\(\d+\)$")

# A word with less confidence is a guess. In English recordings up to a tenth of the words are guesses, in noise up to a
# quarter. In other languages four of ten words and more are guesses.
GUESS = 0.3
MAX_GUESS_SHARE = 0.3

# In speech, words fill most of the time that is not silent. In music and noise the decoder recognises noises, single
# words, or one word over and over.
MIN_WORD_SHARE = 0.25
MIN_WORD_SHARE_OF_SOUND = 0.5
REPETITIVE_WORDS = 8
DISTINCT_SHARE = 0.25

# A pause of PAUSE_MS ends a sentence. A sentence of more than LONG_SENTENCE_WORDS is split at its longest pause.
PAUSE_MS = 500
LONG_SENTENCE_WORDS = 20
SHORTEST_PAUSE_MS = 40

ALWAYS_CAPITAL = re.compile(
    r"\b(i(?='|\b)|mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|january|february|april|june"
    r"|july|september|october|november|december|english|american|america|god)\b"
)


@dataclass(frozen=True)
class RecognizedWord:
    """A token of the decoder: a word of its dictionary, or a pause or noise in brackets."""

    token: str
    start_ms: int
    end_ms: int
    confidence: float

    @property
    def is_word(self) -> bool:
        return self.token[0] not in "<[+"

    @property
    def is_silence(self) -> bool:
        return self.token.startswith("<")

    def word(self) -> Word:
        return Word(_written(self.token), self.start_ms, self.end_ms, round(self.confidence, 3))


def is_speech(tokens: Sequence[RecognizedWord]) -> bool:
    """Return True unless the tokens are mostly noises, or one word over and over."""
    words = [part for part in tokens if part.is_word]
    loud = [part for part in tokens if not part.is_silence]
    if not words or _time(words) < max(MIN_WORD_SHARE * _time(tokens), MIN_WORD_SHARE_OF_SOUND * _time(loud)):
        return False
    return len(words) < REPETITIVE_WORDS or len({part.token for part in words}) > DISTINCT_SHARE * len(words)


def is_english(tokens: Sequence[RecognizedWord]) -> bool:
    """Return True if few enough of the words are guesses."""
    words = [part for part in tokens if part.is_word]
    return sum(part.confidence < GUESS for part in words) <= MAX_GUESS_SHARE * len(words)


def phrases(tokens: Sequence[RecognizedWord]) -> list[list[RecognizedWord]]:
    """Split the words where the speaker pauses."""
    words = [part for part in tokens if part.is_word]
    split: list[list[RecognizedWord]] = []
    for word in words:
        if split and word.start_ms - split[-1][-1].end_ms < PAUSE_MS:
            split[-1].append(word)
        else:
            split.append([word])
    return [part for phrase in split for part in _shortened(phrase)]


def _shortened(phrase: list[RecognizedWord]) -> Iterator[list[RecognizedWord]]:
    pauses = [after.start_ms - before.end_ms for before, after in pairwise(phrase)]
    if len(phrase) <= LONG_SENTENCE_WORDS or max(pauses) < SHORTEST_PAUSE_MS:
        yield phrase
        return
    at = pauses.index(max(pauses)) + 1
    yield from _shortened(phrase[:at])
    yield from _shortened(phrase[at:])


def sentence(phrase: Sequence[RecognizedWord]) -> Segment:
    """Return the phrase as a sentence. Names stay in lower case, as in the decoder's dictionary."""
    text = " ".join(_written(word.token) for word in phrase)
    return Segment(text[0].upper() + text[1:] + ".", phrase[0].start_ms, phrase[-1].end_ms)


def _written(token: str) -> str:
    return ALWAYS_CAPITAL.sub(lambda match: match[0].capitalize(), VARIANT.sub("", token))


def _time(parts: Sequence[RecognizedWord]) -> int:
    return sum(part.end_ms - part.start_ms for part in parts)

"""From what the decoder heard to what a person reads: is it speech, is it English, where do sentences end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from domain.values import Segment, Word

# Which of its pronunciations of a word the decoder recognised: `to(2)`.
VARIANT = re.compile(r"\(\d+\)$")

# A word below this is a guess. English that can be read has few: in clear voices up to a tenth of the words, in a noisy
# room a quarter. Of other languages the decoder makes English words that are guesses, four of ten and more.
GUESS = 0.3
GUESSES_SHARE = 0.3

# When somebody speaks, words take most of the time and nearly all that is not silence; of music and noise the decoder
# makes fillers, a word here and there, or the same word over and over.
WORDS_SHARE = 0.25
WORDS_SHARE_OF_SOUND = 0.5
REPETITIVE_WORDS = 8
DISTINCT_SHARE = 0.25

# A pause this long ends a sentence; in one that would be longer than people speak, its longest pause does.
PAUSE_MS = 500
LONG_SENTENCE_WORDS = 20
SHORTEST_PAUSE_MS = 40

ALWAYS_CAPITAL = re.compile(
    r"\b(i(?='|\b)|mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|january|february|april|june"
    r"|july|september|october|november|december|english|american|america|god)\b"
)


@dataclass(frozen=True)
class RecognizedWord:
    """One thing the decoder heard: a word of its dictionary, or a pause or noise in brackets."""

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


def is_speech(heard: Sequence[RecognizedWord]) -> bool:
    """Whether words make up what was heard, rather than fillers or one word over and over."""
    words = [part for part in heard if part.is_word]
    loud = [part for part in heard if not part.is_silence]
    if not words or _time(words) < max(WORDS_SHARE * _time(heard), WORDS_SHARE_OF_SOUND * _time(loud)):
        return False
    return len(words) < REPETITIVE_WORDS or len({part.token for part in words}) > DISTINCT_SHARE * len(words)


def is_english(heard: Sequence[RecognizedWord]) -> bool:
    """Whether the decoder was sure enough of its English words to show them to somebody."""
    words = [part for part in heard if part.is_word]
    return sum(part.confidence < GUESS for part in words) <= GUESSES_SHARE * len(words)


def phrases(heard: Sequence[RecognizedWord]) -> list[list[RecognizedWord]]:
    """The words parted where the speaker pauses."""
    words = [part for part in heard if part.is_word]
    parted: list[list[RecognizedWord]] = []
    for word in words:
        if parted and word.start_ms - parted[-1][-1].end_ms < PAUSE_MS:
            parted[-1].append(word)
        else:
            parted.append([word])
    return [part for phrase in parted for part in _shortened(phrase)]


def _shortened(phrase: list[RecognizedWord]) -> Iterator[list[RecognizedWord]]:
    pauses = [after.start_ms - before.end_ms for before, after in pairwise(phrase)]
    if len(phrase) <= LONG_SENTENCE_WORDS or max(pauses) < SHORTEST_PAUSE_MS:
        yield phrase
        return
    at = pauses.index(max(pauses)) + 1
    yield from _shortened(phrase[:at])
    yield from _shortened(phrase[at:])


def sentence(phrase: Sequence[RecognizedWord]) -> Segment:
    """The phrase as a sentence. Names stay as the dictionary has them: we cannot hear a capital letter."""
    text = " ".join(_written(word.token) for word in phrase)
    return Segment(text[0].upper() + text[1:] + ".", phrase[0].start_ms, phrase[-1].end_ms)


def _written(token: str) -> str:
    return ALWAYS_CAPITAL.sub(lambda found: found[0].capitalize(), VARIANT.sub("", token))


def _time(parts: Sequence[RecognizedWord]) -> int:
    return sum(part.end_ms - part.start_ms for part in parts)

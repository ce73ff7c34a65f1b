"""Makes sentences out of recognised words."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.values import Segment, Word

# A recogniser writes these with a full stop that ends no sentence.
ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "sr.", "sra.", "dra.", "jr.", "no.", "vs."})
# A pause ends a sentence that the recogniser did not end.
PAUSE_MS = 1_500
LONGEST_WORDS = 60

# Below this average logarithm of its probability, a part of the recording was guessed rather than understood.
GUESSED_LOGPROB = -0.8


@dataclass(frozen=True)
class RecognizedWord:
    """A word with its punctuation, its place in the recording, and how sure the model is of the words around it."""

    word: Word
    logprob: float


def sentences(words: Sequence[RecognizedWord]) -> tuple[Segment, ...]:
    """Return the sentences. One of which a part was guessed is marked as `uncertain`."""
    segments: list[Segment] = []
    sentence: list[RecognizedWord] = []
    for number, word in enumerate(words):
        sentence.append(word)
        after = words[number + 1] if number + 1 < len(words) else None
        if after is None or _ends(word.word, after.word) or len(sentence) >= LONGEST_WORDS:
            segments.append(_segment(sentence))
            sentence = []
    return tuple(segments)


def _ends(word: Word, after: Word) -> bool:
    if after.start_ms - word.end_ms >= PAUSE_MS:
        return True
    ended = word.text.rstrip("\"'”’»)").endswith((".", "?", "!", "…"))
    return ended and word.text.lower() not in ABBREVIATIONS and not after.text[0].islower()


def _segment(sentence: Sequence[RecognizedWord]) -> Segment:
    text = " ".join(word.word.text for word in sentence)
    guessed = min(word.logprob for word in sentence) < GUESSED_LOGPROB
    return Segment(text, sentence[0].word.start_ms, sentence[-1].word.end_ms, uncertain=guessed)

"""The mood of a story, by VADER's lexicon for English; other languages are called neutral rather than guessed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from adapters.drafting.speech import Utterance
from adapters.drafting.vocabulary import words
from domain.values import Sentiment

# VADER's own bounds of neutral.
_THRESHOLD = 0.05
# The lexicon's cost grows with the square of a text's length, so it hears a story in pieces.
# Everybody who records a story asks for help and is polite: that is no mood.
_NO_MOOD = words("help helping helped please hi hello thanks thank security insurance care number like")
_PIECE_WORDS = 40
_MOST_PIECES = 60


@lru_cache(maxsize=1)
def _vader() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def sentiment_of(speech: Utterance) -> Sentiment:
    """The mood of what was said; of a long story its mean."""
    if speech.language != "en":
        return Sentiment.NEUTRAL
    words = [token.text for token in speech.words if token.folded not in _NO_MOOD]
    pieces = [" ".join(words[at : at + _PIECE_WORDS]) for at in range(0, len(words), _PIECE_WORDS)][:_MOST_PIECES]
    if not pieces:
        return Sentiment.NEUTRAL
    mood = sum(_vader().polarity_scores(piece)["compound"] for piece in pieces) / len(pieces)
    if mood >= _THRESHOLD:
        return Sentiment.POSITIVE
    return Sentiment.NEGATIVE if mood <= -_THRESHOLD else Sentiment.NEUTRAL

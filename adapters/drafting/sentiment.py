"""The sentiment of an English story by VADER's lexicon. Stories in other languages are neutral."""

from functools import lru_cache
from typing import Any

from adapters.drafting.utterance import Utterance
from adapters.drafting.vocabulary import words
from domain.values import Sentiment

# VADER's own limit between neutral and the other sentiments.
_THRESHOLD = 0.05
# Every speaker asks politely for help, so these words say nothing about the sentiment.
_NEUTRAL_WORDS = words("help helping helped please hi hello thanks thank security insurance care number like")
# VADER's time grows with the square of the text's length, so a story is scored in pieces.
_PIECE_WORDS = 40
_MAX_PIECES = 60


@lru_cache(maxsize=1)
def _vader() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def sentiment_of(utterance: Utterance) -> Sentiment:
    """Return the sentiment, the mean of all pieces for a long story."""
    if utterance.language != "en":
        return Sentiment.NEUTRAL
    words = [token.text for token in utterance.words if token.folded not in _NEUTRAL_WORDS]
    pieces = [" ".join(words[at : at + _PIECE_WORDS]) for at in range(0, len(words), _PIECE_WORDS)][:_MAX_PIECES]
    if not pieces:
        return Sentiment.NEUTRAL
    mood = sum(_vader().polarity_scores(piece)["compound"] for piece in pieces) / len(pieces)
    if mood >= _THRESHOLD:
        return Sentiment.POSITIVE
    return Sentiment.NEGATIVE if mood <= -_THRESHOLD else Sentiment.NEUTRAL

"""Counts the words that a transcript has wrong. How words and numbers are written makes no difference."""

import re
import unicodedata
from dataclasses import dataclass

from text_to_num import alpha2digit

# text2num reads the numbers of these languages.
_NUMBER_LANGUAGES = frozenset(["en", "es", "fr", "pt", "de", "it", "nl", "ca"])
_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds"}
_PRICE = re.compile(r"([$€£])\s?(\d+(?:[.,]\d+)*)")
_GROUPED = re.compile(r"(?<=\d)[.,](?=\d{3}(?!\d))")
_CENTS_OF_ZERO = re.compile(r"(?<=\d)[.,]00?(?!\d)")
_ABBREVIATIONS = {"mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint", "vs": "versus", "ok": "okay"}
_A_UNIT = re.compile(r"\ba (?=1(?:00|000|000000)\b)")


@dataclass(frozen=True)
class WordErrors:
    """The number of words in a reference, and of words that were inserted, left out or replaced."""

    words: int
    errors: int

    @property
    def rate(self) -> float:
        return self.errors / self.words if self.words else float(self.errors > 0)


def word_errors(reference: str, transcript: str, language: str | None = None) -> WordErrors:
    """Return how many words of the transcript are wrong."""
    expected, recognised = (normalized_words(text, language) for text in (reference, transcript))
    return WordErrors(len(expected), _distance(expected, recognised))


def normalized_words(text: str, language: str | None = None) -> list[str]:
    """Return the words in lower case, without accents and punctuation, with numbers in digits and currencies spelled.

    Numbers that follow each other are one, so that "555 0123" and "five five five oh one two three" are equal.
    """
    text = unicodedata.normalize("NFC", text).lower().replace("’", "'").replace("-", " ").replace("–", " ")
    text = _PRICE.sub(lambda price: f"{price[2]} {_CURRENCIES[price[1]]}", text).replace("%", " percent ")
    text = _CENTS_OF_ZERO.sub("", _GROUPED.sub("", text))
    spoken = language if language in _NUMBER_LANGUAGES else "en"
    # Without its punctuation a list of numbers would be read as one number: "twenty, five".
    text = alpha2digit(" ".join(re.findall(r"[\w']+(?:[.,]\d+)?|[.,;:!?]", text)), spoken, 0)
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    plain = _A_UNIT.sub("", plain.replace("'", ""))
    words = [_ABBREVIATIONS.get(word, word) for word in re.findall(r"\d+\.\d+|\w+", plain)]
    return _joined_numbers(words)


def _joined_numbers(words: list[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        is_zero = word == "oh" and bool(joined) and joined[-1].isdecimal()
        if (word.isdecimal() or is_zero) and joined and joined[-1].isdecimal():
            joined[-1] += "0" if is_zero else word
        else:
            joined.append(word)
    return joined


def _distance(expected: list[str], found: list[str]) -> int:
    """Return the smallest number of words to insert, leave out or replace."""
    row = list(range(len(found) + 1))
    for index, word in enumerate(expected, start=1):
        diagonal, row[0] = row[0], index
        for at, other in enumerate(found, start=1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other))
    return row[-1]

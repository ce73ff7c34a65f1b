"""The normal forms of words, and the parts of words by which they are found.

A part is a run of three letters, or of two in scripts whose characters each stand for a syllable or a word. Thus the
parts of a text that somebody types are among those of every text that contains it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

PART = 3
# Chinese characters, kana and Hangul.
_DENSE = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff]")
# Beyond accents: letters that people also write in another way, and signs within words.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
    | {"ٱ": "ا", "ى": "ي", "ی": "ي", "ة": "ه", "ک": "ك"}
    # Apostrophes, and the sign that only lengthens a line in Arabic.
    | dict.fromkeys("'’ʼ`´ـ", "")
)


def normalized(text: str) -> str:
    """Return the text without case, accents, vowel points and other differences that people overlook."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return unicodedata.normalize("NFC", bare.translate(_LETTERS))


def words(text: str) -> list[str]:
    """Return the words of the text in their normal form."""
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in normalized(text)).split()


def stored_parts(texts: Iterable[str]) -> set[str]:
    """Return every part by which one of the texts is found."""
    return {part for text in texts for word in words(text) for part in _parts(word, stored=True)}


def searched_parts(text: str) -> set[str]:
    """Return the parts that a text has if it contains every word of this one; a short word only as a whole."""
    return {part for word in words(text) for part in _parts(word, stored=False)}


def _parts(word: str, *, stored: bool) -> Iterator[str]:
    for run, is_dense in _runs(word):
        length = 2 if is_dense else PART
        if len(run) < length:
            yield run
        for start in range(len(run) - length + 1):
            yield run[start : start + length]
        if is_dense and stored:
            yield from run


def _runs(word: str) -> Iterator[tuple[str, bool]]:
    """Yield the stretches of a word that are written in dense scripts or in others, and which it is."""
    start = 0
    for end in range(1, len(word) + 1):
        is_dense = _DENSE.match(word[start]) is not None
        if end == len(word) or (_DENSE.match(word[end]) is not None) is not is_dense:
            yield word[start:end], is_dense
            start = end

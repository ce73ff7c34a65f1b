"""Builds the story: the speaker's words in order, without fillers and stutters, with punctuation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from adapters.drafting.numbers import SPOKEN_LANGUAGES
from adapters.drafting.utterance import FillerKind, Token, Utterance
from adapters.drafting.vocabulary import WORDS, words

MAX_STORY = 10_000

_MAX_STUTTER = 6
_REPEATED_ON_PURPOSE = words("very really so many much no never please again bye ha long far had that")
_NUMBER_WORDS = WORDS["story_number"]
_SENTENCE_STARTERS = words("i i'm we my he she they our this it it's")
_CONTINUING = WORDS["continuing"]
_MIN_SENTENCE_WORDS = 9
_ENDINGS = (".", "!", "?")
_ABBREVIATIONS = words("dr mr mrs ms st jr sr rev prof")
# Letters of other scripts. These rules do not fit such a text, so it stays unchanged.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1cff\u2c00-\ua6ff\ua800-\ud7ff\uf900-\ufdff\ufe70-\ufefe]")
_ALWAYS_CAPITAL = {"i": "I", "i'm": "I'm", "i've": "I've", "i'll": "I'll", "i'd": "I'd", "im": "I'm", "ive": "I've"}


@dataclass(frozen=True)
class _Word:
    """A word of the story and all text between it and the previous word of the story."""

    token: Token
    separator: str


def story_in(utterance: Utterance, names: Sequence[str] = ()) -> str | None:
    """Return the story, or None without words. `names` get capitals."""
    if utterance.language not in SPOKEN_LANGUAGES or _OTHER_SCRIPT.search(utterance.text):
        return _limited(" ".join(utterance.text.split())) or None
    words = _without_stutters(_without_fillers(utterance.tokens))
    if not words:
        return None
    story = _written(words, utterance.text[utterance.tokens[-1].end :])
    if not utterance.cased and utterance.language == "en":
        story = _with_capitals(story, names)
    return _limited(story)


def _without_fillers(tokens: Sequence[Token]) -> list[_Word]:
    """Drop every pause, and every hedge that punctuation separates from the sentence."""
    kept: list[_Word] = []
    separator = ""
    for index, token in enumerate(tokens):
        separator += token.separator
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        cut_off = token.folded == "n" and following is not None and following.text.startswith("$")
        if (
            token.filler is FillerKind.PAUSE
            or cut_off
            or (token.filler is FillerKind.HEDGE and _is_set_off(tokens, index))
        ):
            continue
        kept.append(_Word(token, separator))
        separator = ""
    return kept


def _is_set_off(tokens: Sequence[Token], index: int) -> bool:
    """Return True if a hedge is separate: "Well, ...", ", you know,". "Basically" is dropped everywhere."""
    if tokens[index].folded == "basically":
        return True
    first, last = index, index
    while first and tokens[first - 1].is_filler and not tokens[first].separator.strip():
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1].is_filler and not tokens[last + 1].separator.strip():
        last += 1
    opens = first == 0 or bool(tokens[first].separator.strip())
    closes = last + 1 == len(tokens) or bool(tokens[last + 1].separator.strip())
    return opens and closes


def _without_stutters(words: Sequence[_Word]) -> list[_Word]:
    """Drop immediate repetitions: "I need, I need", "Linda Torres, Linda Torres"."""
    kept: list[_Word] = []
    for word in words:
        kept.append(word)
        for length in range(min(_MAX_STUTTER, len(kept) // 2), 0, -1):
            repeated = kept[-length:]
            words_before = [word.token.folded for word in kept[-2 * length : -length]]
            if [word.token.folded for word in repeated] == words_before and _is_stutter(repeated):
                del kept[-length:]
                break
    return kept


def _is_stutter(repeated: Sequence[_Word]) -> bool:
    words = [word.token.folded for word in repeated]
    if any(word in _NUMBER_WORDS or any(letter.isdigit() for letter in word) for word in words):
        return False
    if len(words) == 1:
        return words[0] not in _REPEATED_ON_PURPOSE and not re.search(r"[.!?]", repeated[0].separator.replace("..", ""))
    return True


def _written(words: Sequence[_Word], ending: str) -> str:
    """Join the words with punctuation. If there is none, sentences end where a new one clearly begins."""
    has_marks = sum(bool(word.separator.strip()) for word in words) * 25 >= len(words)
    parts = [_capitalised(words[0].token.text)]
    words_since_end = 0
    for before, word in pairwise(words):
        mark = _mark(word.separator, before.token, word.token)
        if (
            not has_marks
            and mark == " "
            and words_since_end >= _MIN_SENTENCE_WORDS
            and _begins_sentence(word.token, before.token)
        ):
            mark = ". "
        ends = mark.lstrip(")")[:1] in _ENDINGS
        parts.append(mark)
        parts.append(_capitalised(word.token.text) if ends else word.token.text)
        words_since_end = 0 if ends else words_since_end + 1
    last = re.search(r"[.!?]", ending)
    return "".join(parts) + (")" if ")" in ending else "") + (last.group() if last else ".")


def _mark(separator: str, before: Token, after: Token) -> str:
    """Return the text between two words: one mark instead of several, and brackets unchanged."""
    if separator in ("-", "–", "/"):
        return separator
    closing, opening = (
        (")" if ")" in separator else ""),
        ("(" if "(" in separator and before.sentence == after.sentence else ""),
    )
    if sign := re.search(r"[&+@#]", separator):
        return f" {sign.group()} "
    if "." in separator and "..." not in separator and (len(before.text) == 1 or before.folded in _ABBREVIATIONS):
        return ". "
    if before.sentence != after.sentence:
        mark = next((mark for mark in separator if mark in _ENDINGS), ".")
    elif ":" in separator:
        mark = ":"
    elif re.search(r"[;,…]|\.\.", separator):
        mark = ","
    else:
        mark = " –" if re.search(r"\s[-–—]+\s|—", separator) else ""
    return f"{closing}{mark} {opening}"


def _begins_sentence(token: Token, before: Token) -> bool:
    return token.folded in _SENTENCE_STARTERS and before.folded not in _CONTINUING


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_capitals(story: str, names: Sequence[str]) -> str:
    for small, big in _ALWAYS_CAPITAL.items():
        story = re.sub(rf"(?<![\w'’]){re.escape(small)}(?![\w'’])", big, story)
    for name in names:
        for part in re.findall(r"[^\W\d_][\w'’-]*", name):
            if part[0].isupper():
                story = re.sub(rf"(?<![\w'’]){re.escape(part)}(?![\w’])", part, story, flags=re.I)
    return story


def _limited(story: str) -> str:
    """Return the story within its limit, cut at the end of a sentence if possible."""
    if len(story) <= MAX_STORY:
        return story
    cut = story[: MAX_STORY - 1]
    end = max(cut.rfind(mark) for mark in (". ", "! ", "? "))
    return cut[: end + 1] if end > MAX_STORY // 2 else cut.rsplit(" ", 1)[0] + "…"

"""The story: a person's own words in order, with only that taken out which nobody means to write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from adapters.drafting.numbers import SPOKEN_LANGUAGES
from adapters.drafting.speech import Filler, Token, Utterance
from adapters.drafting.vocabulary import words

MAX_STORY = 10_000

_LONGEST_STUTTER = 6
_MEANT_TWICE = words("very really so many much no never please again bye ha long far had that")
_NUMBER_WORDS = words(
    "zero one two three four five six seven eight nine ten twenty thirty forty fifty hundred thousand oh double"
)
_SENTENCE_STARTERS = words("i i'm we my he she they our this it it's")
_GOES_ON = words(
    "and but so because that if when where what who how which while since until than as for with to of about from by "
    "after before then or like help is was are think know say says said need"
)
_BEFORE_A_NEW_SENTENCE = 9
_ENDINGS = (".", "!", "?")
_SHORTENED = words("dr mr mrs ms st jr sr rev prof")
# A letter beyond Latin: such a text is not for this grammar, so it stays as the recogniser wrote it.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1cff\u2c00-\ua6ff\ua800-\ud7ff\uf900-\ufdff\ufe70-\ufefe]")
_ALWAYS_BIG = {"i": "I", "i'm": "I'm", "i've": "I've", "i'll": "I'll", "i'd": "I'd", "im": "I'm", "ive": "I've"}


@dataclass(frozen=True)
class _Word:
    """A word to be written, and the marks that stood before it, with those of words left out before it."""

    token: Token
    gap: str


def story_in(speech: Utterance, names: Sequence[str] = ()) -> str | None:
    """What was said, ready to be read; `names` are written big wherever they were said. None if nothing was said."""
    if speech.language not in SPOKEN_LANGUAGES or _OTHER_SCRIPT.search(speech.text):
        return _bounded(" ".join(speech.text.split())) or None
    words = _without_stutters(_without_fillers(speech.tokens))
    if not words:
        return None
    story = _written(words, speech.text[speech.tokens[-1].end :])
    if not speech.cased and speech.language == "en":
        story = _with_capitals(story, names)
    return _bounded(story)


def _without_fillers(tokens: Sequence[Token]) -> list[_Word]:
    """Drops every pause, and a hedge only where commas or a break set it off from the sentence."""
    kept: list[_Word] = []
    gap = ""
    for index, token in enumerate(tokens):
        gap += token.gap
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        cut_off = token.folded == "n" and following is not None and following.text.startswith("$")
        if token.filler is Filler.PAUSE or cut_off or (token.filler is Filler.HEDGE and _set_off(tokens, index)):
            continue
        kept.append(_Word(token, gap))
        gap = ""
    return kept


def _set_off(tokens: Sequence[Token], index: int) -> bool:
    """Whether a hedge stands apart: "Well, ...", ", you know,", "..., I mean."; "basically" says nothing anywhere."""
    if tokens[index].folded == "basically":
        return True
    first, last = index, index
    while first and tokens[first - 1].filler is not Filler.NONE and not tokens[first].gap.strip():
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1].filler is not Filler.NONE and not tokens[last + 1].gap.strip():
        last += 1
    opens = first == 0 or bool(tokens[first].gap.strip())
    closes = last + 1 == len(tokens) or bool(tokens[last + 1].gap.strip())
    return opens and closes


def _without_stutters(words: Sequence[_Word]) -> list[_Word]:
    """Says once what was said twice on end: "I need, I need", "Linda Torres, Linda Torres"."""
    kept: list[_Word] = []
    for word in words:
        kept.append(word)
        for length in range(min(_LONGEST_STUTTER, len(kept) // 2), 0, -1):
            again, before = kept[-length:], kept[-2 * length : -length]
            if [one.token.folded for one in again] == [one.token.folded for one in before] and _is_stutter(again):
                del kept[-length:]
                break
    return kept


def _is_stutter(again: Sequence[_Word]) -> bool:
    words = [word.token.folded for word in again]
    if any(word in _NUMBER_WORDS or any(letter.isdigit() for letter in word) for word in words):
        return False
    if len(words) == 1:
        return words[0] not in _MEANT_TWICE and not re.search(r"[.!?]", again[0].gap.replace("..", ""))
    return True


def _written(words: Sequence[_Word], ending: str) -> str:
    """Writes the words with their marks; in speech without any, a sentence ends where a new one plainly begins."""
    marked = sum(bool(word.gap.strip()) for word in words) * 25 >= len(words)
    parts = [_big(words[0].token.text)]
    since = 0
    for before, word in pairwise(words):
        mark = _mark(word.gap, before.token, word.token)
        if not marked and mark == " " and since >= _BEFORE_A_NEW_SENTENCE and _begins(word.token, before.token):
            mark = ". "
        ends = mark.lstrip(")")[:1] in _ENDINGS
        parts.append(mark)
        parts.append(_big(word.token.text) if ends else word.token.text)
        since = 0 if ends else since + 1
    last = re.search(r"[.!?]", ending)
    return "".join(parts) + (")" if ")" in ending else "") + (last.group() if last else ".")


def _mark(gap: str, before: Token, after: Token) -> str:
    """What is written between two words: one mark for however many stood there, and brackets as they were."""
    if gap in ("-", "–", "/"):
        return gap
    closing, opening = (")" if ")" in gap else ""), ("(" if "(" in gap and before.sentence == after.sentence else "")
    if sign := re.search(r"[&+@#]", gap):
        return f" {sign.group()} "
    if "." in gap and "..." not in gap and (len(before.text) == 1 or before.folded in _SHORTENED):
        return ". "
    if before.sentence != after.sentence:
        mark = next((mark for mark in gap if mark in _ENDINGS), ".")
    elif ":" in gap:
        mark = ":"
    elif re.search(r"[;,…]|\.\.", gap):
        mark = ","
    else:
        mark = " –" if re.search(r"\s[-–—]+\s|—", gap) else ""
    return f"{closing}{mark} {opening}"


def _begins(token: Token, before: Token) -> bool:
    return token.folded in _SENTENCE_STARTERS and before.folded not in _GOES_ON


def _big(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_capitals(story: str, names: Sequence[str]) -> str:
    for small, big in _ALWAYS_BIG.items():
        story = re.sub(rf"(?<![\w'’]){re.escape(small)}(?![\w'’])", big, story)
    for name in names:
        for part in re.findall(r"[^\W\d_][\w'’-]*", name):
            if part[0].isupper():
                story = re.sub(rf"(?<![\w'’]){re.escape(part)}(?![\w’])", part, story, flags=re.I)
    return story


def _bounded(story: str) -> str:
    """The story within its limit, cut at the end of a sentence where there is one."""
    if len(story) <= MAX_STORY:
        return story
    cut = story[: MAX_STORY - 1]
    end = max(cut.rfind(mark) for mark in (". ", "! ", "? "))
    return cut[: end + 1] if end > MAX_STORY // 2 else cut.rsplit(" ", 1)[0] + "…"

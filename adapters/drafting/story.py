"""Builds the story: the speaker's sentences in order and paragraphs, without fillers, stutters and greetings."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from adapters.drafting.numbers import SPOKEN_LANGUAGES
from adapters.drafting.utterance import FillerKind, Token, Utterance
from adapters.drafting.vocabulary import TABLES, WORDS, words

MAX_STORY = 10_000

_MAX_STUTTER = 6
_MAX_GREETING = 12
_PARAGRAPH, _MIN_PARAGRAPH = 400, 120
_MIN_REPEATED_SENTENCE = 3
_REPEATED_ON_PURPOSE = WORDS["repeated_on_purpose"]
_NUMBER_WORDS = WORDS["story_number"]
_NEED_WORDS = WORDS["need"]
_GREETING = re.compile("".join(TABLES["patterns"]["greeting"].splitlines()))
_SENTENCE_STARTERS = words("i i'm we my he she they our this it it's")
_CONTINUING = WORDS["continuing"]
_MIN_SENTENCE_WORDS = 9
_ENDINGS = (".", "!", "?")
_FULL_STOP = re.compile(r"(?<!\.)\.(?!\.)")
_SENTENCE_END = re.compile(r"(?<!\.)\.(?!\.)|[!?\n]")
_NEW_RECORDING = re.compile(r"\n\s*\n")
# Letters of other scripts. These rules do not fit such a text, so its sentences stay unchanged.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1cff\u2c00-\ua6ff\ua800-\ud7ff\uf900-\ufdff\ufe70-\ufefe]")
_UNCHANGED_SENTENCE = re.compile(r"\S(?:[^.!?…。！？।\n]|[.…](?=\S))*(?:[.!?…。！？।]+|(?=\n)|$)")
_ALWAYS_CAPITAL = {"i": "I", "i'm": "I'm", "i've": "I've", "i'll": "I'll", "i'd": "I'd", "im": "I'm", "ive": "I've"}


@dataclass(frozen=True)
class StorySentence:
    """One sentence of the story, and where its words are in the transcript.

    `start` and `end` enclose the words in `Utterance.text`, which has the offsets of the transcript's text in Unicode's
    composed form (NFC). `sources` are the numbers of the transcript's sentences, counted from 0. `recording` is the
    number of the recording: blank lines separate the transcripts of several.
    """

    text: str
    start: int
    end: int
    sources: tuple[int, ...]
    recording: int = 0


@dataclass(frozen=True)
class Story:
    """A story in paragraphs. `left_out` is the number of sentences that were too many for its limit."""

    paragraphs: tuple[tuple[StorySentence, ...], ...]
    left_out: int = 0

    @cached_property
    def sentences(self) -> tuple[StorySentence, ...]:
        return tuple(sentence for paragraph in self.paragraphs for sentence in paragraph)

    @cached_property
    def text(self) -> str:
        return "\n\n".join(" ".join(sentence.text for sentence in paragraph) for paragraph in self.paragraphs)


@dataclass(frozen=True)
class _Word:
    """A word of the story and all text between it and the previous word of the story."""

    token: Token
    separator: str


def story_of(utterance: Utterance, names: Sequence[str] = (), ask: int | None = None) -> Story:
    """Return the story, shortened by whole sentences if it is too long.

    `names` get capitals if the transcript has none. `ask` is the offset of the amount that the speaker asks for: its
    sentence begins a paragraph, and is always in the story.
    """
    if utterance.language not in SPOKEN_LANGUAGES or _OTHER_SCRIPT.search(utterance.text):
        sentences = _unchanged_sentences(utterance.text)
    else:
        sentences = _sentences(utterance, names)
    chosen = _within_limit(sentences, names, ask)
    return Story(tuple(_paragraphs(chosen, ask)), left_out=len(sentences) - len(chosen))


def _unchanged_sentences(text: str) -> list[StorySentence]:
    recordings = [match.start() for match in _NEW_RECORDING.finditer(text)]
    return [
        StorySentence(
            " ".join(match.group().split()),
            *match.span(),
            sources=(number,),
            recording=bisect_right(recordings, match.start()),
        )
        for number, match in enumerate(_UNCHANGED_SENTENCE.finditer(text))
    ]


def _sentences(utterance: Utterance, names: Sequence[str]) -> list[StorySentence]:
    """Return the sentences. One that an earlier recording has word for word is left out."""
    tokens = utterance.tokens
    ending = utterance.text[tokens[-1].end :] if tokens else ""
    has_marks = sum(bool(token.separator.strip()) for token in tokens) * 25 >= len(tokens)
    written: list[StorySentence] = []
    first_recordings: dict[tuple[str, ...], int] = {}
    kept = _without_fillers(tokens)
    for recording, part in enumerate(_recordings(kept)):
        part_ending = ending if kept and part[-1] is kept[-1] else "."
        kept_words = _without_stutters(_without_greeting(part))
        for sentence_words, text in _written(kept_words, part_ending, has_marks):
            spoken = tuple(word.token.folded for word in sentence_words)
            if len(spoken) >= _MIN_REPEATED_SENTENCE and first_recordings.setdefault(spoken, recording) < recording:
                continue
            if not utterance.cased and utterance.language == "en":
                text = _with_capitals(text, names)
            first, last = sentence_words[0].token, sentence_words[-1].token
            sources = tuple(dict.fromkeys(word.token.sentence for word in sentence_words))
            written.append(StorySentence(text, first.start, last.end, sources, recording))
    return written


def _without_fillers(tokens: Sequence[Token]) -> list[_Word]:
    """Drop every pause, and every hedge that punctuation separates from the sentence."""
    kept: list[_Word] = []
    separator = ""
    for index, token in enumerate(tokens):
        separator += token.separator
        if token.filler is FillerKind.PAUSE or (token.filler is FillerKind.HEDGE and _is_set_off(tokens, index)):
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


def _recordings(kept: Sequence[_Word]) -> Iterator[Sequence[_Word]]:
    starts = [index for index, word in enumerate(kept) if index and _NEW_RECORDING.search(word.separator)]
    for start, end in pairwise([0, *starts, len(kept)]):
        if start < end:
            yield kept[start:end]


def _without_greeting(kept: Sequence[_Word]) -> Sequence[_Word]:
    """Drop the greeting at the start ("Hello. Good morning, everyone"), unless nothing else is said."""
    opening = "".join(f"{_pause(word.separator)} {word.token.folded}" for word in kept[:_MAX_GREETING])
    greeting = _GREETING.match(opening.lstrip(".,").lstrip() + " ")
    return kept[len(greeting.group().split()) if greeting else 0 :] or kept


def _pause(separator: str) -> str:
    return "." if _SENTENCE_END.search(separator) else "," if separator.strip() else ""


def _without_stutters(kept: Sequence[_Word]) -> list[_Word]:
    """Drop immediate repetitions within a sentence: "I need, I need", "Linda Torres, Linda Torres"."""
    result: list[_Word] = []
    for at, word in enumerate(kept):
        result.append(word)
        following = kept[at + 1] if at + 1 < len(kept) else None
        for length in range(min(_MAX_STUTTER, len(result) // 2), 0, -1):
            first, repeated = result[-2 * length : -length], result[-length:]
            if [word.token.folded for word in first] == [word.token.folded for word in repeated] and _is_stutter(
                first, repeated, following, is_opening=len(result) == 2 * length
            ):
                del result[-length:]
                break
    return result


def _is_stutter(first: Sequence[_Word], repeated: Sequence[_Word], after: _Word | None, *, is_opening: bool) -> bool:
    folded = [word.token.folded for word in repeated]
    if any(word in _NUMBER_WORDS or any(letter.isdigit() for letter in word) for word in folded):
        return False
    if any(_SENTENCE_END.search(word.separator) for word in (*first[1:], *repeated)):
        return False
    if len(folded) == 1:
        return folded[0] not in _REPEATED_ON_PURPOSE
    # "I paid the funeral, the funeral home wants more": with a mark between them, two clauses may share words.
    is_clause = is_opening or bool(first[0].separator.strip()) or after is None or bool(after.separator.strip())
    return is_clause or not repeated[0].separator.strip()


def _written(kept: Sequence[_Word], ending: str, has_marks: bool) -> Iterator[tuple[list[_Word], str]]:
    """Yield the words and the text of each sentence. Without punctuation it ends where a new one clearly begins."""
    last_mark = re.search(r"[.!?]", ending)
    sentence, text = [kept[0]], _capitalised(kept[0].token.text)
    for before, word in pairwise(kept):
        mark = _mark(word.separator, before.token, word.token)
        is_long = not has_marks and mark == " " and len(sentence) > _MIN_SENTENCE_WORDS
        if before.token.sentence != word.token.sentence or (is_long and _begins(word.token, before.token)):
            closing, _, opening = mark.rpartition(" ")
            yield sentence, text + (closing.strip() or ".")
            sentence, text = [word], opening + _capitalised(word.token.text)
        else:
            sentence.append(word)
            text += mark + word.token.text
    yield sentence, text + (")" if ")" in ending else "") + (last_mark.group() if last_mark else ".")


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
    if before.sentence == after.sentence and _FULL_STOP.search(separator):
        return ". " if separator[-1].isspace() else "."  # of an abbreviation
    if before.sentence != after.sentence:
        mark = next((mark for mark in separator if mark in _ENDINGS), ".")
    elif ":" in separator:
        mark = ":"
    elif re.search(r"[;,…]|\.\.", separator):
        mark = ","
    else:
        mark = " –" if re.search(r"\s[-–—]+\s|—", separator) else ""
    return f"{closing}{mark} {opening}"


def _begins(token: Token, before: Token) -> bool:
    return token.folded in _SENTENCE_STARTERS and before.folded not in _CONTINUING


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_capitals(text: str, names: Sequence[str]) -> str:
    for small, big in _ALWAYS_CAPITAL.items():
        text = re.sub(rf"(?<![\w'’]){re.escape(small)}(?![\w'’])", big, text)
    for name in names:
        for part in re.findall(r"[^\W\d_][\w'’-]*", name):
            if part[0].isupper():
                text = re.sub(rf"(?<![\w'’]){re.escape(part)}(?![\w’])", part, text, flags=re.I)
    return text


def _within_limit(sentences: Sequence[StorySentence], names: Sequence[str], ask: int | None) -> list[StorySentence]:
    """Return the sentences that fit: first the one that asks and the introduction, then those that say most."""
    if sum(len(sentence.text) + 2 for sentence in sentences) <= MAX_STORY:
        return list(sentences)
    introduction = next((at for at, sentence in enumerate(sentences) if names and names[0] in sentence.text), 0)

    def rank(at: int) -> tuple[bool, bool, int, int]:
        return not _holds(sentences[at], ask), at != introduction, -_importance(sentences[at].text), at

    chosen: dict[int, StorySentence] = {}
    space = MAX_STORY
    for at in sorted(range(len(sentences)), key=rank):
        sentence = sentences[at]
        if not chosen and len(sentence.text) > space:
            sentence = replace(sentence, text=sentence.text[: space - 1].rsplit(" ", 1)[0] + "…")
        if len(sentence.text) + 2 <= space or not chosen:
            chosen[at] = sentence
            space -= len(sentence.text) + 2
    return [chosen[at] for at in sorted(chosen)]


def _holds(sentence: StorySentence, ask: int | None) -> bool:
    return ask is not None and sentence.start <= ask < sentence.end


def _importance(text: str) -> int:
    """Return how much a sentence says about the need: words of need, and an amount."""
    words = re.findall(r"[\w'’]+", text.lower())
    return min(3, sum(word in _NEED_WORDS for word in words)) + 2 * any(letter.isdigit() for letter in text)


def _paragraphs(sentences: Iterable[StorySentence], ask: int | None) -> Iterator[tuple[StorySentence, ...]]:
    """Yield paragraphs. A new one begins with each recording, when one is long enough, and with the request."""
    remaining = list(sentences)
    paragraph: list[StorySentence] = []
    length = 0
    for at, sentence in enumerate(remaining):
        rest = sum(len(later.text) for later in remaining[at : at + 4])
        is_full = length >= _PARAGRAPH or (length >= _MIN_PARAGRAPH and _holds(sentence, ask))
        if paragraph and (sentence.recording != paragraph[-1].recording or (is_full and rest >= _MIN_PARAGRAPH)):
            yield tuple(paragraph)
            paragraph, length = [], 0
        paragraph.append(sentence)
        length += len(sentence.text)
    if paragraph:
        yield tuple(paragraph)

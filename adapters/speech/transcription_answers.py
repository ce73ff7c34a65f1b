"""Answers of servers that transcribe: the requests that they offer, and strict checks of what they return.

The text alone makes an answer usable. Times are kept only if all of them are possible and belong to the text.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from adapters.localisation import locale_of
from domain.values import Segment, Word

MAX_BODY_BYTES = 20_000_000
MAX_TEXT_CHARACTERS = 500_000
MAX_PER_SECOND = 20
MAX_HINTS, MAX_HINT_CHARACTERS = 20, 100

# Whisper works on windows of 30 seconds, so the end of what is said may lie behind the end of the sound.
WINDOW_MS = 30_000

_TIMES = {"response_format": "verbose_json", "timestamp_granularities": ["segment", "word"]}
_SEGMENT_TIMES = {"response_format": "verbose_json", "timestamp_granularities": ["segment"]}
_SPEAKERS = {"response_format": "diarized_json", "chunking_strategy": "auto"}
_TEXT_ONLY = {"response_format": "json"}

ISO_639_1 = re.compile(r"[a-z]{2}")
# whisper-1 names languages; of others the language is found in the text.
_NAMED = ["ar", "zh", "nl", "en", "fr", "de", "hi", "it", "ja", "ko", "pl", "pt", "ru", "es", "tr", "uk", "vi"]
_LANGUAGE_NAMES = {locale_of("en").languages[code].lower(): code for code in _NAMED}


def requests_for(model: str) -> list[Mapping[str, object]]:
    """Return the requests to try in this order, the one with most details first."""
    if "diarize" in model:
        return [_SPEAKERS, _TEXT_ONLY]
    if model.startswith("gpt-"):
        return [_TEXT_ONLY]
    return [_TIMES, _SEGMENT_TIMES, _TEXT_ONLY]


def hinted(model: str, hints: Sequence[str]) -> dict[str, object]:
    """Return the fields that tell the model the hints, if it takes any."""
    words = [" ".join(hint.split())[:MAX_HINT_CHARACTERS] for hint in hints if hint.strip()][:MAX_HINTS]
    if not words or "diarize" in model:
        return {}
    return {"keywords": words} if model.startswith("gpt-transcribe") else {"prompt": ", ".join(words)}


def repeats(text: str, hints: Sequence[str]) -> bool:
    """Return True if the text is the hints: Whisper repeats its prompt where nobody speaks."""
    return bool(hints) and _letters(text) == _letters("".join(hints))


class _Timed(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    start: Annotated[float, Field(ge=0)]
    end: Annotated[float, Field(ge=0)]


class _Word(_Timed):
    word: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    probability: Annotated[float, Field(ge=0, le=1)] | None = None


class _Segment(_Timed):
    text: Annotated[str, StringConstraints(max_length=5_000)]
    speaker: Annotated[str, StringConstraints(max_length=100)] | None = None


_WORDS = TypeAdapter(list[_Word])
_SEGMENTS = TypeAdapter(list[_Segment])


@dataclass(frozen=True)
class PartAnswer:
    """The words that a server recognised in a part of a recording; times are those of the part."""

    text: str
    languages: tuple[str, ...] = ()
    segments: tuple[Segment, ...] | None = None
    words: tuple[Word, ...] | None = None


def parse(body: bytes, duration_ms: int) -> PartAnswer:
    """Return the answer. Raise ValueError if it is not JSON or has no text."""
    if len(body) > MAX_BODY_BYTES:
        raise ValueError("too long")
    try:
        answer = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deep") from None
    text = answer.get("text") if isinstance(answer, dict) else None
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError("no text")
    segments = [
        Segment(segment.text.strip(), *_span(segment, duration_ms), segment.speaker or None)
        for segment in _timed(_SEGMENTS, answer.get("segments"), duration_ms)
        if segment.text.strip()
    ]
    words = [
        Word(word.word.strip(), *_span(word, duration_ms), word.probability)
        for word in _timed(_WORDS, answer.get("words") or _words_in(answer.get("segments")), duration_ms)
        if word.word.strip()
    ]
    return PartAnswer(
        text.strip(),
        _codes(answer),
        tuple(segments) if _are_of(text, [segment.text for segment in segments]) else None,
        tuple(words) if _are_of(text, [word.text for word in words]) else None,
    )


def _words_in(segments: object) -> list[object]:
    """Return the words of the segments, where whisper.cpp has them."""
    listed = segments if isinstance(segments, list) else []
    words = [segment.get("words") for segment in listed if isinstance(segment, dict)]
    return [word for of_segment in words if isinstance(of_segment, list) for word in of_segment]


def _timed(adapter: TypeAdapter[Any], values: object, duration_ms: int) -> list[Any]:
    """Return the values if there are not too many and all are in order and within the sound; otherwise none."""
    if not isinstance(values, list) or len(values) > MAX_PER_SECOND * (duration_ms // 1000 + 1):
        return []
    try:
        timed: list[_Timed] = adapter.validate_python(values)
    except ValidationError:
        return []
    last_start = 0.0
    for value in timed:
        if not last_start <= value.start <= value.end or value.end * 1000 > duration_ms + WINDOW_MS:
            return []
        last_start = value.start
    return timed


def _span(value: _Timed, duration_ms: int) -> tuple[int, int]:
    return min(round(value.start * 1000), duration_ms), min(round(value.end * 1000), duration_ms)


def _are_of(text: str, pieces: list[str]) -> bool:
    """Return True if the pieces make up the whole text; servers differ only in punctuation and spaces."""
    return bool(pieces) and _letters("".join(pieces)) == _letters(text)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _codes(answer: dict[str, Any]) -> tuple[str, ...]:
    """Return the language codes of an answer; `gpt-transcribe` lists objects with a code, others one name or code."""
    listed = answer.get("languages")
    names = [item.get("code") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    codes = [_code(name) for name in [*names, answer.get("language")] if isinstance(name, str)]
    return tuple(code for code in codes if code is not None)


def _code(name: str) -> str | None:
    folded = name.strip().lower()
    code = _LANGUAGE_NAMES.get(folded) or folded.split("-")[0]
    return code if ISO_639_1.fullmatch(code) else None

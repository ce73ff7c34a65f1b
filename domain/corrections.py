"""Corrections of transcripts: a person's text in place of what a recogniser understood, one segment at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from uuid import UUID

from domain.values import Segment, Transcript, Word


@dataclass(frozen=True)
class Correction:
    """`segment` counts the segments of a recording's transcript from 1; an empty `to_text` leaves the segment out.

    A correction counts only if the segment has `from_text`. After another transcription of the same recording, those
    of segments that were understood alike still count. A text that is confirmed is corrected to itself.
    """

    recording_id: UUID
    segment: int
    from_text: str
    to_text: str


@dataclass(frozen=True)
class SegmentPlace:
    """One segment of one recording's transcript; no two segments of a ticket have the same id."""

    recording_id: UUID
    segment: int

    def __str__(self) -> str:
        return f"{self.recording_id}.{self.segment}"


@dataclass(frozen=True)
class CorrectedSegment:
    """A segment as it reads now; `original` is what the recogniser understood, and None where nobody corrected it."""

    place: SegmentPlace
    segment: Segment
    original: str | None = None


def segments_of(transcript: Transcript) -> tuple[Segment, ...]:
    """Return the segments; a transcript without any is one segment."""
    if transcript.segments is not None:
        return transcript.segments
    return (Segment(transcript.text, 0, transcript.words[-1].end_ms if transcript.words else 0),)


def corrected_segments(
    recording_id: UUID, transcript: Transcript, corrections: Iterable[Correction]
) -> list[CorrectedSegment]:
    """Return the segments of a recording's transcript as the corrections left them."""
    found = [
        CorrectedSegment(SegmentPlace(recording_id, number), segment)
        for number, segment in enumerate(segments_of(transcript), 1)
    ]
    for correction in corrections:
        index = correction.segment - 1
        if correction.recording_id != recording_id or index >= len(found):
            continue
        present = found[index].segment
        if present.text == correction.from_text:
            original = segments_of(transcript)[index].text
            segment = replace(present, text=correction.to_text, uncertain=False)
            found[index] = replace(found[index], segment=segment, original=original)
    return found


def corrected(recording_id: UUID, transcript: Transcript, corrections: Iterable[Correction]) -> Transcript:
    """Return the transcript as the corrections left it; words that stayed keep their times."""
    segments = corrected_segments(recording_id, transcript, corrections)
    if all(each.original is None for each in segments):
        return transcript
    return replace(
        transcript,
        text=_text(transcript, [each.segment.text for each in segments]),
        segments=None if transcript.segments is None else tuple(each.segment for each in segments),
        words=transcript.words and tuple(_words(transcript.words, segments)),
    )


def _text(transcript: Transcript, texts: Sequence[str]) -> str:
    """Return the text of the transcript with other texts in its segments, separated as they were."""
    parts: list[str] = []
    position = 0
    for segment, text in zip(segments_of(transcript), texts, strict=True):
        spoken = segment.text.strip()
        start = transcript.text.find(spoken, position)
        if start < 0:
            return " ".join(filter(None, map(str.strip, texts)))
        if text.strip():
            parts += [transcript.text[position:start] if parts else "", text.strip()]
        position = start + len(spoken)
    return "".join(parts)


def _words(words: Sequence[Word], segments: Sequence[CorrectedSegment]) -> Iterator[Word]:
    """Yield the words of all segments in their order; those of corrected segments are made of the corrected text."""
    changed = [each.segment for each in segments if each.original is not None]
    pending = iter(changed)
    following = next(pending, None)
    others = [word for word in words if not any(_is_in(word, segment) for segment in changed)]
    for word in others:
        while following is not None and following.start_ms <= word.start_ms:
            yield from _words_of(following, [word for word in words if _is_in(word, following)])
            following = next(pending, None)
        yield word
    while following is not None:
        yield from _words_of(following, [word for word in words if _is_in(word, following)])
        following = next(pending, None)


def _is_in(word: Word, segment: Segment) -> bool:
    return segment.start_ms <= word.start_ms < max(segment.end_ms, segment.start_ms + 1)


def _words_of(segment: Segment, heard: Sequence[Word]) -> Iterator[Word]:
    """Yield the words of a corrected segment; those that replace others share the time of the others."""
    written = segment.text.split()
    matcher = SequenceMatcher(None, [_key(word.text) for word in heard], list(map(_key, written)), autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        if kind == "equal":
            for word, text in zip(heard[start:end], written[first:last], strict=True):
                yield replace(word, text=text)
            continue
        begin = heard[start].start_ms if start < len(heard) else segment.end_ms
        if start == end:
            begin = heard[start - 1].end_ms if start else segment.start_ms
        finish = heard[end - 1].end_ms if end > start else begin
        for number, text in enumerate(written[first:last]):
            length = finish - begin
            count = last - first
            yield Word(text, begin + length * number // count, begin + length * (number + 1) // count)


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold())) or text

"""The passage of a recording in which a page lets people hear the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.corrections import CorrectedSegment
from domain.errors import FaultCode, InvalidError
from domain.values import AudioFacts, Content

LONGEST_MS = 90_000
# Speech begins and ends a little outside of the times that a recogniser gives.
MARGIN_MS = 250

FIRST, LAST = "/firstSegmentId", "/lastSegmentId"


@dataclass(frozen=True)
class Passage:
    """Segments of one recording's transcript, counted from 1, with their time in the recording and their text."""

    recording_id: UUID
    first_segment: int
    last_segment: int
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class Voice(Passage):
    """A passage that was chosen for the page; `content` is the sound of it alone."""

    content: Content
    facts: AudioFacts


def passage_of(
    segments: Sequence[CorrectedSegment], first_id: str, last_id: str, lengths_ms: Mapping[UUID, int]
) -> Passage:
    """Return the passage from one segment to another, given by their ids; InvalidError if it cannot be heard.

    `lengths_ms` has the length of each recording that there is.
    """
    first, last = _named(segments, first_id, FIRST), _named(segments, last_id, LAST)
    if first.place.recording_id not in lengths_ms:
        raise InvalidError("is in a recording that was replaced or deleted", FIRST, FaultCode.UNKNOWN_VALUE)
    if first.place.recording_id != last.place.recording_id:
        raise InvalidError("is not in the recording of the first segment", LAST, FaultCode.OUT_OF_RANGE)
    recording = [each for each in segments if each.place.recording_id == first.place.recording_id]
    start, stop = recording.index(first), recording.index(last) + 1
    chosen = recording[start:stop]
    if not chosen:
        raise InvalidError("is before the first segment", LAST, FaultCode.OUT_OF_RANGE)
    if not all(each.segment.text.strip() for each in chosen):
        raise InvalidError("has a segment that was left out of the transcript", LAST, FaultCode.INVALID)
    recording_ends_ms = lengths_ms[first.place.recording_id]
    # Where the speech recognition gave no times, the one segment is the whole recording.
    spoken_until_ms = last.segment.end_ms or recording_ends_ms
    if spoken_until_ms - first.segment.start_ms > LONGEST_MS:
        raise InvalidError(f"is more than {LONGEST_MS // 1000} seconds after the start", LAST, FaultCode.TOO_LONG)
    start_ms, end_ms = first.segment.start_ms - MARGIN_MS, min(spoken_until_ms + MARGIN_MS, recording_ends_ms)
    # Nothing is heard of the segments around it.
    before, after = recording[:start], recording[stop:]
    start_ms = max(start_ms, before[-1].segment.end_ms if before else 0)
    end_ms = min(end_ms, after[0].segment.start_ms if after else end_ms)
    return Passage(
        first.place.recording_id,
        first.place.segment,
        last.place.segment,
        min(start_ms, first.segment.start_ms),
        max(end_ms, spoken_until_ms),
        _text(chosen),
    )


def text_heard(passage: Passage, segments: Sequence[CorrectedSegment]) -> str | None:
    """Return what the segments say in the passage now, or None if a part of it was left out of the transcript.

    The segments are found by their time, because another transcription of the recording may count them otherwise.
    """
    heard = [
        each
        for each in segments
        if each.place.recording_id == passage.recording_id
        and passage.start_ms <= (each.segment.start_ms + each.segment.end_ms) // 2 < passage.end_ms
    ]
    if not heard or not all(each.segment.text.strip() for each in heard):
        return None
    return _text(heard)


def spoken_text(passage: Passage, segments: Sequence[CorrectedSegment]) -> str:
    """Return the text, and what was recognised before it was corrected: a correction does not change the sound."""
    originals = (
        each.original
        for each in segments
        if each.original
        and each.place.recording_id == passage.recording_id
        and passage.first_segment <= each.place.segment <= passage.last_segment
    )
    return "\n".join((passage.text, *originals))


def _named(segments: Sequence[CorrectedSegment], segment_id: str, pointer: str) -> CorrectedSegment:
    for each in segments:
        if str(each.place) == segment_id:
            return each
    raise InvalidError("is not a segment of the transcript", pointer, FaultCode.UNKNOWN_VALUE)


def _text(segments: Sequence[CorrectedSegment]) -> str:
    return " ".join(each.segment.text.strip() for each in segments)

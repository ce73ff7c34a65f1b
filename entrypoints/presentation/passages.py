"""The passages of recordings in which the parts of a draft were said, as a browser plays them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.corrections import CorrectedSegment
from domain.lifecycle import DraftPart, draft_parts
from domain.values import Draft

# The words at both ends are heard whole.
LEAD_MS, TAIL_MS = 150, 250
# Two places that are further apart do not belong to one sentence.
LONGEST_GAP_MS = 4_000
# A longer passage is not the place of a sentence: the part was made of the whole recording.
LONGEST_MS = 60_000


@dataclass(frozen=True)
class Passage:
    """A stretch of a recording of a ticket."""

    ticket_id: UUID
    recording_id: UUID
    start_ms: int
    end_ms: int

    @property
    def recording(self) -> str:
        return f"/api/tickets/{self.ticket_id}/recordings/{self.recording_id}"

    @property
    def start(self) -> str:
        return f"{max(0, self.start_ms - LEAD_MS) / 1000:.2f}"

    @property
    def end(self) -> str:
        return f"{(self.end_ms + TAIL_MS) / 1000:.2f}"

    @property
    def url(self) -> str:
        """The recording, of which browsers play the passage alone."""
        return f"{self.recording}#t={self.start},{self.end}"


def passage_of(ticket_id: UUID, part: DraftPart, recording_ids: Collection[UUID]) -> Passage | None:
    """Return where a part of the draft was said, or None if nobody said it or the recording is gone."""
    timed = [
        (source.recording_id, source.start_ms, source.end_ms)
        for source in part.sources
        if source.recording_id in recording_ids and source.start_ms is not None and source.end_ms is not None
    ]
    if not timed:
        return None
    recording_id, start, end = timed[0]
    for _, later_start, later_end in sorted(place for place in timed if place[0] == recording_id):
        if start <= later_start <= end + LONGEST_GAP_MS:
            end = max(end, later_end)
    assert recording_id is not None
    return _passage(ticket_id, recording_id, start, end)


def passage_of_segment(ticket_id: UUID, corrected: CorrectedSegment, recording_ids: Collection[UUID]) -> Passage | None:
    """Return where a segment of the transcript was said, or None if its times are not known."""
    segment, recording_id = corrected.segment, corrected.place.recording_id
    if recording_id not in recording_ids:
        return None
    return _passage(ticket_id, recording_id, segment.start_ms, segment.end_ms)


@dataclass(frozen=True)
class SpokenPart:
    """A part of a draft, and where it was said if it was."""

    field: str
    number: int | None
    text: str
    passage: Passage | None
    # A person wrote it in these words.
    typed: bool


def spoken_part(
    ticket_id: UUID,
    part: DraftPart,
    segments: Sequence[CorrectedSegment],
    recording_ids: Collection[UUID],
    text: str | None = None,
) -> SpokenPart:
    """Return the part with its passage; words that a person typed may also have been said in exactly the same way."""
    shown = text or part.text or ""
    passage = passage_of(ticket_id, part, recording_ids)
    if passage is None and (alike := said_alike(shown, segments)):
        passage = passage_of_segment(ticket_id, alike, recording_ids)
    return SpokenPart(part.field, part.number, shown, passage, any(source.author for source in part.sources))


def spoken_sentences(
    ticket_id: UUID, draft: Draft, segments: Sequence[CorrectedSegment], recording_ids: Collection[UUID]
) -> list[SpokenPart]:
    """Return the sentences of the story."""
    parts = (part for part in draft_parts(draft) if part.field == "story")
    return [spoken_part(ticket_id, part, segments, recording_ids) for part in parts]


def said_alike(text: str, segments: Iterable[CorrectedSegment]) -> CorrectedSegment | None:
    """Return the segment of the transcript that says exactly these words, or None."""
    words = _words(text)
    return next((each for each in segments if words and _words(each.segment.text) == words), None)


def _words(text: str) -> list[str]:
    kept = "".join(letter if letter.isalnum() else " " for letter in text.casefold())
    return kept.split()


def _passage(ticket_id: UUID, recording_id: UUID, start_ms: int, end_ms: int) -> Passage | None:
    return Passage(ticket_id, recording_id, start_ms, end_ms) if 0 < end_ms - start_ms <= LONGEST_MS else None

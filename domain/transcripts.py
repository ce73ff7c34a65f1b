"""The transcripts of several recordings as one, as if the recordings were played one after another."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from uuid import UUID

from msgspec import structs

from domain.corrections import Correction, corrected
from domain.values import Segment, Source, Transcript, Word

# Drafters begin a new paragraph after it.
BETWEEN_RECORDINGS = "\n\n"


@dataclass(frozen=True)
class HeardRecording:
    recording_id: UUID
    duration_ms: int
    transcript: Transcript

    @property
    def length_ms(self) -> int:
        """The length of the recording; an engine may place the last word a little after its end."""
        timed: Iterable[Segment | Word] = chain(self.transcript.segments or (), self.transcript.words or ())
        return max([self.duration_ms, *(piece.end_ms for piece in timed)])

    def corrected(self, corrections: Iterable[Correction]) -> "HeardRecording":
        return replace(self, transcript=corrected(self.recording_id, self.transcript, corrections))


@dataclass(frozen=True)
class _Place:
    """Where a recording lies in the joined transcript, in characters of its text and in milliseconds."""

    recording: HeardRecording
    start: int
    start_ms: int

    @property
    def end(self) -> int:
        return self.start + len(self.recording.transcript.text)

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.recording.length_ms

    def segments(self) -> Iterator[Segment]:
        transcript = self.recording.transcript
        # Among transcripts with times, one without any is a single segment.
        whole = (Segment(transcript.text, 0, self.recording.length_ms),)
        for piece in whole if transcript.segments is None else transcript.segments:
            yield replace(piece, start_ms=piece.start_ms + self.start_ms, end_ms=piece.end_ms + self.start_ms)

    def words(self) -> Iterator[Word]:
        for piece in self.recording.transcript.words or ():
            yield replace(piece, start_ms=piece.start_ms + self.start_ms, end_ms=piece.end_ms + self.start_ms)


def _places(recordings: Iterable[HeardRecording]) -> Iterator[_Place]:
    start = start_ms = 0
    for recording in recordings:
        place = _Place(recording, start, start_ms)
        yield place
        start, start_ms = place.end + len(BETWEEN_RECORDINGS), place.end_ms


def joined(recordings: Sequence[HeardRecording]) -> Transcript:
    """Return one transcript of all recordings in their order, with the language of most of the text.

    It has segments if one of them has, and words if all have.
    """
    if len(recordings) == 1:
        return recordings[0].transcript
    transcripts = [recording.transcript for recording in recordings]
    characters: dict[str, int] = {}
    for transcript in transcripts:
        if transcript.language:
            characters[transcript.language] = characters.get(transcript.language, 0) + len(transcript.text)
    places = list(_places(recordings))
    return Transcript(
        text=BETWEEN_RECORDINGS.join(transcript.text for transcript in transcripts),
        language=max(characters, key=characters.__getitem__, default=None),
        engine=", ".join(dict.fromkeys(transcript.engine for transcript in transcripts)),
        segments=None
        if all(transcript.segments is None for transcript in transcripts)
        else tuple(segment for place in places for segment in place.segments()),
        words=None
        if any(transcript.words is None for transcript in transcripts)
        else tuple(word for place in places for word in place.words()),
    )


def attributed(sources: Iterable[Source], recordings: Sequence[HeardRecording]) -> tuple[Source, ...]:
    """Return the sources in the joined transcript as sources in the transcripts of the recordings that they lie in."""
    places = list(_places(recordings))
    return tuple(part for source in sources for part in _parts(source, places))


def _parts(source: Source, places: Sequence[_Place]) -> Iterator[Source]:
    if source.start is None or source.end is None:
        yield source
        return
    for place in places:
        start, end = max(source.start, place.start), min(source.end, place.end)
        if start < end:
            yield structs.replace(
                source,
                recording_id=place.recording.recording_id,
                start=start - place.start,
                end=end - place.start,
                start_ms=_time(source.start_ms, place),
                end_ms=_time(source.end_ms, place),
            )


def _time(milliseconds: int | None, place: _Place) -> int | None:
    if milliseconds is None:
        return None
    return min(max(milliseconds, place.start_ms), place.end_ms) - place.start_ms

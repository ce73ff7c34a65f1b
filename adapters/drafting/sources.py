"""Gives an analyser and a drafter only certain text, and adds the places in the transcript to what they draft."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from adapters.drafting.heard import Heard
from domain.lifecycle import DraftPart, draft_parts
from domain.ports import Analyser, Drafter
from domain.tickets import DEFAULT_CURRENCY
from domain.transcripts import BETWEEN_RECORDINGS
from domain.values import Analysis, Draft, Segment, Sentiment, Source, Transcript, Urgency, Word

Span = tuple[int, int]


class SourcedDrafter:
    """An analyser and a drafter that use others, and leave out the uncertain segments of the transcript."""

    def __init__(self, analyser: Analyser, drafter: Drafter) -> None:
        self._analyser = analyser
        self._drafter = drafter

    def analyse(self, transcript: Transcript) -> Analysis:
        certain = certain_part(transcript)
        if not certain.text:
            return Analysis(transcript.language, Sentiment.NEUTRAL, Urgency.MEDIUM, ())
        return self._analyser.analyse(certain)

    def draft(self, transcript: Transcript, analysis: Analysis, currency: str = DEFAULT_CURRENCY) -> Draft:
        certain = certain_part(transcript)
        if not certain.text:
            return Draft()
        draft = self._drafter.draft(certain, analysis, currency)
        return with_sources(draft, transcript, analysis.language or transcript.language)


def certain_part(transcript: Transcript) -> Transcript:
    """Return the transcript without its uncertain segments and their words."""
    segments = transcript.segments or ()
    uncertain = [segment for segment in segments if segment.uncertain]
    if not uncertain:
        return transcript
    certain = tuple(segment for segment in segments if not segment.uncertain)
    words = transcript.words and tuple(
        word
        for word in transcript.words
        if not any(segment.start_ms <= word.start_ms < segment.end_ms for segment in uncertain)
    )
    return replace(transcript, text=_text_of(certain, transcript.text), segments=certain, words=words)


def _text_of(segments: Sequence[Segment], whole: str) -> str:
    """Return the text of the segments alone; where another recording begins in the whole text, one begins here, too."""
    text, end = "", 0
    for segment in segments:
        spoken = segment.text.strip()
        at = max(whole.find(spoken, end), end)
        separator = BETWEEN_RECORDINGS if BETWEEN_RECORDINGS in whole[end:at] else " "
        text += (separator if text else "") + spoken
        end = at + len(spoken) if whole.startswith(spoken, at) else end
    return text


def with_sources(draft: Draft, transcript: Transcript, language: str | None) -> Draft:
    """Return the draft with the places in the transcript of each of its parts; a part without any has no source."""
    segments = list(_placed(transcript.text, transcript.segments or ()))
    uncertain = [span for span, segment in segments if isinstance(segment, Segment) and segment.uncertain]
    timed = list(_placed(transcript.text, transcript.words or ())) or segments
    heard = Heard(transcript.text, language, uncertain)
    whole = [(0, len(transcript.text))]

    def spans_of(part: DraftPart) -> Sequence[Span]:
        match part.field:
            case "story":
                return heard.spans(part.text or "")
            case "goal":
                # A goal that nobody said in one figure was computed from all amounts.
                return heard.figures(draft.goal.major if draft.goal else None) or heard.figures() or whole
            case "category":
                # Without a word of the category in the transcript, it was judged from the whole.
                return heard.category_places(part.text or "") or whole
            case "title" if draft.category:
                return heard.places(part.text or "") or heard.category_places(draft.category) or whole
            case _:
                return heard.places(part.text or "")

    sources = (
        _source(part, span, timed) for part in draft_parts(replace(draft, sources=())) for span in spans_of(part)
    )
    return replace(draft, sources=tuple(dict.fromkeys(chain(draft.sources, sources))))


def _placed(text: str, pieces: Sequence[Word | Segment]) -> Iterator[tuple[Span, Word | Segment]]:
    """Yield words or segments with the characters of the text that they cover."""
    start = 0
    for piece in pieces:
        spoken = piece.text.strip()
        at = text.find(spoken, start) if spoken else -1
        if at >= 0:
            start = at + len(spoken)
            yield (at, start), piece


def _source(part: DraftPart, span: Span, timed: Sequence[tuple[Span, Word | Segment]]) -> Source:
    start, end = span
    pieces = [piece for (first, last), piece in timed if first < end and start < last]
    return Source(
        part.field,
        part.number,
        start=start,
        end=end,
        start_ms=pieces[0].start_ms if pieces else None,
        end_ms=pieces[-1].end_ms if pieces else None,
    )

"""Transcripts as plain text and as subtitles."""

from collections.abc import Iterator
from html import escape

from domain.errors import RefusedError
from domain.values import Segment, Transcript


def as_text(transcript: Transcript) -> str:
    """Return the text, one line for each segment where there are segments."""
    lines = [segment.text.strip() for segment in transcript.segments or ()] or [transcript.text.strip()]
    return "\n".join(line for line in lines if line) + "\n"


def as_srt(transcript: Transcript) -> str:
    """Return SubRip subtitles; RefusedError if the transcript has no times."""
    cues = []
    for number, segment in enumerate(_spoken(transcript), 1):
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        cues.append(f"{number}\n{_times(segment, ',')}\n{speaker}{_one_line(segment)}\n")
    return "\n".join(cues)


def as_vtt(transcript: Transcript) -> str:
    """Return WebVTT subtitles; RefusedError if the transcript has no times."""
    cues = ["WEBVTT\n"]
    for segment in _spoken(transcript):
        speaker = f"<v {escape(segment.speaker, quote=False)}>" if segment.speaker else ""
        cues.append(f"{_times(segment, '.')}\n{speaker}{escape(_one_line(segment), quote=False)}\n")
    return "\n".join(cues)


def _spoken(transcript: Transcript) -> Iterator[Segment]:
    if transcript.segments is None:
        raise RefusedError(
            "The speech recognition gave no times for this recording, so there are no subtitles of it. "
            "Get the transcript as json, txt or docx."
        )
    return (segment for segment in transcript.segments if segment.text.strip())


def _one_line(segment: Segment) -> str:
    return " ".join(segment.text.replace("-->", "→").split())


def _times(segment: Segment, mark: str) -> str:
    end_ms = max(segment.end_ms, segment.start_ms + 1)
    return f"{_time(segment.start_ms, mark)} --> {_time(end_ms, mark)}"


def _time(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"

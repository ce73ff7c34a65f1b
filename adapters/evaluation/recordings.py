"""Measures a transcriber on recordings that have their text beside them: `NAME.txt` belongs to `NAME.wav`."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from adapters.evaluation.word_errors import WordErrors, word_errors
from domain.errors import AudioTooLongError, NotAudioError, StepFailed
from domain.ports import AudioInspector, Transcriber
from domain.values import Transcript

# A run of many recordings is not lost because one attempt was interrupted.
ATTEMPTS = 3


class RecordingsError(ValueError):
    """A folder cannot be evaluated; the message says why."""


@dataclass(frozen=True)
class Recording:
    """A recording and what is said in it; `source` is the group of its figures, `hints` are for the transcriber."""

    path: Path
    reference: str
    source: str
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heard:
    """The result of a transcriber for a recording. A refused one has no text, so all its words are wrong."""

    recording: Recording
    transcript: Transcript | None
    refused: str | None
    word_errors: WordErrors
    audio_seconds: float
    seconds: float

    @property
    def text(self) -> str:
        return self.transcript.text if self.transcript else ""


@dataclass(frozen=True)
class Rates:
    """The figures of some recordings: word error rate over all words, and processing time over their duration."""

    n: int
    refused: int
    words: int
    errors: int
    word_error_rate: float
    audio_seconds: float
    real_time_factor: float

    @classmethod
    def of(cls, results: Sequence[Heard]) -> "Rates":
        words = sum(result.word_errors.words for result in results)
        errors = sum(result.word_errors.errors for result in results)
        audio_seconds = sum(result.audio_seconds for result in results)
        return cls(
            n=len(results),
            refused=sum(result.refused is not None for result in results),
            words=words,
            errors=errors,
            word_error_rate=round(WordErrors(words, errors).rate, 4),
            audio_seconds=round(audio_seconds, 2),
            real_time_factor=round(sum(result.seconds for result in results) / (audio_seconds or 1), 3),
        )


def recordings_in(folder: Path) -> list[Recording]:
    """Return the recordings below a folder that have a text, or raise RecordingsError if there is none."""
    recordings = []
    for path in sorted(folder.rglob("*")):
        text = path.with_suffix(".txt")
        if path.is_file() and path.suffix.lower() != ".txt" and text.is_file():
            source = path.parent.relative_to(folder).as_posix()
            try:
                recordings.append(Recording(path, text.read_text(encoding="utf-8-sig"), source))
            except UnicodeDecodeError:
                raise RecordingsError(f"{text}: the text must be UTF-8") from None
    if not recordings:
        raise RecordingsError(f"{folder}: no recording has a text beside it, like story.wav and story.txt")
    return recordings


def heard(recordings: Iterable[Recording], inspector: AudioInspector, transcriber: Transcriber) -> Iterator[Heard]:
    """Transcribe the recordings one after the other, and yield what was heard in each.

    Raise RecordingsError for a file that is no recording, and StepFailed if the transcriber fails again and again.
    """
    for recording in recordings:
        with recording.path.open("rb") as file:
            try:
                audio_seconds = inspector.inspect(file).duration_ms / 1000
                file.seek(0)
            except (NotAudioError, AudioTooLongError) as error:
                raise RecordingsError(f"{recording.path}: {error}") from None
            started = time.perf_counter()
            transcript, refused = None, None
            try:
                transcript = _transcribed(transcriber, file, recording.hints)
            except StepFailed as failed:
                if failed.retryable:
                    raise
                refused = failed.code
            seconds = time.perf_counter() - started
        if transcript is None:
            errors = word_errors(recording.reference, "")
        else:
            errors = word_errors(recording.reference, transcript.text, transcript.language)
        yield Heard(recording, transcript, refused, errors, audio_seconds, seconds)


def _transcribed(transcriber: Transcriber, file: BinaryIO, hints: Sequence[str]) -> Transcript:
    """Return the transcript. As in the service, a failure that may pass is tried again."""
    for _ in range(ATTEMPTS - 1):
        try:
            return transcriber.transcribe(file, lambda _: None, hints)
        except StepFailed as failed:
            if not failed.retryable:
                raise
    return transcriber.transcribe(file, lambda _: None, hints)


def by_source(results: Iterable[Heard]) -> dict[str, Rates]:
    """Return the figures of each source, in order."""
    groups: dict[str, list[Heard]] = {}
    for result in results:
        groups.setdefault(result.recording.source, []).append(result)
    return {source: Rates.of(group) for source, group in groups.items()}

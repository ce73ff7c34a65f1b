"""The local transcriber: Whisper on this machine, no network, in child processes with limits."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from adapters.confined.child_process import Limits, run_child
from adapters.confined.errors import ChildFailed, InputRefused
from adapters.speech.errors import NO_SPEECH, UNSUPPORTED_LANGUAGE
from adapters.speech.failures import failure_of
from adapters.speech.model import DEFAULT_MODEL, ModelUnusable
from adapters.speech.recognizer import shared_recognizer
from adapters.speech.sentences import RecognizedWord, sentences
from adapters.speech.sound import BYTES_PER_SECOND
from domain.errors import NotInstalledError
from domain.ports import Report
from domain.values import Transcript, Word

# Below this probability the language is a guess, and the text would be invented.
MIN_LANGUAGE_PROBABILITY = 0.5
# Latin and Sanskrit are nobody's mother tongue. The model takes Spanish and Italian, or Hindi, for them.
NOT_SPOKEN = frozenset({"la", "sa"})
# The number of windows that are heard until the language is certain.
LANGUAGE_WINDOWS = 3


class LocalTranscriber:
    """Transcribes speech on this machine, in less than half of the recording's duration on one processor.

    Threads may call it at the same time; they share one process with the model, window by window.
    """

    def __init__(
        self,
        max_seconds: int = 3600,
        *,
        model: Path | str = DEFAULT_MODEL,
        device: str = "cpu",
        cpu_seconds: int = 600,
        wall_seconds: int = 1800,
        memory_mb: int = 4096,
    ) -> None:
        self._max_seconds = max_seconds
        output_mb = max_seconds * BYTES_PER_SECOND // 2**20 + 1
        self._limits = Limits(cpu_seconds, wall_seconds, memory_mb, output_mb)
        self._recognizer = shared_recognizer(model, device)
        self._engine = "whisper-" + Path(model).name.removeprefix("faster-").removeprefix("whisper-")

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        """Return the transcript. `hints` are names and words that may be said.

        Raise StepFailed if the recording has no speech, or if its language is not certain; NotInstalledError without a
        usable model.
        """
        try:
            with tempfile.TemporaryFile() as output:
                arguments, waiting = {"max_seconds": self._max_seconds}, partial(report, 0.0)
                prepared = run_child("prepare", recording, arguments, self._limits, output=output, waiting=waiting)
                return self._recognised(list(_windows(output, prepared)), report, hints)
        except ChildFailed as failed:
            raise failure_of(failed) from None
        except ModelUnusable as unusable:
            raise NotInstalledError(str(unusable)) from None

    def _recognised(self, windows: Sequence["_Window"], report: Report, hints: Sequence[str]) -> Transcript:
        report(0.0)
        language = self._language(windows[:LANGUAGE_WINDOWS], partial(report, 0.0))
        words: list[RecognizedWord] = []
        for number, window in enumerate(windows):
            waiting = partial(report, number / len(windows))
            for word in self._recognizer.words(window.content(), language, hints, waiting):
                words.append(_in_recording(word, window.pieces))
            report((number + 1) / len(windows))
        if not words:
            raise InputRefused(NO_SPEECH)
        segments = sentences(words)
        text = " ".join(segment.text for segment in segments)
        return Transcript(text, language, self._engine, segments, tuple(word.word for word in words))

    def _language(self, windows: Sequence["_Window"], waiting: Callable[[], None]) -> str:
        """Return the language that the first windows are in."""
        sums: dict[str, float] = {}
        for number, window in enumerate(windows, start=1):
            for code, probability in spoken(self._recognizer.languages(window.content(), waiting)).items():
                sums[code] = sums.get(code, 0.0) + probability
            best = max(sums, key=lambda code: sums[code], default=None)
            if best and sums[best] / number >= MIN_LANGUAGE_PROBABILITY:
                return best
        raise InputRefused(UNSUPPORTED_LANGUAGE)


def spoken(languages: Mapping[str, float]) -> dict[str, float]:
    """Return the probabilities of the languages that are spoken, given that it is none of the others."""
    rest = max(1.0 - sum(languages.get(code, 0.0) for code in NOT_SPOKEN), 0.01)
    return {code: probability / rest for code, probability in languages.items() if code not in NOT_SPOKEN}


@dataclass(frozen=True)
class _Window:
    """A window of speech: where its samples are, and the `[start_ms, milliseconds]` of its pieces in the recording."""

    file: BinaryIO
    offset: int
    size: int
    pieces: Sequence[Sequence[int]]

    def content(self) -> bytes:
        return os.pread(self.file.fileno(), self.size, self.offset)


def _windows(output: BinaryIO, prepared: Sequence[dict[str, Any]]) -> Iterator[_Window]:
    offset = 0
    for window in prepared:
        yield _Window(output, offset, window["bytes"], window["pieces"])
        offset += window["bytes"]


def _in_recording(word: dict[str, Any], pieces: Sequence[Sequence[int]]) -> RecognizedWord:
    """Return the word with its place in the recording, of which the window holds only the pieces with speech."""
    start = _place(word["start"], pieces)
    end = max(start, _place(word["end"], pieces, at_end=True))
    return RecognizedWord(Word(word["text"], start, end, round(word["confidence"], 3)), word["logprob"])


def _place(moment_ms: int, pieces: Sequence[Sequence[int]], *, at_end: bool = False) -> int:
    """Return where in the recording a moment of the window is. At a cut, an end belongs to the piece before it."""
    for start, length in pieces:
        if moment_ms < length or (at_end and moment_ms == length):
            return start + moment_ms
        moment_ms -= length
    start, length = pieces[-1]
    return start + length

"""The inspector: decodes a recording whole before anybody believes a word about it."""

from __future__ import annotations

import os
from typing import BinaryIO

from pydantic import TypeAdapter

from adapters.speech.bounded import (
    ChildDied,
    ChildInterrupted,
    ChildOverworked,
    ChildRefused,
    ChildTimedOut,
    Limits,
    run_child,
)
from domain.errors import AudioTooLongError, NotAudioError, UnavailableError
from domain.values import AudioFacts

MIB = 1024 * 1024
FACTS = TypeAdapter(AudioFacts)


class ChildAudioInspector:
    """Recognises a recording by its content and measures it by decoding, in a child process with limits.

    Safe to call from many threads at once; each call has a child of its own.
    """

    def __init__(
        self,
        max_seconds: int = 3600,
        max_bytes: int = 50 * MIB,
        *,
        cpu_seconds: int = 90,
        wall_seconds: int = 180,
        memory_mb: int = 512,
    ) -> None:
        self._max_seconds = max_seconds
        self._max_bytes = max_bytes
        self._limits = Limits(cpu_seconds, wall_seconds, memory_mb)

    def inspect(self, recording: BinaryIO) -> AudioFacts:
        """What the recording is; NotAudioError, AudioTooLongError, or UnavailableError if the machine is too busy."""
        recording.flush()
        if os.fstat(recording.fileno()).st_size > self._max_bytes:
            raise AudioTooLongError(f"a recording may have {self._max_bytes // MIB} MB at most")
        try:
            answer = run_child("measure", recording, {"max_seconds": self._max_seconds}, self._limits)
        except ChildRefused as refused:
            raise self._refusal(refused.code) from None
        except ChildOverworked:
            raise AudioTooLongError("this recording takes too much work to decode") from None
        except (ChildInterrupted, ChildTimedOut):
            raise UnavailableError("the recording could not be checked just now; please try again") from None
        except ChildDied:
            raise NotAudioError("this file cannot be played as sound") from None
        return FACTS.validate_python(answer)

    def _refusal(self, code: str) -> AudioTooLongError | NotAudioError:
        if code == "too_long":
            return AudioTooLongError(f"a recording may last {self._max_seconds // 60} minutes at most")
        return NotAudioError("this file holds no sound in a format we accept")

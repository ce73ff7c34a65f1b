"""The inspector: decodes a whole recording to learn its media type and duration."""

import os
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from adapters.confined.child_process import Limits, run_child
from adapters.confined.errors import ChildCrashed, ChildInterrupted, ChildOutOfCpuTime, ChildTimedOut, InputRefused
from adapters.speech.bounds import MAX_CHANNELS, MAX_RATE, MAX_SAMPLES
from adapters.speech.errors import TOO_LONG, TOO_MUCH_SOUND
from domain.errors import AudioTooLongError, NotAudioError, UnavailableError
from domain.values import AudioFacts

MIB = 1024 * 1024
LIMITS = Limits(cpu_seconds=60, wall_seconds=120, memory_mb=512)


@dataclass(frozen=True)
class ChildAudioInspector:
    """Recognises a recording by its content and measures it by decoding, in a child process with limits.

    Threads may call it at the same time; each call starts its own child process.
    """

    max_seconds: int = 3600
    max_bytes: int = 50 * MIB
    limits: Limits = LIMITS

    def inspect(self, recording: BinaryIO) -> AudioFacts:
        """Return the recording's media type and duration.

        Raise NotAudioError or AudioTooLongError, or UnavailableError if the machine is too busy.
        """
        recording.flush()
        if os.fstat(recording.fileno()).st_size > self.max_bytes:
            raise AudioTooLongError(f"a recording may have at most {self.max_bytes // MIB} MB")
        try:
            answer = run_child("measure", recording, {"max_seconds": self.max_seconds}, self.limits)
        except InputRefused as refused:
            raise self._refusal(refused.code) from None
        except ChildOutOfCpuTime:
            raise AudioTooLongError("this recording takes too much work to decode") from None
        except (ChildInterrupted, ChildTimedOut):
            raise UnavailableError("the recording could not be checked just now; please try again") from None
        except ChildCrashed:
            raise NotAudioError("this file cannot be played as sound") from None
        return msgspec.convert(answer, AudioFacts)

    def _refusal(self, code: str) -> AudioTooLongError | NotAudioError:
        if code == TOO_LONG:
            return AudioTooLongError(f"a recording may last at most {self.max_seconds // 60} minutes")
        if code == TOO_MUCH_SOUND:
            return AudioTooLongError(
                f"a recording may have at most {MAX_CHANNELS} channels, {MAX_RATE // 1000} kHz and, over all channels,"
                f" {MAX_SAMPLES // 1_000_000} million samples"
            )
        return NotAudioError("this file holds no sound in a format we accept")

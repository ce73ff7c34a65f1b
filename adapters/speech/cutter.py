"""The cutter: takes a passage out of a recording, in a child process with limits."""

import tempfile
from io import BytesIO
from typing import BinaryIO

import msgspec

from adapters.confined.child_process import Limits, run_child
from adapters.confined.errors import ChildCrashed, ChildInterrupted, ChildTimedOut, InputRefused
from domain.errors import NotAudioError, UnavailableError
from domain.ports import CutSound
from domain.values import AudioFacts

LIMITS = Limits(cpu_seconds=60, wall_seconds=120, memory_mb=512, output_mb=2)


class ChildSoundCutter:
    """The port `SoundCutter`. Threads may call it at the same time; each call starts a child process of its own."""

    def cut(self, recording: BinaryIO, start_ms: int, end_ms: int) -> CutSound:
        with tempfile.TemporaryFile() as output:
            try:
                facts = run_child("cut", recording, {"start_ms": start_ms, "end_ms": end_ms}, LIMITS, output=output)
            except (ChildInterrupted, ChildTimedOut):
                raise UnavailableError("The recording could not be cut just now; please try again.") from None
            except (InputRefused, ChildCrashed):
                raise NotAudioError("this part of the recording cannot be played as sound") from None
            output.seek(0)
            return CutSound(BytesIO(output.read()), msgspec.convert(facts, AudioFacts))

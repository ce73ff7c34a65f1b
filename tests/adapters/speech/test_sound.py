"""Decoding recordings of every format, and lack of memory, which does not refuse the recording."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.sound import RATE, Sound, measure

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"


def loudness(name: str) -> np.ndarray:
    """Return the decoded loudness of each tenth of a second."""
    with (RECORDINGS / name).open("rb") as recording:
        samples = np.frombuffer(b"".join(Sound(recording.fileno()).pcm()), np.int16).astype(float)
    tenth = RATE // 10
    return np.sqrt(np.mean(samples[: 38 * tenth].reshape(38, tenth) ** 2, axis=1))


@pytest.mark.parametrize("name", ["speech.mp3", "speech.ogg", "speech.webm", "speech.m4a", "speech.flac"])
def test_every_format_decodes_to_the_same_sound(name: str):
    assert np.corrcoef(loudness("speech.wav"), loudness(name))[0, 1] > 0.9


def out_of_memory(*_: Any, **__: Any) -> Any:
    raise av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory")


def test_lack_of_memory_while_opening_is_not_a_refusal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(av, "open", out_of_memory)
    with DEMO_RECORDING.open("rb") as recording, pytest.raises(MemoryError):
        Sound(recording.fileno())


@pytest.mark.parametrize("step", ["demux", "decode"])
def test_lack_of_memory_while_decoding_is_not_a_refusal(step: str, monkeypatch: pytest.MonkeyPatch):
    class Packet:
        decode = out_of_memory

    class Container:
        """PyAV's container, but without memory."""

        def __init__(self, opened: Any) -> None:
            self.streams, self.format, self.duration = opened.streams, opened.format, opened.duration

        def demux(self, _: Any) -> Any:
            if step == "demux":
                out_of_memory()
            yield Packet()

    opened = av.open
    monkeypatch.setattr(av, "open", lambda *args, **options: Container(opened(*args, **options)))
    with DEMO_RECORDING.open("rb") as recording, pytest.raises(MemoryError):
        measure(recording.fileno(), 60)

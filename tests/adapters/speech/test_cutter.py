"""A passage is cut out of a recording as MP3, without anything else that the recording's file has."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.cutter import ChildSoundCutter
from adapters.speech.cutting import LOUDEST, cut
from adapters.speech.sound import RATE
from domain.errors import NotAudioError

SECRET = "filmed at 12 Hill Road"


def labelled(samples: np.ndarray) -> bytes:
    """Return the samples as a recording whose file says where it was made."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        container.metadata["comment"] = SECRET
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16p", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def cut_here(data: bytes, start_ms: int, end_ms: int) -> tuple[dict[str, object], bytes]:
    """Cut without a child process, whose start takes longer than the work."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
        source.write(data)
        source.flush()
        facts = cut(source.fileno(), output.fileno(), start_ms, end_ms)
        output.seek(0)
        return facts, output.read()


def decoded(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data)) as container:
        assert dict(container.metadata) == {}
        return np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])


def test_the_child_cuts_a_passage_out_of_a_recording():
    with Path(DEMO_RECORDING).open("rb") as recording:
        passage = ChildSoundCutter().cut(recording, 1_000, 3_000)
        assert (passage.facts.media_type, passage.facts.duration_ms) == ("audio/mpeg", 2_000)
        assert 8_000 < len(passage.sound.read()) < 16_000
        with pytest.raises(NotAudioError):
            ChildSoundCutter().cut(recording, 3_600_000, 3_601_000)


def test_only_the_passage_is_heard_and_the_file_says_nothing_else():
    time = np.arange(3 * RATE) / RATE
    quiet_tone = (np.sin(2 * np.pi * 440 * time) * 6_000).astype(np.int16)
    quiet_tone[:RATE] = quiet_tone[2 * RATE :] = 0
    recording = labelled(quiet_tone)
    assert SECRET.encode() in recording
    facts, sound = cut_here(recording, 1_000, 2_000)
    assert facts == {"media_type": "audio/mpeg", "duration_ms": 1_000}
    assert SECRET.encode() not in sound
    assert np.abs(decoded(sound)).max() == pytest.approx(LOUDEST / 32_768, rel=0.1)
    _, silence = cut_here(recording, 2_200, 2_900)
    assert np.abs(decoded(silence)).max() < 0.01

"""Speech detection, in recordings and in generated sound."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.sound import RATE, Sound
from adapters.speech.voice import WINDOW_SECONDS, Piece, Samples, speech_windows, with_normal_loudness
from tests.fakes.sounds import NOT_SPEECH

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"


def noise(seconds: float, level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE)).astype(np.int16)


def sound_of(path: Path) -> Samples:
    with path.open("rb") as recording:
        return np.frombuffer(b"".join(Sound(recording.fileno()).pcm()), np.int16)


def pieces_in(sound: Samples) -> list[Piece]:
    return [piece for window in speech_windows(sound) for piece in window]


def test_speech_is_found_between_silences_with_a_margin() -> None:
    speech = sound_of(RECORDINGS / "speech.wav")
    (piece,) = pieces_in(np.concatenate([noise(2, 5), speech, noise(2, 5)]))
    assert 1.5 * RATE <= piece.start <= 2.2 * RATE
    assert piece.start + 3 * RATE < piece.end <= speech.size + 2.5 * RATE


def test_a_long_pause_separates_two_pieces() -> None:
    speech = sound_of(RECORDINGS / "speech.wav")
    assert len(pieces_in(np.concatenate([speech, noise(2, 5), speech]))) == 2


@pytest.mark.parametrize("kind", NOT_SPEECH)
def test_no_speech_is_found_in_other_sound(kind: str) -> None:
    assert speech_windows(with_normal_loudness(NOT_SPEECH[kind]())) == []


# The contract of all transcribers tries silence.
@pytest.mark.parametrize("name", ["noise.ogg", "music.ogg", "tone.ogg"])
def test_no_speech_is_found_in_a_recording_without_it(name: str) -> None:
    assert speech_windows(with_normal_loudness(sound_of(RECORDINGS / name))) == []


def test_windows_hold_all_pieces_in_order_and_none_is_too_long() -> None:
    windows = speech_windows(np.tile(sound_of(DEMO_RECORDING), 3))
    assert len(windows) >= 3
    for window in windows:
        assert sum(piece.end - piece.start for piece in window) <= WINDOW_SECONDS * RATE
    pieces = [piece for window in windows for piece in window]
    assert all(before.end <= after.start for before, after in pairwise(pieces))


def test_soft_speech_is_amplified_and_loud_speech_is_unchanged() -> None:
    soft = noise(1, 300)
    assert np.abs(with_normal_loudness(soft)).max() > 8 * np.abs(soft).max()
    assert with_normal_loudness(noise(0, 1)).size == 0
    loud = noise(1, 9000)
    assert with_normal_loudness(loud) is loud

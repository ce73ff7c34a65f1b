"""Speech detection, in generated sound of known levels."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.speech.sound import RATE
from adapters.speech.voice import Samples, speech_pieces, with_normal_loudness


def noise(seconds: float, level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE)).astype(np.int16)


def buzz(seconds: float) -> Samples:
    """Return a sound like a vowel: many overtones, with a syllable's rise and fall."""
    time = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * 120 * overtone * time) / overtone for overtone in range(1, 30))
    return np.asarray(wave * 6000 * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))).astype(np.int16)


def test_speech_is_found_between_silences_with_a_margin() -> None:
    (piece,) = speech_pieces(np.concatenate([noise(2, 5), buzz(1), noise(2, 5)]), 20)
    assert 1.5 * RATE <= piece.start <= 2 * RATE
    assert 3 * RATE <= piece.end <= 3.5 * RATE


def test_a_long_pause_separates_two_pieces() -> None:
    pieces = speech_pieces(np.concatenate([buzz(1), noise(2, 5), buzz(1)]), 20)
    assert len(pieces) == 2


@pytest.mark.parametrize("sound", [noise(0, 1), noise(0.01, 1), np.zeros(RATE * 3, np.int16), noise(5, 3000)])
def test_silence_and_steady_noise_hold_no_speech(sound: Samples) -> None:
    assert speech_pieces(with_normal_loudness(sound), 20) == []


def test_no_piece_is_too_long_and_nothing_between_pieces_is_lost() -> None:
    sound = np.concatenate([noise(1, 5), *(np.concatenate([buzz(4), noise(0.2, 5)]) for _ in range(12)), noise(1, 5)])
    pieces = speech_pieces(sound, 20)
    assert all(piece.end - piece.start <= 20 * RATE for piece in pieces)
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    for cut in pieces[1:]:
        within = (cut.start - RATE) % int(4.2 * RATE)
        assert within >= 3.9 * RATE or within <= 0.1 * RATE


def test_soft_speech_is_amplified_and_loud_speech_is_unchanged() -> None:
    soft = (buzz(1) // 20).astype(np.int16)
    assert np.abs(with_normal_loudness(soft)).max() > 8 * np.abs(soft).max()
    assert with_normal_loudness(noise(0, 1)).size == 0
    loud = np.clip(buzz(1) * 2.0, -32768, 32767).astype(np.int16)
    assert with_normal_loudness(loud) is loud

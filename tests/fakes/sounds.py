"""Twenty kinds of sound in which nobody speaks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from adapters.speech.sound import RATE

SECONDS = 6
COUNT = RATE * SECONDS
TIME = np.arange(COUNT) / RATE
Wave = npt.NDArray[np.float64]


def _coloured(exponent: float) -> Wave:
    """Return noise whose power falls with the frequency."""
    spectrum = np.fft.rfft(np.random.default_rng(3).normal(size=COUNT))
    wave = np.fft.irfft(spectrum / (np.arange(spectrum.size) + 1) ** exponent, COUNT)
    return wave / np.abs(wave).max()


def _tone(*frequencies: float) -> Wave:
    return np.asarray(sum(np.sin(2 * np.pi * frequency * TIME) for frequency in frequencies) / len(frequencies))


def _every(seconds: float, for_seconds: float) -> Wave:
    return (TIME % seconds < for_seconds).astype(np.float64)


def _strokes(count: int, length: int, decay: float) -> Wave:
    """Return short bursts of noise at random moments."""
    random = np.random.default_rng(4)
    wave = np.zeros(COUNT)
    for start in random.integers(0, COUNT - length, count):
        wave[start : start + length] += random.normal(size=length) * np.exp(-np.arange(length) / decay) * 0.5
    return wave


def _melody() -> Wave:
    """Return plucked notes with overtones."""
    wave = np.zeros(COUNT)
    length = int(0.4 * RATE)
    moment = np.arange(length) / RATE
    for number, frequency in enumerate([262, 330, 392, 523, 392, 330] * 4):
        start = int(number * 0.25 * RATE)
        if start + length > COUNT:
            break
        overtones = sum(np.sin(2 * np.pi * frequency * k * moment) / k for k in (1, 2, 3, 4))
        wave[start : start + length] += 0.3 * np.exp(-3 * moment) * overtones
    return wave


def _vowel() -> Wave:
    """Return a buzz with the overtones of a vowel, switched on and off."""
    overtones = (np.sin(2 * np.pi * 120 * k * TIME) * np.exp(-(((120 * k - 700) / 200) ** 2)) for k in range(1, 30))
    return np.asarray(sum(overtones)) * 0.3 * _every(0.33, 0.17)


_KINDS: dict[str, Callable[[], Wave]] = {
    "silence": lambda: np.zeros(COUNT),
    "faint noise": lambda: _coloured(0) * 0.003,
    "white noise": lambda: _coloured(0) * 0.5,
    "pink noise": lambda: _coloured(0.5) * 0.7,
    "brown noise": lambda: _coloured(1) * 0.7,
    "mains hum": lambda: _tone(50, 150) * 0.6,
    "a tone": lambda: _tone(440) * 0.5,
    "beeps": lambda: _tone(1000) * 0.5 * _every(1, 0.2),
    "a dial tone": lambda: _tone(350, 440) * 0.5,
    "telephone keys": lambda: _tone(697, 1209) * 0.5 * _every(0.5, 0.25),
    "a siren": lambda: 0.5 * np.sin(2 * np.pi * (600 * TIME + 95 * np.sin(np.pi * TIME))),
    "a chord": lambda: _tone(262, 330, 392) * 0.5,
    "a melody": _melody,
    "drums": lambda: _strokes(12, 2000, 200),
    "typing": lambda: _strokes(75, 400, 40),
    "applause": lambda: _strokes(1250, 800, 90) * 0.2,
    "wind": lambda: _coloured(1) * (0.4 + 0.4 * np.sin(0.6 * np.pi * TIME)),
    "an engine": lambda: 0.3 * np.sign(np.sin(60 * np.pi * TIME)) * (0.7 + 0.3 * _coloured(0.5)),
    "a barking dog": lambda: _coloured(0.5) * 0.9 * np.sin(1000 * np.pi * TIME) * _every(1.5, 0.18),
    "a buzz like a vowel": _vowel,
}

NOT_SPEECH: dict[str, Callable[[], npt.NDArray[np.int16]]] = {
    kind: lambda make=make: (np.clip(make(), -1, 1) * 32000).astype(np.int16) for kind, make in _KINDS.items()
}

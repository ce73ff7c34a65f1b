"""Where in a recording somebody may be speaking, and where it can be cut without cutting a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pocketsphinx import Vad

from adapters.speech.sound import RATE

Samples = npt.NDArray[np.int16]
Levels = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# The detector's frame: 30 ms.
FRAME = RATE * 30 // 1000
FRAMES_PER_SECOND = RATE / FRAME

# A voice rises out of what surrounds it by this much within seconds; a hum, a hiss or a tone stays level.
RISE_DB = 6.0
SURROUNDINGS_SECONDS = 10

# Shorter than a syllable is a click.
SHORTEST_SPEECH_FRAMES = 5
# What belongs to a word though it is too soft to be noticed.
MARGIN_FRAMES = 10
# A breath between two words is no pause.
BREATH_FRAMES = 10

# Loudness is evened out up to this; beyond it there is only noise to amplify.
MAX_GAIN = 16.0
LOUD = 0.5 * 32767


@dataclass(frozen=True)
class Piece:
    """A stretch of the recording, in samples."""

    start: int
    end: int


def evened(sound: Samples) -> Samples:
    """The sound at the loudness of somebody speaking into the microphone."""
    if not sound.size:
        return sound
    peak = float(np.percentile(np.abs(sound[:: max(1, sound.size // 1_000_000)].astype(np.float32)), 99.9))
    gain = min(LOUD / peak, MAX_GAIN) if peak > 0 else 1.0
    if gain <= 1:
        return sound
    louder = np.empty_like(sound)
    for start in range(0, sound.size, RATE * 60):
        block = sound[start : start + RATE * 60].astype(np.float32) * gain
        louder[start : start + RATE * 60] = np.clip(block, -32768, 32767).astype(np.int16)
    return louder


def spoken(sound: Samples, longest_seconds: float) -> list[Piece]:
    """The stretches that may hold speech, in order, none longer than asked, cut where it is quietest."""
    levels = _levels(sound)
    flags = _voiced(sound, levels)
    return [
        Piece(start * FRAME, min(end * FRAME, sound.size))
        for stretch in _stretches(flags)
        for start, end in _cut(levels, *stretch, longest=int(longest_seconds * FRAMES_PER_SECOND))
    ]


def _levels(sound: Samples) -> Levels:
    """Every frame's level in decibels; the bass, which carries hum and no words, counts less."""
    frames = sound.size // FRAME
    levels = np.empty(frames)
    for first in range(0, frames, 2000):
        last = min(first + 2000, frames)
        block = sound[first * FRAME : last * FRAME].astype(np.float32)
        block[1:] -= 0.97 * block[:-1]
        levels[first:last] = np.sqrt(np.mean(block.reshape(-1, FRAME) ** 2, axis=1))
    return 20 * np.log10(np.maximum(levels, 1e-3))


def _voiced(sound: Samples, levels: Levels) -> Flags:
    vad = Vad(Vad.LOOSE, RATE, 0.03)
    frames = sound[: levels.size * FRAME].reshape(-1, FRAME)
    voice = np.fromiter((vad.is_speech(frame.tobytes()) for frame in frames), bool, levels.size)
    return voice & (levels > _floor(levels) + RISE_DB)


def _floor(levels: Levels) -> Levels:
    """How loud it is around every frame when nobody speaks: the tenth softest part of its surroundings."""
    reach = int(SURROUNDINGS_SECONDS * FRAMES_PER_SECOND)
    step = max(1, int(FRAMES_PER_SECOND))
    floor = np.empty_like(levels)
    for start in range(0, levels.size, step):
        around = levels[max(0, start - reach) : start + step + reach]
        floor[start : start + step] = np.percentile(around, 10)
    return floor


def _stretches(flags: Flags) -> Iterator[tuple[int, int]]:
    """Runs of voiced frames joined over breaths, with their margins; clicks left out."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    runs = [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
    joined: list[tuple[int, int, int]] = []
    for start, end in runs:
        if joined and start - joined[-1][1] <= 2 * MARGIN_FRAMES + BREATH_FRAMES:
            first, _, voiced = joined.pop()
            joined.append((first, end, voiced + end - start))
        else:
            joined.append((start, end, end - start))
    for start, end, voiced in joined:
        if voiced >= SHORTEST_SPEECH_FRAMES:
            yield max(0, start - MARGIN_FRAMES), min(flags.size, end + MARGIN_FRAMES)


def _cut(levels: Levels, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """The stretch in parts, each cut at the quietest moment of its second half."""
    while end - start > longest:
        window = np.convolve(levels[start + longest // 2 : start + longest], np.ones(BREATH_FRAMES), mode="valid")
        quietest = start + longest // 2 + int(np.argmin(window)) + BREATH_FRAMES // 2
        yield start, quietest
        start = quietest
    yield start, end

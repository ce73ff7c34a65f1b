"""Finds the parts of a recording that may hold speech, and places to cut them between words."""

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

# Speech is this much louder than its surroundings. A hum, a hiss or a tone keeps one level.
RISE_DB = 6.0
SURROUNDINGS_SECONDS = 10

# A shorter sound is a click, not a syllable.
MIN_SPEECH_FRAMES = 5
# The soft start and end of a word that the detector misses.
MARGIN_FRAMES = 10
# A breath between two words does not separate them.
BREATH_FRAMES = 10

# A larger gain would only amplify noise.
MAX_GAIN = 16.0
LOUD = 0.5 * 32767


@dataclass(frozen=True)
class Piece:
    """A part of the recording, in samples."""

    start: int
    end: int


def with_normal_loudness(sound: Samples) -> Samples:
    """Return the sound amplified to the loudness of speech close to a microphone."""
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


def speech_pieces(sound: Samples, max_seconds: float) -> list[Piece]:
    """Return the parts that may hold speech, in order, cut at quiet places to at most `max_seconds`."""
    levels = _levels(sound)
    flags = _voiced(sound, levels)
    return [
        Piece(start * FRAME, min(end * FRAME, sound.size))
        for run in _runs(flags)
        for start, end in _cut(levels, *run, max_frames=int(max_seconds * FRAMES_PER_SECOND))
    ]


def _levels(sound: Samples) -> Levels:
    """Return the level of each frame in decibels. Low frequencies count less, because they carry hum."""
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
    """Return the background level around each frame: the tenth percentile of its surroundings."""
    reach = int(SURROUNDINGS_SECONDS * FRAMES_PER_SECOND)
    step = max(1, int(FRAMES_PER_SECOND))
    floor = np.empty_like(levels)
    for start in range(0, levels.size, step):
        around = levels[max(0, start - reach) : start + step + reach]
        floor[start : start + step] = np.percentile(around, 10)
    return floor


def _runs(flags: Flags) -> Iterator[tuple[int, int]]:
    """Yield runs of voiced frames, joined over breaths, with margins and without clicks."""
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
        if voiced >= MIN_SPEECH_FRAMES:
            yield max(0, start - MARGIN_FRAMES), min(flags.size, end + MARGIN_FRAMES)


def _cut(levels: Levels, start: int, end: int, max_frames: int) -> Iterator[tuple[int, int]]:
    """Split the run into parts, each cut at the quietest moment of its second half."""
    while end - start > max_frames:
        window = np.convolve(levels[start + max_frames // 2 : start + max_frames], np.ones(BREATH_FRAMES), mode="valid")
        quietest = start + max_frames // 2 + int(np.argmin(window)) + BREATH_FRAMES // 2
        yield start, quietest
        start = quietest
    yield start, end

"""Finds the speech in a recording, and cuts it into windows for the recogniser. Runs inside the child process."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model

from adapters.speech.sound import RATE

Samples = npt.NDArray[np.int16]

# The recogniser reads 30 seconds at once, whatever their content; a window stays below that.
WINDOW_SECONDS = 28

# Less voice than this is a click or a note of music that sounds like a vowel, not a story.
MIN_VOICE_SECONDS = 0.5

# Silero's voice-activity detector: a pause separates pieces, and each piece keeps the soft start and end of its words.
GATE = VadOptions(
    threshold=0.5, min_silence_duration_ms=500, speech_pad_ms=300, max_speech_duration_s=WINDOW_SECONDS - 1
)
# The detector holds its input several times as floating-point numbers, so it gets a part of a long recording.
BLOCK_SECONDS = 600
# Between two blocks, the quietest moment of this many seconds is the place to cut.
BORDER_SECONDS = 5
FRAME = RATE * 30 // 1000

# A larger gain would only amplify noise.
MAX_GAIN = 16.0
LOUD = 0.5 * 32767


@dataclass(frozen=True)
class Piece:
    """A part of the recording, in samples."""

    start: int
    end: int


def load_gate() -> None:
    """Load the detector, which reads files that a confined process may not read."""
    get_vad_model()


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


def speech_windows(sound: Samples) -> list[list[Piece]]:
    """Return the pieces that hold speech, in order, grouped into windows of at most WINDOW_SECONDS of speech.

    There is none in silence, noise and music.
    """
    pieces = [piece for start, end in _blocks(sound) for piece in _pieces(sound, start, end)]
    if sum(piece.end - piece.start for piece in pieces) < MIN_VOICE_SECONDS * RATE:
        return []
    windows: list[list[Piece]] = []
    length = 0
    for piece in pieces:
        if not windows or length + piece.end - piece.start > WINDOW_SECONDS * RATE:
            windows.append([])
            length = 0
        windows[-1].append(piece)
        length += piece.end - piece.start
    return windows


def _blocks(sound: Samples) -> Iterator[tuple[int, int]]:
    start = 0
    while sound.size - start > BLOCK_SECONDS * RATE:
        border = start + (BLOCK_SECONDS - BORDER_SECONDS) * RATE
        frames = sound[border : border + BORDER_SECONDS * RATE // FRAME * FRAME].astype(np.float32).reshape(-1, FRAME)
        end = border + int(np.argmin(np.sum(frames**2, axis=1))) * FRAME
        yield start, end
        start = end
    yield start, sound.size


def _pieces(sound: Samples, start: int, end: int) -> Iterator[Piece]:
    for found in get_speech_timestamps(sound[start:end].astype(np.float32) / 32768, GATE):
        yield Piece(start + found["start"], min(start + found["end"], end))

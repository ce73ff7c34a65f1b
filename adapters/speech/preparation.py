"""Decodes a recording and finds its speech, inside the child process."""

import numpy as np

from adapters.confined.errors import InputRefused
from adapters.disk import write_all
from adapters.speech.errors import NO_SPEECH, TOO_LONG
from adapters.speech.sound import BYTES_PER_SECOND, RATE, Sound
from adapters.speech.voice import Samples, speech_windows, with_normal_loudness


def prepare(descriptor: int, output: int, max_seconds: int) -> list[dict[str, object]]:
    """Write the speech of the recording to `output`, window after window, as samples of two bytes at 16 kHz.

    Return for each window its number of `bytes`, and its `pieces`: `[start_ms, milliseconds]` in the recording, in the
    order in which the window holds them. Refuse a recording without speech.
    """
    sound = _sound(descriptor, max_seconds)
    windows = []
    for window in speech_windows(sound):
        content = b"".join(sound[piece.start : piece.end].tobytes() for piece in window)
        write_all(output, content)
        pieces = [[_ms(piece.start), _ms(piece.end - piece.start)] for piece in window]
        windows.append({"bytes": len(content), "pieces": pieces})
    if not windows:
        raise InputRefused(NO_SPEECH)
    return windows


def require_speech(descriptor: int, max_seconds: int) -> None:
    """Refuse a recording without speech."""
    if not speech_windows(_sound(descriptor, max_seconds)):
        raise InputRefused(NO_SPEECH)


def _sound(descriptor: int, max_seconds: int) -> Samples:
    samples = bytearray()
    for block in Sound(descriptor).pcm():
        samples += block
        if len(samples) > max_seconds * BYTES_PER_SECOND:
            raise InputRefused(TOO_LONG)
    return with_normal_loudness(np.frombuffer(samples, np.int16))


def _ms(samples: int) -> int:
    return samples * 1000 // RATE

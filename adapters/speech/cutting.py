"""Cuts a passage out of a recording and encodes it as MP3, inside the child process."""

import io
import os

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from adapters.confined.errors import InputRefused
from adapters.speech.errors import NOT_AUDIO
from adapters.speech.sound import Sound

Samples = npt.NDArray[np.int16]

MEDIA_TYPE = "audio/mpeg"
# Speech is clear with these, and a minute of it has 360 kB. Safari plays neither Ogg nor, before 2024, WebM.
SOUND_RATE = 24_000
BIT_RATE = 48_000
BYTES_PER_SAMPLE = 2
# The sound swells and fades away, so that its edges are not heard as clicks.
FADE_SECONDS = 0.03
# A phone that was held far away is heard as well, and noise is not made a roar.
LOUDEST, MOST_GAIN = 26_000, 8.0
# No names of programs, times or pictures are written.
CONTAINER_OPTIONS = {"id3v2_version": "0", "write_id3v1": "0", "fflags": "+bitexact"}


def cut(descriptor: int, output: int, start_ms: int, end_ms: int) -> dict[str, object]:
    """Write the sound from `start_ms` to `end_ms` to `output`. Return its media type and duration."""
    samples = _passage(descriptor, start_ms, end_ms)
    if not samples.size:
        raise InputRefused(NOT_AUDIO)
    with os.fdopen(os.dup(output), "wb") as file:
        file.write(_encoded(_faded(samples)))
    return {"media_type": MEDIA_TYPE, "duration_ms": samples.size * 1000 // SOUND_RATE}


def _passage(descriptor: int, start_ms: int, end_ms: int) -> Samples:
    """Return the samples; what comes after them is not decoded."""
    start, end = (moment * SOUND_RATE // 1000 * BYTES_PER_SAMPLE for moment in (start_ms, end_ms))
    kept, position = bytearray(), 0
    for block in Sound(descriptor).pcm(SOUND_RATE):
        kept += block[max(0, start - position) : max(0, end - position)]
        position += len(block)
        if position >= end:
            break
    return np.frombuffer(kept, np.int16)


def _faded(samples: Samples) -> Samples:
    """Return the samples as loud as is usual, with soft edges."""
    length = min(int(FADE_SECONDS * SOUND_RATE), samples.size // 2)
    loudest = max(1, int(np.abs(samples.astype(np.int32)).max()))
    strength = np.full(samples.size, min(MOST_GAIN, LOUDEST / loudest), np.float32)
    strength[:length] *= np.linspace(0, 1, length, endpoint=False)
    strength[samples.size - length :] *= np.linspace(1, 0, length)
    return (samples * strength).astype(np.int16)


def _encoded(samples: Samples) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options=CONTAINER_OPTIONS) as container:
        stream = container.add_stream("libmp3lame", rate=SOUND_RATE, layout="mono", bit_rate=BIT_RATE)
        if not isinstance(stream, AudioStream):
            raise TypeError(stream)
        for start in range(0, samples.size, SOUND_RATE):
            second = samples[start : start + SOUND_RATE]
            frame = AudioFrame.from_ndarray(second.reshape(1, -1), format="s16p", layout="mono")
            frame.sample_rate = SOUND_RATE
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()

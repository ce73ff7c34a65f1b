"""Encodes a recording as Opus in Ogg, in parts that are cut at quiet moments, inside the child process."""

import io
import os
from collections.abc import Iterator

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from adapters.confined.errors import InputRefused
from adapters.speech.errors import NOT_AUDIO, TOO_LONG
from adapters.speech.sound import BYTES_PER_SECOND, RATE, Sound

BIT_RATE = 32_000

# A part is cut at the quietest quarter of a second in its last 20 seconds.
SEARCH_SECONDS = 20
QUIET_SAMPLES = RATE // 4


def reencode(descriptor: int, output: int, max_seconds: int, part_seconds: int) -> list[dict[str, int]]:
    """Write the sound to `output` in parts of at most `part_seconds`. Return their offsets, sizes and durations."""
    parts: list[dict[str, int]] = []
    offset = 0
    for samples in _parts(descriptor, max_seconds, part_seconds * BYTES_PER_SECOND):
        encoded = _encoded(samples)
        with os.fdopen(os.dup(output), "wb") as file:
            file.seek(offset)
            file.write(encoded)
        duration_ms = len(samples) * 1000 // BYTES_PER_SECOND
        parts.append({"offset": offset, "size": len(encoded), "duration_ms": duration_ms})
        offset += len(encoded)
    if not parts:
        raise InputRefused(NOT_AUDIO)
    return parts


def _parts(descriptor: int, max_seconds: int, part_bytes: int) -> Iterator[bytes]:
    pending = bytearray()
    total = 0
    for block in Sound(descriptor).pcm():
        total += len(block)
        if total > max_seconds * BYTES_PER_SECOND:
            raise InputRefused(TOO_LONG)
        pending += block
        while len(pending) > part_bytes:
            at = _quiet_moment(pending, part_bytes)
            yield bytes(pending[:at])
            del pending[:at]
    if pending:
        yield bytes(pending)


def _quiet_moment(samples: bytearray, part_bytes: int) -> int:
    """Return the middle of the quietest moment near the part's end, in bytes."""
    start = max(part_bytes - SEARCH_SECONDS * BYTES_PER_SECOND, part_bytes // 2)
    start -= start % 2
    tail = np.frombuffer(bytes(samples[start:part_bytes]), np.int16).astype(np.float32)
    moments = tail[: tail.size // QUIET_SAMPLES * QUIET_SAMPLES].reshape(-1, QUIET_SAMPLES)
    if not len(moments):
        return part_bytes
    quietest = int(np.argmin(np.mean(moments**2, axis=1)))
    return start + (quietest * QUIET_SAMPLES + QUIET_SAMPLES // 2) * 2


def _encoded(samples: bytes) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono", bit_rate=BIT_RATE)
        if not isinstance(stream, AudioStream):
            raise TypeError(stream)
        for start in range(0, len(samples), BYTES_PER_SECOND):
            second = samples[start : start + BYTES_PER_SECOND]
            frame = AudioFrame(format="s16", layout="mono", samples=len(second) // 2)
            frame.planes[0].update(second.ljust(frame.planes[0].buffer_size, b"\0"))
            frame.sample_rate = RATE
            frame.pts = start // 2
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()

"""Recordings that are made instead of stored."""

from __future__ import annotations

from io import BytesIO

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream


def silent_recording(minutes: int) -> bytes:
    """Return silence as AAC, one encoded minute repeated: hours of it are a small file."""
    file = BytesIO()
    with av.open(file, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        assert isinstance(stream, AudioStream)
        minute = AudioFrame(format="fltp", layout="mono", samples=8000 * 60)
        minute.planes[0].update(bytes(minute.planes[0].buffer_size))
        minute.sample_rate, minute.pts = 8000, 0
        container.mux(stream.encode(minute))
        container.mux(stream.encode(None))
    return file.getvalue() * minutes

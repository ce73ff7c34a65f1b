"""Recordings that are made instead of stored."""

from __future__ import annotations

import struct
from io import BytesIO

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream


def silent_recording(minutes: int, rate: int = 8000, layout: str = "mono") -> bytes:
    """Return silence as AAC, one encoded minute repeated: hours of it are a small file."""
    file = BytesIO()
    with av.open(file, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=rate, layout=layout)
        assert isinstance(stream, AudioStream)
        minute = AudioFrame(format="fltp", layout=layout, samples=rate * 60)
        for plane in minute.planes:
            plane.update(bytes(plane.buffer_size))
        minute.sample_rate, minute.pts = rate, 0
        container.mux(stream.encode(minute))
        container.mux(stream.encode(None))
    return file.getvalue() * minutes


def dense_flac(
    channels: int = 8, rate: int = 192_000, seconds: int = 3590, declared_seconds: int | None = None
) -> bytes:
    """Return silence as FLAC with as few bytes as possible: by default 376 KB that decode to 5,500 million samples.

    The header declares the true length, or `declared_seconds`.
    """
    frame_count = seconds * rate // FLAC_BLOCK
    declared = frame_count * FLAC_BLOCK if declared_seconds is None else declared_seconds * rate
    format_and_length = rate << 44 | (channels - 1) << 41 | 15 << 36 | declared
    header = struct.pack(">HH6xQ16x", FLAC_BLOCK, FLAC_BLOCK, format_and_length)
    # Each channel of a frame is one constant of 16 bits.
    sound = bytes(3 * channels)
    frames = bytearray()
    for number in range(frame_count):
        start = b"\xff\xf8\x70" + bytes([(channels - 1) << 4 | 8]) + _flac_number(number)
        start += struct.pack(">H", FLAC_BLOCK - 1)
        frame = start + bytes([_crc(start, _CRC_8, 8)]) + sound
        frames += frame + struct.pack(">H", _crc(frame, _CRC_16, 16))
    return b"fLaC" + bytes([0x80, 0, 0, len(header)]) + header + frames


FLAC_BLOCK = 65_535


def _flac_number(number: int) -> bytes:
    """Return the number of a frame, which is encoded like a character of UTF-8."""
    return chr(number).encode("utf-8", "surrogatepass")


def _crc_table(polynomial: int, bits: int) -> list[int]:
    table = []
    for value in range(256):
        crc = value << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc >> (bits - 1) else crc << 1) & (1 << bits) - 1
        table.append(crc)
    return table


_CRC_8, _CRC_16 = _crc_table(0x07, 8), _crc_table(0x8005, 16)


def _crc(data: bytes, table: list[int], bits: int) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 ^ table[crc >> (bits - 8) ^ byte]) & (1 << bits) - 1
    return crc

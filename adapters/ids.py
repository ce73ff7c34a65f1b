"""Identifiers: version 7 UUIDs, which sort by the time they were made (RFC 9562)."""

from __future__ import annotations

import os
import time
from uuid import UUID

# Letters and digits that nobody mixes up when reading a link aloud or off paper.
SLUG_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
SLUG_LENGTH = 12


def parse(text: str) -> UUID | None:
    """The id that a text is, in the one form that we write ids in."""
    try:
        id = UUID(text)
    except ValueError:
        return None
    return id if str(id) == text.lower() else None


def uuid7() -> UUID:
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=_shaped(milliseconds, int.from_bytes(os.urandom(10), "big")))


def uuid7_from(moment_ms: int, entropy: bytes) -> UUID:
    """The version 7 UUID of a moment and ten bytes of entropy: the same for the same."""
    return UUID(int=_shaped(moment_ms, int.from_bytes(entropy[:10], "big")))


def _shaped(milliseconds: int, entropy: int) -> int:
    value = (milliseconds & (1 << 48) - 1) << 80 | entropy
    value = value & ~(0xF << 76) | 0x7 << 76
    return value & ~(0x3 << 62) | 0x2 << 62

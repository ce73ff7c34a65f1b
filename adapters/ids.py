"""Identifiers: version 7 UUIDs, which sort by their time of creation (RFC 9562), and the alphabet of slugs."""

import os
import re
import time
from uuid import UUID

# Letters and digits that are not mistaken for one another when a link is read aloud or from paper.
SLUG_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
SLUG_LENGTH = 12
_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def parse(text: str) -> UUID | None:
    """Return the id that the text is in its canonical form, in either case, or None."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None


def normalized(text: str) -> str:
    """Return an id in lower case, so that it has one spelling, and any other text unchanged."""
    return text.lower() if _CANONICAL.fullmatch(text) else text


def uuid7() -> UUID:
    return uuid7_from(time.time_ns() // 1_000_000, os.urandom(10))


def uuid7_from(moment_ms: int, entropy: bytes) -> UUID:
    """Return the version 7 UUID of a time and ten bytes of entropy; equal arguments give equal ids."""
    value = (moment_ms & (1 << 48) - 1) << 80 | int.from_bytes(entropy[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)

"""An inspector with a cache, because most tests send the same recording and each inspection starts a process."""

from __future__ import annotations

from hashlib import sha256
from typing import BinaryIO

from domain.ports import AudioInspector
from domain.values import AudioFacts


class CachingInspector:
    """Caches the facts of another inspector by content. Refusals are not cached."""

    def __init__(self, inspector: AudioInspector) -> None:
        self._inspector = inspector
        self._facts_by_digest: dict[bytes, AudioFacts] = {}

    def inspect(self, recording: BinaryIO) -> AudioFacts:
        recording.seek(0)
        digest = sha256(recording.read()).digest()
        recording.seek(0)
        if digest not in self._facts_by_digest:
            self._facts_by_digest[digest] = self._inspector.inspect(recording)
        return self._facts_by_digest[digest]

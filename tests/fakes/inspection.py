"""Inspections that start fewer processes, or none."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, BinaryIO

from adapters.confined.child_process import Limits, run_child
from adapters.speech.sound import measure
from domain.ports import AudioInspector
from domain.values import AudioFacts


def measure_here(job: str, recording: BinaryIO, arguments: Mapping[str, Any], limits: Limits, **options: Any) -> Any:
    """Measure a recording in this process and without limits, and take it for speech; run other jobs in a child."""
    if job == "require_speech":
        return None
    if job != "measure":
        return run_child(job, recording, arguments, limits, **options)
    recording.flush()
    return measure(recording.fileno(), **arguments)


class CachingInspector:
    """Caches the facts of another inspector by content, because most tests send the same recording.

    Refusals are not cached.
    """

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

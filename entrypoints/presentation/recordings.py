"""The recordings of a ticket as responses."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from adapters.event_store.log import StoredEntry
from domain.events import AudioUploaded
from domain.values import Content
from entrypoints.presentation.responses import ResponseBody, Time, utc


class Recording(ResponseBody):
    """A recording of a ticket. The newest one is transcribed; earlier ones are kept."""

    id: UUID
    sha256: str
    size_bytes: int
    media_type: str
    duration_seconds: float
    created_at: Time

    @property
    def content(self) -> Content:
        return Content(self.sha256, self.size_bytes)


def recordings_of(entries: Iterable[StoredEntry]) -> list[Recording]:
    """Return the recordings that a ticket's own events name, oldest first."""
    events = ((entry, entry.event()) for entry in entries if entry.topic == AudioUploaded.TOPIC)
    return [
        Recording(
            id=event.recording_id,
            sha256=event.content.sha256,
            size_bytes=event.content.size_bytes,
            media_type=event.facts.media_type,
            duration_seconds=event.facts.duration_ms / 1000,
            created_at=utc(entry.recorded_at),
        )
        for entry, event in events
        if isinstance(event, AudioUploaded)
    ]

"""The recordings of a ticket as responses."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.values import Content
from entrypoints.presentation.progress import StepError
from entrypoints.presentation.responses import ResponseBody, Time
from projections.model import Row


class Recording(ResponseBody):
    """A recording of a ticket; `error` says why it could not be transcribed."""

    id: UUID
    sha256: str
    size_bytes: int
    media_type: str
    duration_seconds: float
    created_at: Time
    # Only a recording that could not be transcribed has this field.
    error: StepError | UnsetType = UNSET

    @property
    def content(self) -> Content:
        return Content(self.sha256, self.size_bytes)


def recordings_of(row: Row) -> list[Recording]:
    """Return the recordings of a ticket's row, oldest first."""
    return [
        Recording(
            id=UUID(recording["id"]),
            sha256=recording["sha256"],
            size_bytes=recording["size_bytes"],
            media_type=recording["media_type"],
            duration_seconds=recording["duration_ms"] / 1000,
            created_at=datetime.fromisoformat(recording["created_at"]),
            error=StepError(**recording["problem"]) if recording["problem"] else UNSET,
        )
        for recording in row["recordings"]
    ]

"""The person's voice on the campaign page as responses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.corrections import SegmentPlace
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Url
from projections.model import Row


class Voice(ResponseBody):
    """The passage of a recording that the campaign page lets people hear; `filePath` is the address of its sound.

    It is heard by strangers only while the page is public, once the person agreed after it was chosen.
    """

    recording_id: UUID
    first_segment_id: str
    last_segment_id: str
    start_ms: int
    end_ms: int
    text: str
    media_type: str
    size_bytes: int
    duration_seconds: float
    file_path: Url
    heard: bool

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData, public_url: str, *, heard: bool) -> Voice:
        """Make the response from the ticket's row, which has a voice."""
        voice = row["voice"]
        recording_id = UUID(voice["recording_id"])
        return cls(
            recording_id=recording_id,
            first_segment_id=str(SegmentPlace(recording_id, voice["first_segment"])),
            last_segment_id=str(SegmentPlace(recording_id, voice["last_segment"])),
            start_ms=voice["start_ms"],
            end_ms=voice["end_ms"],
            text=personal.text(row["ticket_id"], voice["text"]),
            media_type=voice["media_type"],
            size_bytes=voice["size_bytes"],
            duration_seconds=voice["duration_ms"] / 1000,
            file_path=f"{public_url}/api/tickets/{row['ticket_id']}/voice/sound",
            heard=heard,
        )


def page_voice(row: Row, personal: PersonalData, *, preview: bool) -> dict[str, Any] | None:
    """Return what a page shows of the voice, or None; another passage has another path.

    `row` is that of `DraftSafety.public_row`, which has no voice that strangers may not hear. In the `preview`, the
    holder hears it also before the page is public.
    """
    voice = row["voice"]
    if not voice:
        return None
    path = f"/api/tickets/{row['ticket_id']}/voice/sound" if preview else f"/d/{row['slug']}/voice"
    return {
        "path": f"{path}?v={voice['sha256'][:16]}",
        "media_type": voice["media_type"],
        "length": length_of(row),
        "text": personal.text(row["ticket_id"], voice["text"]),
    }


def length_of(row: Row) -> str:
    """Return the length of the row's voice, to the nearest second."""
    return clock(row["voice"]["duration_ms"] + 500)


def clock(milliseconds: int) -> str:
    """Return a length or a moment of a recording as minutes and seconds."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    return f"{minutes}:{seconds:02}"

"""A ticket's recordings in their order: which are transcribed, and which are to be worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from domain import events
from domain.errors import NotFoundError
from domain.values import Content


@dataclass(frozen=True)
class Recording:
    """One recording with its transcripts, the newest last.

    It is `unusable` if its last transcription failed in a way that would repeat, such as silence. It was `replaced`
    if a later upload took its place, as each did before several recordings made one draft.
    """

    id: UUID
    content: Content
    duration_ms: int
    transcripts: tuple[Content, ...] = ()
    unusable: bool = False
    replaced: bool = False

    @property
    def transcript(self) -> Content | None:
        return self.transcripts[-1] if self.transcripts else None

    @property
    def contents(self) -> frozenset[Content]:
        """Everything that is stored of the recording."""
        return frozenset((self.content, *self.transcripts))


@dataclass(frozen=True)
class Recordings:
    """All recordings of a ticket, oldest first.

    `requested` is the one that work was last requested for. `deleted` has the recordings that were deleted.
    """

    kept: tuple[Recording, ...] = ()
    requested: UUID | None = None
    deleted: tuple[Recording, ...] = ()

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def get(self, recording_id: UUID) -> Recording:
        for recording in self.kept:
            if recording.id == recording_id:
                return recording
        raise NotFoundError("There is no such recording.")

    def is_deleted(self, recording_id: UUID) -> bool:
        return any(recording.id == recording_id for recording in self.deleted)

    def contents_of_deleted(self, recording_id: UUID) -> frozenset[Content]:
        """Return what was stored of a deleted recording and belongs to no other one."""
        kept = frozenset[Content]().union(*(recording.contents for recording in self.kept))
        gone = (recording.contents for recording in self.deleted if recording.id == recording_id)
        return frozenset[Content]().union(*gone) - kept

    @property
    def used(self) -> tuple[Recording, ...]:
        """The recordings that a draft is made of; one that was sent twice is used once."""
        used: dict[Content, Recording] = {}
        for recording in self.kept:
            if not recording.replaced:
                used.setdefault(recording.content, recording)
        return tuple(used.values())

    @property
    def transcribed(self) -> tuple[Recording, ...]:
        return tuple(recording for recording in self.used if recording.transcript is not None)

    @property
    def draftable(self) -> tuple[Recording, ...]:
        """The transcribed recordings without those of which a new transcription failed."""
        return tuple(recording for recording in self.transcribed if not recording.unusable)

    @property
    def pending(self) -> tuple[Recording, ...]:
        """The recordings that are still to be transcribed."""
        return tuple(recording for recording in self.used if recording.transcript is None and not recording.unusable)

    @property
    def to_transcribe(self) -> tuple[Recording, ...]:
        """The recordings that are transcribed when somebody asks for a draft: the newest again if none is pending."""
        return self.pending or self.used[-1:]

    def after(self, event: events.TicketEvent) -> Recordings:
        match event:
            case events.AudioUploaded(recording_id=recording_id, content=content, facts=facts, joins=joins):
                earlier = self.kept if joins else tuple(replace(recording, replaced=True) for recording in self.kept)
                return replace(self, kept=(*earlier, Recording(recording_id, content, facts.duration_ms)))
            case events.ProcessingRequested(recording_id=requested) | events.DraftingRequested(recording_id=requested):
                return replace(self, requested=requested)
            case events.Transcribed(recording_id=recording_id, content=content):
                return self._changed(
                    recording_id,
                    lambda known: replace(known, transcripts=(*known.transcripts, content), unusable=False),
                )
            case events.TranscriptionFailed(recording_id=recording_id, retryable=False):
                return self._changed(recording_id, lambda known: replace(known, unusable=True))
            case events.RecordingDeleted(recording_id=recording_id):
                kept = tuple(recording for recording in self.kept if recording.id != recording_id)
                gone = tuple(recording for recording in self.kept if recording.id == recording_id)
                return replace(self, kept=kept, deleted=(*self.deleted, *gone))
            case _:
                return self

    def _changed(self, recording_id: UUID, change: Callable[[Recording], Recording]) -> Recordings:
        kept = (change(recording) if recording.id == recording_id else recording for recording in self.kept)
        return replace(self, kept=tuple(kept))

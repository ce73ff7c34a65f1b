"""Earlier versions of a ticket's draft and of its transcripts, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain import events
from domain.corrections import SegmentPlace
from domain.lifecycle import edited, proposed
from domain.values import Draft
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, major, utc
from projections.model import RecordedEvent

# The names of the draft's fields in answers, where they differ.
SHOWN_NAMES = {"goal": "goalAmount"}


class DraftText(ResponseBody):
    """The texts of a draft at one version; a field that was empty is null."""

    title: str | None
    story: str | None
    goal_amount: Decimal | None
    goal_amount_minor: int | None
    currency: str | None
    beneficiary: str | None
    location: str | None
    category: str | None
    breakdown: list[str]

    @classmethod
    def of(cls, draft: Draft) -> DraftText:
        goal = draft.goal
        return cls(
            draft.title,
            draft.story,
            major(goal.minor, goal.currency) if goal else None,
            goal.minor if goal else None,
            goal.currency if goal else draft.currency,
            draft.beneficiary,
            draft.location,
            draft.category,
            list(draft.breakdown),
        )


class DraftVersion(ResponseBody):
    """The draft after one change: who made it, when, and which fields it changed.

    `actor` is "system" for a draft that was made from the recording.
    """

    version: int
    created_at: Time
    actor: str
    changed: list[str]
    draft: DraftText


class DraftVersions(ResponseBody):
    """A result page of a draft's versions, newest first; `nextCursor` is null on the last one."""

    versions: list[DraftVersion]
    next_cursor: str | None


class TranscriptVersion(ResponseBody):
    """The transcript after one correction: who made it, when, and what one segment said before and after."""

    version: int
    created_at: Time
    actor: str
    segment_id: str
    from_text: str
    to_text: str


class TranscriptVersions(ResponseBody):
    """A result page of a transcript's versions, newest first; `nextCursor` is null on the last one."""

    versions: list[TranscriptVersion]
    next_cursor: str | None


@dataclass(frozen=True)
class PastDraft:
    """A draft with its sealed texts after one event, and the names of the fields that the event wrote."""

    recorded: RecordedEvent
    draft: Draft
    changed: tuple[str, ...]

    def shown(self, personal: PersonalData) -> DraftVersion:
        event = self.recorded.event
        return DraftVersion(
            event.originator_version,
            utc(self.recorded.recorded_at),
            str(event.actor),
            [SHOWN_NAMES.get(name, name) for name in self.changed],
            DraftText.of(personal.opened_draft(event.ticket, self.draft)),
        )


def past_drafts(history: Iterable[RecordedEvent]) -> Iterator[PastDraft]:
    """Yield every version of the draft, oldest first."""
    draft, written = Draft(), frozenset[str]()
    for recorded in history:
        match recorded.event:
            case events.DraftProposed() as event:
                draft = proposed(draft, event, written)
                changed = tuple(name for name in Draft.names() if name not in written and getattr(event, name))
            case events.DraftEdited() as event:
                draft, changed = edited(draft, event), event.changed
                written |= frozenset(changed)
            case _:
                continue
        if changed:
            yield PastDraft(recorded, draft, changed)


def past_transcripts(history: Iterable[RecordedEvent], personal: PersonalData) -> Iterator[TranscriptVersion]:
    """Yield every correction of the transcripts of recordings that were not deleted, oldest first."""
    all_events = list(history)
    deleted = {
        recorded.event.recording_id for recorded in all_events if isinstance(recorded.event, events.RecordingDeleted)
    }
    for recorded in all_events:
        event = recorded.event
        if isinstance(event, events.TranscriptCorrected) and event.recording_id not in deleted:
            yield TranscriptVersion(
                event.originator_version,
                utc(recorded.recorded_at),
                str(event.actor),
                str(SegmentPlace(event.recording_id, event.segment)),
                personal.text(event.ticket, event.from_text),
                personal.text(event.ticket, event.to_text),
            )


def draft_at(history: Iterable[RecordedEvent], version: int, ticket_id: UUID, personal: PersonalData) -> Draft:
    """Return the draft as it was at a version of the ticket."""
    draft = Draft()
    for past in past_drafts(history):
        if past.recorded.event.originator_version > version:
            break
        draft = past.draft
    return personal.opened_draft(ticket_id, draft)

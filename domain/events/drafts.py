"""The draft: proposed from a recording, completed and edited by a person."""

from __future__ import annotations

from uuid import UUID

from domain.events.base import TicketEvent
from domain.values import Money, Personal, Step


class DraftProposed(TicketEvent):
    """A draft was made from the recording; fields that a person wrote are left out."""

    TOPIC = "draft_proposed"
    recording_id: UUID
    title: Personal | None = None
    story: Personal | None = None
    goal: Money | None = None
    currency: str | None = None
    beneficiary: Personal | None = None
    location: Personal | None = None
    category: Personal | None = None
    breakdown: tuple[Personal, ...] = ()


class DraftingFailed(TicketEvent):
    """Analysing or drafting failed; the transcript remains valid."""

    TOPIC = "drafting_failed"
    recording_id: UUID
    step: Step
    code: str
    message: str
    retryable: bool


class InfoRequested(TicketEvent):
    """The draft lacks fields that its kind of ticket requires; `missing` names them."""

    TOPIC = "info_requested"
    missing: tuple[str, ...]


class DraftEdited(TicketEvent):
    """A person edited the draft: the fields named in `changed` have these values now; None clears a field."""

    TOPIC = "draft_edited"
    changed: tuple[str, ...]
    title: Personal | None = None
    story: Personal | None = None
    goal: Money | None = None
    currency: str | None = None
    beneficiary: Personal | None = None
    location: Personal | None = None
    category: Personal | None = None
    breakdown: tuple[Personal, ...] = ()

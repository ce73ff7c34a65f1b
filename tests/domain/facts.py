"""Builds a ticket from past facts (`given`) and returns the facts that requests to it triggered (`new_facts`)."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import structs

from domain.events import (
    Analysed,
    AudioUploaded,
    ContactChanged,
    DisplayNameChanged,
    DocumentGenerated,
    DraftEdited,
    DraftingFailed,
    DraftProposed,
    InfoRequested,
    ProcessingRequested,
    TicketEvent,
    TicketOpened,
    TicketSuspended,
    Transcribed,
    TranscriptionFailed,
)
from domain.tickets import RecordingTicket
from domain.values import (
    Actor,
    AudioFacts,
    Contact,
    ContactType,
    Content,
    DocumentFormat,
    DocumentType,
    Draft,
    Kind,
    Money,
    Role,
    Sentiment,
    Source,
    Step,
    Urgency,
)
from tests.fakes.events import PLACE_FIELDS

HOLDER = Actor(Role.HOLDER)
TICKET = UUID("018f0000-0000-7000-8000-000000000001")
RECORDING = UUID("018f0000-0000-7000-8000-0000000000a1")
NEWER_RECORDING = UUID("018f0000-0000-7000-8000-0000000000a2")
DOCUMENT = UUID("018f0000-0000-7000-8000-0000000000d1")
TRANSCRIPTION = UUID("018f0000-0000-7000-8000-0000000000c1")

CONTACT = Contact(ContactType.EMAIL, "ada@example.com")
SOUND = Content("a" * 64, 1_000)
WORDS = Content("b" * 64, 2_000)
AUDIO = AudioFacts("audio/webm", 9_000)
COMPLETE = Draft(title="A roof", story="It fell in.", goal=Money(150_000, "USD"), currency="USD", beneficiary="Ada")
HEARD = dataclasses.replace(
    COMPLETE, sources=tuple(Source(name, None, RECORDING) for name in ("title", "story", "goal", "beneficiary"))
)

# Field values of a fact for which the test names no others.
_USUAL_FIELDS: dict[type[TicketEvent], dict[str, Any]] = {
    TicketOpened: {
        "workspace": "public",
        "kind": Kind.CAMPAIGN,
        "slug": "abcdefghjkmn",
        "contact": CONTACT,
        "contact_index": "index",
        "display_name": "Ada",
        "token_digest": "digest",
    },
    ContactChanged: {"contact": CONTACT, "contact_index": "index", "token_digest": "digest"},
    DisplayNameChanged: {"display_name": "Grace"},
    AudioUploaded: {"recording_id": RECORDING, "content": SOUND, "facts": AUDIO, "file_name": None, "joins": True},
    ProcessingRequested: {"recording_id": RECORDING},
    Transcribed: {
        "recording_id": RECORDING,
        "transcription_id": TRANSCRIPTION,
        "content": WORDS,
        "language": "en",
        "engine": "fake",
    },
    TranscriptionFailed: {"recording_id": RECORDING, "code": "no_speech", "message": "Nothing.", "retryable": False},
    Analysed: {
        "recording_id": RECORDING,
        "language": "en",
        "sentiment": Sentiment.NEUTRAL,
        "urgency": Urgency.LOW,
        "key_points": (),
    },
    DraftProposed: {"recording_id": RECORDING},
    DraftingFailed: {
        "recording_id": RECORDING,
        "step": Step.DRAFT,
        "code": "away",
        "message": "Later.",
        "retryable": True,
    },
    InfoRequested: {"missing": ("goal",)},
    DraftEdited: {"changed": ()},
    TicketSuspended: {"reason": "It looks like fraud."},
    DocumentGenerated: {
        "document_id": DOCUMENT,
        "type": DocumentType.GOFUNDME_DRAFT,
        "format": DocumentFormat.PDF,
        "content": WORDS,
    },
}
RECORDED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclasses.dataclass(frozen=True)
class Fact:
    """The type of an event and its fields, without its place in the history and without default values."""

    kind: type[TicketEvent]
    fields: dict[str, Any]


def fact(kind: type[TicketEvent], **fields: Any) -> Fact:
    """Return a fact of this kind, done by the holder. Fields that are not given have their usual values."""
    return _without_defaults(kind, {"actor": HOLDER, **_USUAL_FIELDS.get(kind, {}), **fields})


def _without_defaults(kind: type[TicketEvent], fields: dict[str, Any]) -> Fact:
    defaults = {field.name: field.default for field in structs.fields(kind)}
    return Fact(kind, {name: value for name, value in fields.items() if value != defaults[name]})


def given(*facts: Fact) -> RecordingTicket:
    """Return an opened ticket to which these facts happened."""
    ticket: Any = None
    for version, past_fact in enumerate((fact(TicketOpened), *facts), start=1):
        event: Any = past_fact.kind(
            originator_id=TICKET, originator_version=version, timestamp=RECORDED_AT, **past_fact.fields
        )
        ticket = event.mutate(ticket)
    assert isinstance(ticket, RecordingTicket)
    return ticket


def new_facts(ticket: RecordingTicket) -> list[Fact]:
    """Return the events that the last requests triggered."""
    facts = []
    for event in ticket.collect_events():
        assert isinstance(event, TicketEvent)
        fields = {name: value for name, value in structs.asdict(event).items() if name not in PLACE_FIELDS}
        facts.append(_without_defaults(type(event), fields))
    return facts


# Histories that many tests start from.

UPLOADED = (fact(AudioUploaded),)
TRANSCRIBING = (*UPLOADED, fact(ProcessingRequested))
ANALYSING = (*TRANSCRIBING, fact(Transcribed))
DRAFTING = (*ANALYSING, fact(Analysed))
DRAFTED = (*DRAFTING, fact(DraftProposed, **vars(HEARD)))
_COMPLETE_FIELDS = {name: value for name, value in vars(COMPLETE).items() if name != "engine"}
WRITTEN = (fact(DraftEdited, changed=("title", "story", "goal", "beneficiary"), **_COMPLETE_FIELDS),)

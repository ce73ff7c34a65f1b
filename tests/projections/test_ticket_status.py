"""The ticket status: one row a ticket that says all that its pages show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from adapters.read_models.in_memory import folded
from domain.events import (
    Analysed,
    AudioUploaded,
    DocumentGenerated,
    DraftEdited,
    DraftProposed,
    Erased,
    PaymentReceived,
    ProcessingRequested,
    Published,
    TicketEvent,
    TicketOpened,
    Transcribed,
    TranscriptionFailed,
)
from domain.values import Actor, ContentStatus, Money, Role, StripeReport
from projections import ticket_status
from projections.model import Recorded, Row
from tests.domain.facts import COMPLETE, DRAFTED, RECORDING, TICKET, TRANSCRIBING, TRANSCRIPTION, Fact, fact
from tests.fakes.events import made

START = datetime(2026, 1, 1, tzinfo=UTC)


def recorded(*facts: Fact) -> list[Recorded]:
    """The facts as the history of one ticket, a minute between them."""
    return [
        Recorded(position, START + timedelta(minutes=position), made(one.kind, TICKET, position, **one.told))
        for position, one in enumerate((fact(TicketOpened), *facts), start=1)
    ]


def row(*facts: Fact) -> Row:
    [found] = folded(ticket_status, recorded(*facts)).all(ticket_status.TICKETS)
    return ticket_status.with_status(found)


def paid() -> TicketEvent:
    told: dict[str, Any] = {
        "actor": Actor(Role.STRIPE),
        "ticket_id": TICKET,
        "donation_id": UUID(int=9),
        "payment_intent_id": "pi_1",
        "amount": Money(5_000, "USD"),
        "report": StripeReport("evt_1", 1_700_000_000),
    }
    return made(PaymentReceived, UUID(int=10), 2, **told)


def test_an_opened_ticket_is_a_row():
    found = row()
    assert (found["ticket_id"], found["content_status"]) == (TICKET, ContentStatus.DRAFT)
    assert (found["contact"], found["display_name"]) == ("ada@example.com", "Ada")
    assert found["created_at"] == found["updated_at"] == START + timedelta(minutes=1)


def test_a_row_says_when_and_by_which_event_it_was_touched_last():
    found = row(*TRANSCRIBING)
    assert (found["version"], found["position"]) == (3, 3)
    assert found["updated_at"] - found["created_at"] == timedelta(minutes=2)


def test_transcriptions_are_listed_newest_first():
    again = (fact(ProcessingRequested), fact(Transcribed, transcription_id=UUID(int=5)))
    found = row(*DRAFTED, *again)["transcriptions"]
    assert [one["id"] for one in found] == [str(UUID(int=5)), str(TRANSCRIPTION)]


def test_a_failure_is_shown_until_a_retry_or_a_new_recording():
    failed = (*TRANSCRIBING, fact(TranscriptionFailed))
    assert row(*failed)["error"] == {"code": "no_speech", "message": "Nothing.", "retryable": False}
    assert row(*failed, fact(ProcessingRequested))["error"] is None
    assert row(*failed, fact(AudioUploaded, recording_id=UUID(int=5)))["error"] is None


def test_the_draft_has_the_proposed_fields_except_those_that_a_person_wrote():
    found = row(
        *TRANSCRIBING, fact(DraftEdited, changed=("title",), title="Mine"), fact(DraftProposed, **vars(COMPLETE))
    )
    draft = ticket_status.draft_of(found)
    assert (draft.title, draft.story, draft.goal) == ("Mine", COMPLETE.story, COMPLETE.goal)
    assert found["written"] == ["title"]


def test_a_ticket_is_funded_once_something_was_captured():
    history = [*recorded(), Recorded(2, START, paid()), Recorded(3, START, paid())]
    rows = folded(ticket_status, history)
    assert rows.all(ticket_status.FUNDED) == [{"ticket_id": TICKET, "position": 2}]
    [found] = rows.all(ticket_status.TICKETS)
    assert found["version"] == 1  # a gift changes nothing about the ticket itself


def test_an_erased_ticket_keeps_its_structure_and_nothing_personal():
    found = row(*DRAFTED, fact(DocumentGenerated), fact(Published), fact(Erased))
    assert (found["erased"], found["published"], found["content_status"]) == (True, False, ContentStatus.DRAFT)
    assert (found["workspace"], found["kind"], found["recording_id"]) == ("public", "campaign", RECORDING)
    for name in ("contact", "display_name", "token_digest", "analysis", "error"):
        assert found[name] is None
    assert (found["transcriptions"], found["has_document"]) == ([], False)
    assert not any(ticket_status.draft_of(found).__dict__.values())


def test_the_key_points_of_an_analysis_are_shown():
    found = row(*TRANSCRIBING, fact(Transcribed), fact(Analysed, key_points=("The roof fell in.",)))
    assert found["analysis"]["key_points"] == ["The roof fell in."]


def test_an_event_of_an_unopened_ticket_is_ignored():
    stray = made(Published, TICKET, 1, actor=Actor(Role.HOLDER))
    assert folded(ticket_status, [Recorded(1, START, stray)]).all(ticket_status.TICKETS) == []

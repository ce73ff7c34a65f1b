"""The ticket status: one row for each ticket, with everything that its pages show."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
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
    TicketReinstated,
    TicketSuspended,
    Transcribed,
    TranscriptionFailed,
)
from domain.values import Actor, ContentStatus, Money, Role, StripeReport
from projections import ticket_status
from projections.model import RecordedEvent, Row
from tests.domain.facts import COMPLETE, DRAFTED, RECORDING, TICKET, TRANSCRIBING, TRANSCRIPTION, WRITTEN, Fact, fact
from tests.fakes.events import START, log_entries, make_event


def recorded(*facts: Fact) -> list[RecordedEvent]:
    """Return the log of a ticket that was opened and to which these facts happened."""
    history = (fact(TicketOpened), *facts)
    return log_entries(
        *(make_event(fact.kind, TICKET, version, **fact.fields) for version, fact in enumerate(history, 1))
    )


def row(*facts: Fact) -> Row:
    [ticket_row] = folded(ticket_status, recorded(*facts)).all(ticket_status.TICKETS)
    return ticket_status.with_status(ticket_row)


def paid() -> TicketEvent:
    fields: dict[str, Any] = {
        "actor": Actor(Role.STRIPE),
        "ticket_id": TICKET,
        "donation_id": UUID(int=9),
        "payment_intent_id": "pi_1",
        "amount": Money(5_000, "USD"),
        "report": StripeReport("evt_1", 1_700_000_000),
    }
    return make_event(PaymentReceived, UUID(int=10), 2, **fields)


def test_an_opened_ticket_is_a_row():
    ticket_row = row()
    assert (ticket_row["ticket_id"], ticket_row["content_status"]) == (TICKET, ContentStatus.DRAFT)
    assert (ticket_row["contact"], ticket_row["display_name"]) == ("ada@example.com", "Ada")
    assert ticket_row["created_at"] == ticket_row["updated_at"] == START + timedelta(minutes=1)


def test_a_row_has_the_time_and_the_position_of_its_last_event():
    ticket_row = row(*TRANSCRIBING)
    assert (ticket_row["version"], ticket_row["position"]) == (3, 3)
    assert ticket_row["updated_at"] - ticket_row["created_at"] == timedelta(minutes=2)


def test_transcriptions_are_listed_newest_first():
    second_transcription = (fact(ProcessingRequested), fact(Transcribed, transcription_id=UUID(int=5)))
    transcriptions = row(*DRAFTED, *second_transcription)["transcriptions"]
    assert [transcription["id"] for transcription in transcriptions] == [str(UUID(int=5)), str(TRANSCRIPTION)]


def test_a_failure_is_shown_until_a_retry_or_a_new_recording():
    failed = (*TRANSCRIBING, fact(TranscriptionFailed))
    assert row(*failed)["error"] == {"code": "no_speech", "message": "Nothing.", "retryable": False}
    assert row(*failed, fact(ProcessingRequested))["error"] is None
    assert row(*failed, fact(AudioUploaded, recording_id=UUID(int=5)))["error"] is None


def test_the_draft_has_the_proposed_fields_except_those_that_a_person_wrote():
    ticket_row = row(
        *TRANSCRIBING, fact(DraftEdited, changed=("title",), title="Mine"), fact(DraftProposed, **vars(COMPLETE))
    )
    draft = ticket_status.draft_of(ticket_row)
    assert (draft.title, draft.story, draft.goal) == ("Mine", COMPLETE.story, COMPLETE.goal)
    assert ticket_row["written"] == ["title"]


def test_whatever_msgspec_must_know_of_a_draft_is_known_before_threads_read_drafts():
    # It is learned by Python code of msgspec, once in a process.
    read_a_draft = """
import sys
from projections import ticket_status
learned = []
def note(frame, *_):
    if frame.f_globals.get("__name__") == "msgspec._utils":
        learned.append(frame.f_code.co_name)
sys.setprofile(note)
ticket_status.draft_of({"draft": {}})
sys.setprofile(None)
sys.exit(sorted(set(learned)) or 0)
"""
    subprocess.run([sys.executable, "-c", read_a_draft], check=True)


def test_a_ticket_is_funded_after_its_first_payment():
    history = [*recorded(), RecordedEvent(2, START, paid()), RecordedEvent(3, START, paid())]
    rows = folded(ticket_status, history)
    assert rows.all(ticket_status.FUNDED) == [{"ticket_id": TICKET, "position": 2}]
    [ticket_row] = rows.all(ticket_status.TICKETS)
    assert ticket_row["version"] == 1  # a payment does not change the ticket itself


def test_an_erased_ticket_keeps_its_structure_and_nothing_personal():
    ticket_row = row(*DRAFTED, fact(DocumentGenerated), fact(Published), fact(Erased))
    assert (ticket_row["erased"], ticket_row["published"], ticket_row["content_status"]) == (
        True,
        False,
        ContentStatus.ERASED,
    )
    assert (ticket_row["workspace"], ticket_row["kind"], ticket_row["recording_id"]) == (
        "public",
        "campaign",
        RECORDING,
    )
    for name in ("contact", "display_name", "token_digest", "analysis", "error"):
        assert ticket_row[name] is None
    assert (ticket_row["transcriptions"], ticket_row["has_document"]) == ([], False)
    assert not any(ticket_status.draft_of(ticket_row).__dict__.values())


def test_a_suspended_page_is_not_public_until_it_is_reinstated():
    suspended = (*WRITTEN, fact(Published), fact(TicketSuspended))
    for facts, shown in (
        (suspended[:-1], (False, True)),
        (suspended, (True, False)),
        ((*suspended, fact(TicketReinstated)), (False, True)),
        (suspended[2:], (True, False)),
    ):
        ticket_row = row(*facts)
        assert (ticket_row["suspended"], ticket_status.is_public(ticket_row)) == shown


def test_the_key_points_of_an_analysis_are_shown():
    ticket_row = row(*TRANSCRIBING, fact(Transcribed), fact(Analysed, key_points=("The roof fell in.",)))
    assert ticket_row["analysis"]["key_points"] == ["The roof fell in."]


def test_an_event_of_an_unopened_ticket_is_ignored():
    event = make_event(Published, TICKET, 1, actor=Actor(Role.HOLDER))
    assert folded(ticket_status, [RecordedEvent(1, START, event)]).all(ticket_status.TICKETS) == []

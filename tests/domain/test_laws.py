"""Laws that hold for every sequence of requests."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from domain.lifecycle import missing_fields
from domain.tickets import RecordingTicket
from domain.values import ContentStatus
from tests.domain.facts import given as opened
from tests.fakes.requests import TicketRequest, histories


def state(ticket: RecordingTicket) -> dict[str, Any]:
    return {name: value for name, value in vars(ticket).items() if not name.startswith("_")}


@given(histories)
def test_a_replayed_ticket_equals_the_ticket_that_was_changed(requests: list[TicketRequest]):
    ticket = opened()
    replayed: Any = opened()
    for request in requests:
        request(ticket)
        for event in ticket.collect_events():
            replayed = event.mutate(replayed)
        assert state(replayed) == state(ticket)
        assert replayed.version == ticket.version


@given(histories)
def test_a_repeated_request_records_nothing(requests: list[TicketRequest]):
    ticket = opened()
    for request in requests:
        request(ticket)
        ticket.collect_events()
        request(ticket)
        assert list(ticket.collect_events()) == []


@given(histories)
def test_a_refusal_changes_nothing(requests: list[TicketRequest]):
    ticket = opened()
    for request in requests:
        before = state(ticket)
        if not request(ticket):
            assert state(ticket) == before
            assert list(ticket.collect_events()) == []
        ticket.collect_events()


@given(histories)
def test_only_a_person_changes_fields_that_a_person_wrote(requests: list[TicketRequest]):
    ticket = opened()
    for request in requests:
        before = {name: getattr(ticket.draft, name) for name in ticket.written}
        request(ticket)
        if request.name not in ("edit_draft", "provide_info"):
            assert {name: getattr(ticket.draft, name) for name in before} == before


@given(histories)
def test_a_ready_ticket_lacks_no_field_and_a_processing_one_awaits_a_step(requests: list[TicketRequest]):
    ticket = opened()
    for request in requests:
        request(ticket)
        life = ticket.lifecycle
        if life.base is ContentStatus.READY:
            assert missing_fields(ticket.kind, ticket.draft) == ()
        assert (life.base is ContentStatus.PROCESSING) == (life.step is not None)
        assert not (life.published and ticket.erased)

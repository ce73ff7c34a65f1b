"""Laws that hold for every sequence of requests."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from domain.lifecycle import missing_fields
from domain.tickets import RecordingTicket
from domain.values import ContentStatus
from tests.domain.facts import given as opened
from tests.fakes.requests import Asked, histories


def state(ticket: RecordingTicket) -> dict[str, Any]:
    return {name: value for name, value in vars(ticket).items() if not name.startswith("_")}


@given(histories)
def test_a_replayed_ticket_is_the_one_that_lived(asked: list[Asked]):
    lived = opened()
    replayed: Any = opened()
    for request in asked:
        request(lived)
        for event in lived.collect_events():
            replayed = event.mutate(replayed)
        assert state(replayed) == state(lived)
        assert replayed.version == lived.version


@given(histories)
def test_whatever_is_asked_twice_happens_once(asked: list[Asked]):
    ticket = opened()
    for request in asked:
        request(ticket)
        ticket.collect_events()
        request(ticket)
        assert list(ticket.collect_events()) == []


@given(histories)
def test_a_refusal_changes_nothing(asked: list[Asked]):
    ticket = opened()
    for request in asked:
        before = state(ticket)
        if not request(ticket):
            assert state(ticket) == before
            assert list(ticket.collect_events()) == []
        ticket.collect_events()


@given(histories)
def test_only_a_person_changes_fields_that_a_person_wrote(asked: list[Asked]):
    ticket = opened()
    for request in asked:
        before = {name: getattr(ticket.draft, name) for name in ticket.written}
        request(ticket)
        if request.name not in ("edit_draft", "provide_info"):
            assert {name: getattr(ticket.draft, name) for name in before} == before


@given(histories)
def test_a_ready_ticket_lacks_nothing_and_one_being_processed_is_awaited(asked: list[Asked]):
    ticket = opened()
    for request in asked:
        request(ticket)
        life = ticket.lifecycle
        if life.base is ContentStatus.READY:
            assert missing_fields(ticket.kind, ticket.draft) == ()
        assert (life.base is ContentStatus.PROCESSING) == (life.step is not None)
        assert not (life.published and ticket.erased)

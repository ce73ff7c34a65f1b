"""Calls of holders that read nothing but their ticket are answered from one query."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from adapters.read_models.read_your_writes import TicketRows
from domain.values import Role
from tests.client import LiveService


@pytest.fixture
def read_together(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the tickets that were read together with those of other calls."""
    tickets: list[str] = []
    read: Callable[[Iterable[TicketRows]], None] = TicketRows.read_expected

    def recorded(requests: Iterable[TicketRows]) -> None:
        alike = list(requests)
        tickets.extend(str(request.expected) for request in alike)
        read(alike)

    monkeypatch.setattr(TicketRows, "read_expected", staticmethod(recorded))
    return tickets


def test_only_calls_that_read_nothing_but_the_ticket_of_their_token_take_part(
    live: LiveService, read_together: list[str]
):
    ticket = live.client().open_ticket()
    for path in ("/donations/total?explain=true", "/donations", ""):
        assert ticket.get(path).status_code == 200
    with live.client_with_key(Role.ADMIN) as admin:
        assert admin.get(f"{ticket.path}/status").status_code == 200
    assert read_together == []
    assert ticket.get("/status").json()["ticketId"] == ticket.id
    assert ticket.get("/donations/total").status_code == 200
    assert read_together == [ticket.id] * 2


def test_another_holder_of_a_valid_token_sees_no_more_than_before(live: LiveService, read_together: list[str]):
    ticket, other = live.client().open_ticket(), live.client().open_ticket()
    assert other.http.get(f"{ticket.path}/status").status_code == 404
    assert live.client("tkt_" + "A" * 64).get(f"{ticket.path}/status").status_code == 401
    assert read_together[0] == other.id

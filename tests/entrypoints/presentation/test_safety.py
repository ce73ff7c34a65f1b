"""What a process remembers of the drafts that it has reviewed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from domain.safety import SafetyReview
from entrypoints.presentation import safety
from entrypoints.presentation.safety import DraftSafety
from projections.model import Row

# More than a thread needs to show a ticket, unless it has to wait for another one.
TURN_SECONDS = 0.2


def row(ticket: UUID) -> Row:
    """Return the row of a public ticket, as far as it is looked at."""
    return {
        "ticket_id": ticket,
        "version": 1,
        "draft": {},
        "display_name": None,
        "decisions": [],
        "consents": [{"given": ["name", "place", "photo"]}],
        "voice": None,
        "picture": None,
    }


def test_a_draft_may_be_forgotten_while_another_thread_remembers_it(monkeypatch: pytest.MonkeyPatch):
    # Python runs `__eq__` of a key while a C function changes the dictionary, and may run another thread meanwhile.
    class Ticket(UUID):
        compared: list[UUID] = []  # noqa: RUF012

        def __eq__(self, other: object) -> bool:
            Ticket.compared.append(self)
            if len(Ticket.compared) == 2:
                in_another_thread(lambda: show(UUID(int=2)))
            return super().__eq__(other)

        __hash__ = UUID.__hash__

    def review(*_: object) -> SafetyReview:
        if pending:
            show(pending.pop())
        return SafetyReview()

    def show(ticket: UUID) -> None:
        shown.public_row(row(ticket))

    monkeypatch.setattr(safety, "REMEMBERED_REVIEWS", 1)
    shown = DraftSafety(cast(Any, SimpleNamespace(review=review)), cast(Any, None))
    # While one thread reviews the ticket, another one has reviewed and remembered it.
    pending = [UUID(int=1)]
    show(Ticket(int=1))
    for number in range(3, 6):
        show(UUID(int=number))


def in_another_thread(act: Callable[[], None]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(TURN_SECONDS)

"""Inspections at the same time are bounded: in all, for each client and for each ticket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import UUID, uuid4

import pytest

from adapters.speech.inspection_slots import ADMITTED, PER_CLIENT, RUNNING, InspectionSlots
from domain.errors import BusyError
from tests.client import WAIT_SECONDS, eventually


class Inspections:
    """Inspections in threads; each runs until it is ended."""

    def __init__(self, slots: InspectionSlots) -> None:
        self._slots = slots
        self.running: list[str] = []
        self.refused: list[str] = []
        self._ends: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def begin(self, client: str, ticket_id: UUID | None = None, name: str | None = None) -> None:
        """Begin an inspection and return when it runs, waits or is refused."""
        name = name or client
        self._ends[name] = threading.Event()
        before = self._admitted()
        thread = threading.Thread(target=self._run, args=(name, client, ticket_id or uuid4()))
        thread.start()
        self._threads.append(thread)
        eventually(lambda: name in self.refused or self._admitted() > before)
        eventually(lambda: not self._may_begin())

    def end(self, name: str) -> None:
        self._ends[name].set()
        eventually(lambda: name not in self.running)
        eventually(lambda: not self._may_begin())

    def end_all(self) -> None:
        for end in self._ends.values():
            end.set()
        for thread in self._threads:
            thread.join(WAIT_SECONDS)

    def _admitted(self) -> int:
        return len(self._slots._waiting) + len(self._slots._running)

    def _may_begin(self) -> bool:
        with self._slots._changed:
            return self._slots._next() is not None or len(self._slots._running) != len(self.running)

    def _run(self, name: str, client: str, ticket_id: UUID) -> None:
        try:
            with self._slots.taken(ticket_id, client):
                self.running.append(name)
                assert self._ends[name].wait(WAIT_SECONDS)
                self.running.remove(name)
        except BusyError:
            self.refused.append(name)


@pytest.fixture
def make_inspections() -> Iterator[Callable[..., Inspections]]:
    with ExitStack() as stack:

        def make(wait_seconds: float = WAIT_SECONDS) -> Inspections:
            inspections = Inspections(InspectionSlots(wait_seconds))
            stack.callback(inspections.end_all)
            return inspections

        yield make


def test_two_run_at_once_and_the_others_in_the_order_in_which_they_came(make_inspections: Callable[..., Inspections]):
    inspections = make_inspections()
    for client in "abcd":
        inspections.begin(client)
    assert inspections.running == ["a", "b"]
    inspections.end("b")
    assert inspections.running == ["a", "c"]
    inspections.end("a")
    assert inspections.running == ["c", "d"]


def test_one_client_never_holds_every_slot(make_inspections: Callable[..., Inspections]):
    inspections = make_inspections()
    for number in range(PER_CLIENT):
        inspections.begin("hostile", name=f"hostile {number}")
    assert inspections.running == ["hostile 0"]
    inspections.begin("honest")
    assert inspections.running == ["hostile 0", "honest"]
    inspections.begin("hostile", name="one too many")
    assert inspections.refused == ["one too many"]


def test_a_ticket_has_one_inspection_also_from_two_clients(make_inspections: Callable[..., Inspections]):
    inspections, ticket_id = make_inspections(), uuid4()
    inspections.begin("a", ticket_id)
    inspections.begin("b", ticket_id)
    assert (inspections.running, inspections.refused) == (["a"], ["b"])
    inspections.end("a")
    inspections.begin("b", ticket_id, name="again")
    assert inspections.running == ["again"]


def test_the_line_is_bounded(make_inspections: Callable[..., Inspections]):
    inspections = make_inspections()
    for number in range(ADMITTED + 1):
        inspections.begin(f"client {number}")
    assert len(inspections.running) == RUNNING
    assert inspections.refused == [f"client {ADMITTED}"]


def test_waiting_ends_after_a_time_and_leaves_no_trace(make_inspections: Callable[..., Inspections]):
    inspections = make_inspections(wait_seconds=0.001)
    inspections.begin("a")
    inspections.begin("b")
    inspections.begin("c")
    eventually(lambda: inspections.refused == ["c"])
    inspections.end("a")
    inspections.begin("c", name="again")
    assert inspections.running == ["b", "again"]


def test_an_inspection_that_fails_frees_its_slot():
    slots, ticket_id = InspectionSlots(wait_seconds=0), uuid4()
    for _ in range(2 * RUNNING):
        with pytest.raises(ZeroDivisionError), slots.taken(ticket_id, "a"):
            raise ZeroDivisionError

"""Limits on inspections at the same time, so that decoding strangers' recordings never takes the whole machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from domain.errors import BusyError

RUNNING = 2
# One client has one inspection running and the others waiting, so it never holds both slots.
PER_CLIENT = 4
ADMITTED = 10
# Longer than the inspection of an hour of sound takes, and shorter than a proxy waits for an answer.
WAIT_SECONDS = 20.0

BUSY = "Too many files are being checked at the moment. Nothing of this one was kept: please send it again."
TICKET_BUSY = "Another file for this ticket is being checked. Nothing of this one was kept: please send it again."


@dataclass(frozen=True, eq=False)
class _Inspection:
    ticket_id: UUID
    client: str


class InspectionSlots:
    """Lets two inspections of this process run at once: one of a client, and one of a ticket.

    Some more wait for a bounded time, in the order in which they came. A thread that waits holds nothing that other
    requests need.
    """

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition()
        self._waiting: list[_Inspection] = []
        self._running: list[_Inspection] = []

    @contextmanager
    def taken(self, ticket_id: UUID, client: str) -> Iterator[None]:
        """Hold a slot during the block. Raise BusyError if there is none within the bounds."""
        inspection = _Inspection(ticket_id, client)
        with self._changed:
            self._admit(inspection)
            try:
                has_slot = self._changed.wait_for(lambda: inspection is self._next(), self._wait_seconds)
            finally:
                self._waiting.remove(inspection)
            if not has_slot:
                raise BusyError(BUSY)
            self._running.append(inspection)
            # A second slot may be free for the next one.
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(inspection)
                self._changed.notify_all()

    def _admit(self, inspection: _Inspection) -> None:
        admitted = self._waiting + self._running
        if any(other.ticket_id == inspection.ticket_id for other in admitted):
            raise BusyError(TICKET_BUSY)
        if len(admitted) >= ADMITTED or sum(other.client == inspection.client for other in admitted) >= PER_CLIENT:
            raise BusyError(BUSY)
        self._waiting.append(inspection)

    def _next(self) -> _Inspection | None:
        """Return the inspection that has waited longest among those whose client has none running."""
        if len(self._running) >= RUNNING:
            return None
        running_clients = {inspection.client for inspection in self._running}
        return next((waiting for waiting in self._waiting if waiting.client not in running_clients), None)

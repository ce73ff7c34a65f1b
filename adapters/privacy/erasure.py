"""Forgetting a person: the key in the transaction of the fact, everything else right after it and once more later.

What is sealed with the ticket's key is unreadable from the commit on. What is removed besides (files, mails, what the
sandbox knows) is removed at once, and again by a job on the queue, so that neither a crash nor whoever was in the
middle of writing leaves anything behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.ticket_keys import TicketKeys
from adapters.jobs.queue import enqueue_repeated_erasure
from adapters.payments.inbox import Inbox
from domain.events import TicketEvent


class ErasureParticipant(Protocol):
    """Something that keeps what people wrote, or can be told to."""

    def forget(self, ticket_id: UUID) -> None:
        """Remove what is kept of the ticket's people; no error if there is nothing."""


class Forgetting:
    """The port `Forgetting` over all that keeps something of a person."""

    def __init__(self, inbox: Inbox, memories: Sequence[ErasureParticipant]) -> None:
        self._inbox = inbox
        self._memories = memories

    def set_apart(self, ticket_id: UUID) -> None:
        self._inbox.set_apart(ticket_id)

    def forget(self, ticket_id: UUID) -> None:
        for memory in self._memories:
            memory.forget(ticket_id)


def destroy(cursor: Cursor[TupleRow], _: Any, event: TicketEvent) -> None:
    """What goes with the fact that a ticket is erased, whoever recorded it."""
    TicketKeys.destroy_in(cursor, event.ticket)
    enqueue_repeated_erasure(cursor, event.ticket)


class ErasureStep:
    """A `Forgets` made of what forgets."""

    def __init__(self, forget: Callable[[UUID], None]) -> None:
        self.forget = forget

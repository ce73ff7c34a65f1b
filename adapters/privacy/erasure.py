"""Erasure of a person: the key is destroyed with the event, everything else right after it and once more later.

All that is sealed with the ticket's key is unreadable from the commit on. Files, mails and sandbox data are removed
right after it, and once more by a job, in case of a crash or of a process that was writing at that moment.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.ticket_keys import TicketKeys
from adapters.event_store import contact_hashes
from adapters.jobs.queue import enqueue_repeated_erasure
from adapters.payments.inbox import Inbox
from adapters.postgres.database import Database
from adapters.search import ticket_search
from domain.events import TicketEvent


class Erasure:
    """The port `Erasure`: calls each step with the ticket's id; a step may be repeated, and may find nothing."""

    def __init__(self, database: Database, inbox: Inbox, steps: Sequence[Callable[[UUID], None]]) -> None:
        self._database = database
        self._inbox = inbox
        self._steps = steps

    def prepare(self, ticket_id: UUID) -> None:
        self._inbox.redact_unapplied(ticket_id)

    def complete(self, ticket_id: UUID) -> None:
        for erase in self._steps:
            erase(ticket_id)

    def forget(self, ticket_id: UUID) -> None:
        with self._database.reading() as cursor:
            contact_hashes.delete(cursor, ticket_id)
            # Their ticket may have been indexed at the moment of the erasure.
            ticket_search.delete(cursor, ticket_id)


def destroy(inbox: Inbox, cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Destroy the ticket's key and enqueue the repeated erasure, in the transaction that records the event.

    Events that were held or became dead since `prepare` are redacted first, so that their money can be recorded.
    """
    inbox.redact_sealed_with_key(cursor, event.ticket)
    TicketKeys.destroy_in(cursor, event.ticket)
    enqueue_repeated_erasure(cursor, event.ticket)

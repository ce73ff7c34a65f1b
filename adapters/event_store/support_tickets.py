"""The support tickets in the event log, which are found by the ticket that they concern or by their contact."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar
from uuid import UUID

from adapters.event_store.history import Streams
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.events import SupportTicketOpened
from domain.ports import Message
from domain.support import SupportTicket
from projections import support

T = TypeVar("T")

BATCH_EVENTS = 1_000


class StoredSupportTickets:
    """The port `SupportTickets` over the event log and its read model."""

    def __init__(self, streams: Streams, database: Database, log: EventLog) -> None:
        self._streams = streams
        self._database = database
        self._log = log

    def add(self, support: SupportTicket) -> None:
        self._streams.add(support)

    def get(self, support_id: UUID) -> SupportTicket:
        return _as_support_ticket(self._streams.load(support_id))

    def change(
        self,
        support_id: UUID,
        decide: Callable[[SupportTicket], T],
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        return self._streams.change(support_id, lambda loaded: decide(_as_support_ticket(loaded)), mails=mails)

    def concerning(self, ticket_id: UUID, contact_indexes: Iterable[str]) -> list[UUID]:
        """Return the ids from the read model, and from the events that it has not folded yet."""
        with self._database.reading() as cursor:
            # After an erasure, only these rows still tell the ticket's contacts.
            cursor.execute("SELECT hash FROM contact_hashes WHERE owner_id = %s", (ticket_id,))
            hashes = [*contact_indexes, *(hash for (hash,) in cursor.fetchall())]
            cursor.execute("SELECT owner_id FROM contact_hashes WHERE hash = ANY(%s)", (hashes,))
            owner_ids = {owner_id for (owner_id,) in cursor.fetchall()}
            cursor.execute("SELECT position FROM projections WHERE name = %s AND live", (support.NAME,))
            row = cursor.fetchone()
            folded_ids = [row["support_id"] for row in support.concerning(cursor, ticket_id, hashes)]
        newer_ids = [
            event.originator_id
            for event in self._opened_after(row[0] if row else 0)
            if event.about == ticket_id or (event.ticket_id == event.originator_id in owner_ids)
        ]
        return list(dict.fromkeys([*folded_ids, *newer_ids]))

    def _opened_after(self, position: int) -> Iterator[SupportTicketOpened]:
        while batch := self._log.batch(position, BATCH_EVENTS):
            for entry in batch:
                if entry.topic == SupportTicketOpened.TOPIC and isinstance(event := entry.event(), SupportTicketOpened):
                    yield event
            position = batch[-1].position


def _as_support_ticket(loaded: object) -> SupportTicket:
    """Return the aggregate, or raise NotFoundError: the id may belong to an aggregate of another kind."""
    if not isinstance(loaded, SupportTicket):
        raise NotFoundError("There is no such support ticket.")
    return loaded

"""The adapters that a self-test works with, all in one transaction that is never committed."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow

import projections
from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.event_store import contact_hashes
from adapters.event_store.history import SealingMapper, StoredDonations, StoredTickets, Streams, TicketHistory
from adapters.event_store.log import EventLog
from adapters.event_store.support_tickets import StoredSupportTickets
from adapters.ids import uuid7
from adapters.payments.inbox import Inbox
from adapters.postgres.database import Database
from adapters.read_models import builds
from domain.tickets import NewTicket, RecordingTicket
from domain.values import SYSTEM, Contact, ContactType
from projections.model import RecordedEvent


class SelfTestFailed(Exception):
    """An expectation of the self-test was not met."""


def expect(met: bool, expectation: str) -> None:
    """Raise SelfTestFailed with the expectation unless it was met."""
    if not met:
        raise SelfTestFailed(expectation)


class _SharedConnection(Database):
    """A database over one connection: each transaction is a savepoint of the outer one."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        yield self._connection


class SelfTestContext:
    """The history, encryption, read models and webhook inbox over one connection."""

    def __init__(self, connection: Connection[TupleRow], master: tuple[str, ...]) -> None:
        self.database = _SharedConnection(connection)
        self.log = EventLog(self.database)
        keys = TicketKeys(self.database, Keyring(master, TICKET_KEYRING))
        self.cipher = FieldCipher(keys)
        self.mapper = SealingMapper(self.cipher)
        history = TicketHistory(self.log, self.cipher)
        # No jobs are enqueued: their ids come from a sequence, which a rollback does not reset.
        streams = Streams(
            history, enqueue=lambda *_: None, on_recorded=lambda _: None, event_effects=contact_hashes.EFFECTS
        )
        self.tickets, self.donations = StoredTickets(streams), StoredDonations(streams)
        self.support = StoredSupportTickets(streams, self.database, self.log)
        self.inbox = Inbox(self.database, Keyring(master, "stripe inbox"), keys)

    def open_ticket(self) -> RecordingTicket:
        """Record a new ticket of an invented person."""
        new_ticket = NewTicket(
            uuid7(),
            workspace="self-test",
            slug=f"self-test-{uuid7().hex}",
            contact=Contact(ContactType.EMAIL, "self-test@example.com"),
            contact_index=f"self-test {uuid7().hex}",
            display_name="Self Test",
            token_digest=uuid7().hex,
        )
        ticket = RecordingTicket.open(SYSTEM, new_ticket)
        self.tickets.add(ticket)
        return self.tickets.get(ticket.id)

    def project(self, ticket: UUID) -> None:
        """Fold the ticket's whole history into the live read models, as a follower does; call once for each ticket."""
        events = [
            RecordedEvent(entry.position, entry.recorded_at, entry.event()) for entry in self.log.ticket_events(ticket)
        ]
        with self.database.reading() as cursor:
            for projection in projections.ALL:
                live = builds.live_build(cursor, projection)
                expect(live is not None, f"a live read model {projection.NAME}")
                assert live is not None
                builds.fold(cursor, [live], events)

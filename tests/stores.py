"""The real stores of tickets and donations on a test's database, wired as the service wires them."""

from __future__ import annotations

from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.event_store import contact_hashes, receipt_numbers
from adapters.event_store.desks import StoredDesks
from adapters.event_store.history import StoredDonations, StoredTickets, Streams, TicketHistory
from adapters.event_store.log import EventLog
from adapters.jobs.queue import enqueue
from adapters.postgres.database import Database

MASTER = ("m" * 40,)


class Stores:
    """`recorded` has the positions passed to the callback for new events."""

    def __init__(self, database: Database) -> None:
        self.log = EventLog(database)
        self.keys = TicketKeys(database, Keyring(MASTER, TICKET_KEYRING))
        self.recorded: list[int] = []
        self.history = TicketHistory(self.log, FieldCipher(self.keys))
        streams = Streams(
            self.history, enqueue, self.recorded.append, {**contact_hashes.EFFECTS, **receipt_numbers.EFFECTS}
        )
        self.tickets, self.donations = StoredTickets(streams), StoredDonations(streams)
        self.desks = StoredDesks(streams)

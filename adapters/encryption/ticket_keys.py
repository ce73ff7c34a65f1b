"""The key of each ticket, wrapped by the master key. Destroying it makes the ticket's person unreadable."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyring import Keyring
from adapters.postgres.database import Database
from domain.errors import NotFoundError

# The purpose of the master key's keyring that wraps ticket keys.
TICKET_KEYRING = "ticket keys"
# For this long another process may still read a person who was erased in this one.
CACHE_SECONDS = 2.0
CACHED_KEYS = 10_000


class KeyDestroyed(NotFoundError):
    """There was a key for this ticket, until its person was erased."""


class TicketKeys:
    """The tickets' keys, kept wrapped in the database and for some seconds plain in memory."""

    def __init__(self, database: Database, master: tuple[str, ...]) -> None:
        self._database = database
        self._ring = Keyring(master, TICKET_KEYRING)
        self._cache: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, ticket: UUID, *, create: bool = False) -> bytes:
        """The ticket's 32-byte key; KeyDestroyed if its person was erased, NotFoundError if it never was."""
        with self._lock:
            if (known := self._cache.get(ticket)) and known[0] > time.monotonic():
                return known[1]
        key = self._load(ticket) or (self._create(ticket) if create else None)
        if key is None:
            raise NotFoundError("There is no key for this ticket.")
        with self._lock:
            self._cache[ticket] = (time.monotonic() + CACHE_SECONDS, key)
            self._cache.move_to_end(ticket)
            while len(self._cache) > CACHED_KEYS:
                self._cache.popitem(last=False)
        return key

    def _load(self, ticket: UUID) -> bytes | None:
        with self._database.connection() as connection:
            row = connection.execute("SELECT wrapped FROM ticket_keys WHERE ticket_id = %s", (ticket,)).fetchone()
        if row is not None and not row[0]:
            raise KeyDestroyed("There is no key for this ticket.")
        return self._ring.open(bytes(row[0]), ticket.bytes) if row else None

    def _create(self, ticket: UUID) -> bytes | None:
        wrapped = self._ring.seal(os.urandom(32), ticket.bytes)
        with self._database.connection() as connection:
            connection.execute(
                "INSERT INTO ticket_keys (ticket_id, wrapped, wrapped_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (ticket, wrapped, self._ring.current),
            )
        return self._load(ticket)

    def destroy(self, ticket: UUID) -> None:
        """Make all that was sealed for the ticket unreadable: here at once, in other processes within CACHE_SECONDS.

        Its row stays, emptied, so that no request taken up again after a crash gives an erased ticket a new key.
        """
        with self._database.reading() as cursor:
            self.destroy_in(cursor, ticket)
        with self._lock:
            self._cache.pop(ticket, None)

    @staticmethod
    def destroy_in(cursor: Cursor[TupleRow], ticket: UUID) -> None:
        """The same with the cursor's transaction; until `destroy` was called, this process may still know the key."""
        cursor.execute("UPDATE ticket_keys SET wrapped = '' WHERE ticket_id = %s AND wrapped <> ''", (ticket,))

    def key_exists(self, ticket: UUID) -> bool:
        """Whether the key is there at this very moment, whatever this process remembers."""
        with self._database.connection() as connection:
            row = connection.execute("SELECT wrapped <> '' FROM ticket_keys WHERE ticket_id = %s", (ticket,)).fetchone()
        return row == (True,)

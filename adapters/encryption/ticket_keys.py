"""The key of each ticket, wrapped by the master key in the current epoch.

Destroying it makes the ticket's person unreadable.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.epochs import EpochKeyMissingError
from adapters.encryption.keyring import Keyring
from adapters.postgres.database import Database
from domain.errors import NotFoundError

# The purpose of the master key's keyring that wraps ticket keys.
TICKET_KEYRING = "ticket keys"
# For this long another process may still read a person who was erased in this one.
CACHE_SECONDS = 2.0
CACHED_KEYS = 10_000
# How often a row is read before an epoch key counts as missing: an epoch may end between reading a row and its key.
LOADS = 3


class KeyDestroyed(NotFoundError):
    """The ticket's key was destroyed because its person was erased."""


class TicketKeys:
    """The tickets' keys: stored wrapped in the database, and cached in memory for some seconds."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._cache: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, ticket: UUID, *, create: bool = False) -> bytes:
        """Return the ticket's 32-byte key; KeyDestroyed if its person was erased, NotFoundError if there is none."""
        with self._lock:
            if (cached := self._cache.get(ticket)) and cached[0] > time.monotonic():
                return cached[1]
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
        for _ in range(LOADS - 1):
            with suppress(EpochKeyMissingError):
                return self._load_once(ticket)
        return self._load_once(ticket)

    def _load_once(self, ticket: UUID) -> bytes | None:
        row = self._database.row("SELECT wrapped FROM ticket_keys WHERE ticket_id = %s", (ticket,))
        if row is not None and not row[0]:
            raise KeyDestroyed("There is no key for this ticket.")
        return self._keyring.open(bytes(row[0]), ticket.bytes) if row else None

    def _create(self, ticket: UUID) -> bytes | None:
        wrapped = self._keyring.seal(os.urandom(32), ticket.bytes)
        self._database.execute(
            "INSERT INTO ticket_keys (ticket_id, wrapped, wrapped_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (ticket, wrapped, self._keyring.current),
        )
        return self._load(ticket)

    def destroy(self, ticket: UUID) -> None:
        """Destroy the ticket's key: in this process at once, in others within CACHE_SECONDS.

        The row stays without a key, so that a request resumed after a crash cannot give an erased ticket a new key.
        """
        with self._database.reading() as cursor:
            self.destroy_in(cursor, ticket)
        with self._lock:
            self._cache.pop(ticket, None)

    @staticmethod
    def destroy_in(cursor: Cursor[TupleRow], ticket: UUID) -> None:
        """Destroy the key in the cursor's transaction; this process may cache it until `destroy` is called."""
        cursor.execute("UPDATE ticket_keys SET wrapped = '' WHERE ticket_id = %s AND wrapped <> ''", (ticket,))

    @staticmethod
    def destroyed_in(cursor: Cursor[TupleRow], tickets: Collection[UUID]) -> set[UUID]:
        """Return those of the tickets whose key is destroyed, as the cursor's transaction sees it; no cache is used."""
        if not tickets:
            return set()
        cursor.execute("SELECT ticket_id FROM ticket_keys WHERE ticket_id = ANY(%s) AND wrapped = ''", (list(tickets),))
        return {ticket for (ticket,) in cursor.fetchall()}

    def key_exists(self, ticket: UUID) -> bool:
        """Return True if the database holds the key now; the cache is not used."""
        row = self._database.row("SELECT wrapped <> '' FROM ticket_keys WHERE ticket_id = %s", (ticket,))
        return row == (True,)

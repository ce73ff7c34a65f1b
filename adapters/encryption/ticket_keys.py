"""The keys of tickets and of donations, wrapped by the master key in the current epoch.

Destroying a ticket's key makes its person unreadable, and destroying a donation's key makes its donor unreadable. A
donation's keys are stored under its stream (`donation_stream`) and under `books_of` it.
"""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID, uuid5

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


def books_of(stream: UUID) -> UUID:
    """Return where the second key of a donation is: that of facts which the law asks to keep of a forgotten donor."""
    return uuid5(stream, "books")


class WrappedKey(NamedTuple):
    """A new key as it is stored, and the name of the master key that wrapped it."""

    wrapped: bytes
    wrapped_by: str


def both(ticket_key: bytes, donation_key: bytes) -> bytes:
    """Return the key of texts that are unreadable once either of these keys is destroyed."""
    return hashlib.sha256(b"both keys" + ticket_key + donation_key).digest()


class KeyDestroyed(NotFoundError):
    """The key was destroyed because its person was erased, or its donor forgotten."""


class TicketKeys:
    """The keys of tickets and donations: stored wrapped in the database, and cached in memory for some seconds."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._cache: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        # When a key was last destroyed. Keys that were read before are not cached: one of them may be that key.
        self._destroyed_at = float("-inf")
        self._lock = threading.Lock()

    def get(self, ticket: UUID, *, create: bool = False) -> bytes:
        """Return the owner's 32-byte key; KeyDestroyed if its person was erased, NotFoundError if there is none."""
        now = time.monotonic()
        with self._lock:
            if (cached := self._cache.get(ticket)) and cached[0] > now:
                return cached[1]
        key = self._load(ticket) or (self._create(ticket) if create else None)
        if key is None:
            raise NotFoundError("There is no key for this ticket.")
        self._remember(ticket, key, now)
        return key

    def get_both(self, ticket: UUID, stream: UUID, *, create: bool = False) -> bytes:
        """Return the key of texts that are unreadable once the ticket's person or the donor is erased."""
        return both(self.get(ticket), self.get(stream, create=create))

    def get_all(self, owners: Collection[UUID]) -> dict[UUID, bytes | None]:
        """Return the keys of those owners that ever had one, None for a destroyed one; one query reads them all."""
        now = time.monotonic()
        with self._lock:
            keys: dict[UUID, bytes | None] = {
                id: cached[1] for id in owners if (cached := self._cache.get(id)) and cached[0] > now
            }
        if not (missing := [id for id in owners if id not in keys]):
            return keys
        rows = self._database.rows("SELECT ticket_id, wrapped FROM ticket_keys WHERE ticket_id = ANY(%b)", (missing,))
        for owner, wrapped in rows:
            key = None
            with suppress(KeyDestroyed):
                key = self._opened(owner, bytes(wrapped), now)
            keys[owner] = key
        return keys

    def _opened(self, owner: UUID, wrapped: bytes, read_at: float) -> bytes:
        if not wrapped:
            raise KeyDestroyed("There is no key for this ticket.")
        try:
            key = self._keyring.open(wrapped, owner.bytes)
        except EpochKeyMissingError:
            # The epoch may have ended since the row was read.
            return self.get(owner)
        self._remember(owner, key, read_at)
        return key

    def preload(self, owners: Collection[UUID]) -> None:
        """Read the keys of many owners in one query, so that `get` finds them in memory for some seconds."""
        self.get_all(owners)

    def _remember(self, owner: UUID, key: bytes, read_at: float) -> None:
        """Cache a key that was read after this time."""
        with self._lock:
            if read_at <= self._destroyed_at:
                return
            self._cache[owner] = (read_at + CACHE_SECONDS, key)
            self._cache.move_to_end(owner)
            while len(self._cache) > CACHED_KEYS:
                self._cache.popitem(last=False)

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

    def create(self, owner: UUID) -> None:
        """Give a new owner a key, in one round trip; an owner that had one keeps it, even if it was destroyed."""
        now = time.monotonic()
        if (key := self._insert(owner)) is not None:
            self._remember(owner, key, now)

    def _create(self, owner: UUID) -> bytes | None:
        return self._insert(owner) or self._load(owner)

    def _insert(self, owner: UUID) -> bytes | None:
        """Store a new key and return it, or None if the owner had one."""
        key = os.urandom(32)
        inserted = self._database.execute(
            "INSERT INTO ticket_keys (ticket_id, wrapped, wrapped_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (owner, *self._wrap(key, owner)),
        )
        return key if inserted else None

    def new(self, owner: UUID) -> WrappedKey:
        """Return a new key for an owner, which the caller stores unless the owner has one."""
        return self._wrap(os.urandom(32), owner)

    def _wrap(self, key: bytes, owner: UUID) -> WrappedKey:
        return WrappedKey(self._keyring.seal(key, owner.bytes), self._keyring.current)

    def destroy(self, ticket: UUID) -> None:
        """Destroy the ticket's key: in this process at once, in others within CACHE_SECONDS.

        The row stays without a key, so that a request resumed after a crash cannot give an erased ticket a new key.
        """
        with self._database.reading() as cursor:
            self.destroy_in(cursor, ticket)
        with self._lock:
            self._cache.pop(ticket, None)
            self._destroyed_at = time.monotonic()

    @staticmethod
    def destroy_in(cursor: Cursor[TupleRow], ticket: UUID) -> None:
        """Destroy the key in the cursor's transaction; this process may cache it until `destroy` is called."""
        cursor.execute("UPDATE ticket_keys SET wrapped = '' WHERE ticket_id = %s AND wrapped <> ''", (ticket,))

    @staticmethod
    def destroyed_in(cursor: Cursor[TupleRow], tickets: Collection[UUID]) -> set[UUID]:
        """Return the owners whose key is destroyed, as the cursor's transaction sees it; no cache is used."""
        if not tickets:
            return set()
        cursor.execute("SELECT ticket_id FROM ticket_keys WHERE ticket_id = ANY(%s) AND wrapped = ''", (list(tickets),))
        return {ticket for (ticket,) in cursor.fetchall()}

    def key_exists(self, ticket: UUID) -> bool:
        """Return True if the database holds the key now; the cache is not used."""
        row = self._database.row("SELECT wrapped <> '' FROM ticket_keys WHERE ticket_id = %s", (ticket,))
        return row == (True,)

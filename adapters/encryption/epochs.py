"""Epoch keys: whatever the master key seals is sealed once more with a key that is replaced and destroyed every day.

The keys are kept outside PostgreSQL, and the database holds only their names. So a sealed value in an old version of a
row, in the write-ahead log, in a replica or in a snapshot cannot be opened any more once its epoch's key is destroyed.

    sealed in an epoch = name of the epoch (8 bytes) || nonce || AES-256-GCM(epoch key, what the master key sealed)
"""

import os
import threading
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Cursor
from psycopg.errors import ForeignKeyViolation
from psycopg.rows import TupleRow

from adapters.encryption.epoch_store import KEY_BYTES, EpochStore
from adapters.encryption.keyring import Keyring, open_with, seal_with
from adapters.postgres.database import Database
from domain.errors import UnavailableError

NAME_BYTES = 8
# The longest time that another process still seals with the previous epoch's key after a new epoch has begun.
REFRESH_SECONDS = 0.5
# The longest time that a process which only opens values keeps the key of an ended epoch in memory.
FORGET_SECONDS = 60.0
EPOCH_NAMES = "SELECT name FROM epochs ORDER BY number"
# A key that may be destroyed once its epoch is over. A restored database keeps those of its predecessor for a time.
DESTROYABLE = "destroyed_at IS NULL AND (kept_until IS NULL OR kept_until <= now())"
EPOCH_LOCK = 7305808869229551
_OLDEST_KEY = f"SELECT extract(epoch FROM now() - min(created_at))::float FROM epoch_keys WHERE {DESTROYABLE}"  # noqa: S608


class EpochKeyMissingError(UnavailableError):
    """The database needs an epoch key that is not in the place of the epoch keys."""

    def __init__(self, name: bytes) -> None:
        super().__init__(
            f"EPOCH_KEY_URL: the epoch key {name.hex()} is not there. Every process needs the same place; after the"
            " database returned to an older state, run `storyledger keys recover`"
        )


class Epochs:
    """The epochs of a database, and the keys of those that are not over."""

    def __init__(self, database: Database, store: EpochStore) -> None:
        self._database = database
        self.store = store
        self._ciphers: dict[bytes, AESGCM] = {}
        self._newest: bytes | None = None
        self._fresh_until = 0.0
        self._lock = threading.Lock()

    # Sealing.

    def seal(self, plain: bytes) -> bytes:
        """Seal with the key of the current epoch; the first call ever begins the first epoch."""
        return self.seal_in(self.current(), plain)

    def seal_in(self, name: bytes, plain: bytes) -> bytes:
        """Seal with the key of this epoch."""
        return seal(name, self._cipher(name), plain)

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed, or the bytes themselves if no epoch's key sealed them.

        Raise EpochKeyMissingError if the key is not there, and DecryptionError if the bytes were changed.
        """
        name = sealed[:NAME_BYTES]
        if time.monotonic() >= self._fresh_until + FORGET_SECONDS:
            self.refresh()
        if name not in self._ciphers and not self._is_epoch(name):
            return sealed
        return open_sealed(self._cipher(name), sealed)

    def current(self) -> bytes:
        """Return the name of the current epoch."""
        if self._newest is None or time.monotonic() >= self._fresh_until:
            self.refresh()
        return self._newest or self._begin_first()

    def refresh(self) -> None:
        """Read the names again, and forget the keys of epochs that are over."""
        fresh_until = time.monotonic() + REFRESH_SECONDS
        names = self.names()
        with self._lock:
            self._ciphers = {name: cipher for name, cipher in self._ciphers.items() if name in names}
            self._newest, self._fresh_until = (names[-1] if names else None), fresh_until

    def names(self) -> list[bytes]:
        """Return the names of the epochs that rows may be sealed in, the current one last."""
        return [bytes(name) for (name,) in self._database.rows(EPOCH_NAMES)]

    def check(self) -> None:
        """Raise EpochKeyMissingError unless every key that a ticket's key needs is there."""
        for name in self.names():
            if self._database.row("SELECT FROM ticket_keys WHERE epoch = %s LIMIT 1", (name,)) is not None:
                self._cipher(name)

    def check_place(self) -> None:
        """Raise EpochKeyMissingError unless the place of the epoch keys holds the key of every epoch."""
        for name in self.names():
            if self.store.read(name) is None:
                raise EpochKeyMissingError(name)

    def _cipher(self, name: bytes) -> AESGCM:
        cipher = self._ciphers.get(name)
        if cipher is None:
            key = self.store.read(name)
            if key is None:
                raise EpochKeyMissingError(name)
            cipher = AESGCM(key)
            with self._lock:
                self._ciphers[name] = cipher
        return cipher

    def _is_epoch(self, name: bytes) -> bool:
        return self._database.row("SELECT FROM epoch_keys WHERE name = %s", (name,)) is not None

    # The life of an epoch. Each step may be the last before a crash, and `destroy_unused` finishes what it left.

    def _begin_first(self) -> bytes:
        with self._database.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (EPOCH_LOCK,))
            if not self.names():
                self.begin()
        self.refresh()
        assert self._newest is not None
        return self._newest

    def begin(self) -> bytes:
        """Begin a new epoch: whatever is sealed from now on is sealed with its key. Return its name."""
        name = self.prepare()
        with self._database.transaction() as cursor:
            self.start(cursor, name)
        self.refresh()
        return name

    def prepare(self) -> bytes:
        """Write the key of an epoch that `start` may begin. Return the epoch's name."""
        name = os.urandom(NAME_BYTES)
        # The name is recorded before the key is written, so that no key is ever left behind.
        self._database.execute("INSERT INTO epoch_keys (name) VALUES (%s)", (name,))
        self.store.write(name, os.urandom(KEY_BYTES))
        return name

    def start(self, cursor: Cursor[TupleRow], name: bytes) -> None:
        """Begin the prepared epoch once the cursor's transaction is committed."""
        cursor.execute("SELECT destroyed_at FROM epoch_keys WHERE name = %s FOR UPDATE", (name,))
        if cursor.fetchone() != (None,):
            raise UnavailableError("The new epoch key was destroyed by another process: please try again.")
        cursor.execute("INSERT INTO epochs (name) VALUES (%s)", (name,))

    def end_older_than(self, name: bytes) -> bool:
        """End the epochs before this one; return False if a row still needs the key of one of them."""
        try:
            with self._database.transaction() as cursor:
                # Without this, a crash of the server could bring back rows whose key is destroyed.
                cursor.execute("SET LOCAL synchronous_commit = on")
                cursor.execute("DELETE FROM epochs WHERE number < (SELECT number FROM epochs WHERE name = %s)", (name,))
        except ForeignKeyViolation:
            return False
        self.refresh()
        return True

    def destroy_unused(self) -> int:
        """Destroy the keys of epochs that are over or never began. Return how many."""
        names = self._database.rows(f"SELECT name FROM epoch_keys WHERE {DESTROYABLE}".encode())  # noqa: S608
        return sum(self.destroy_unless_used(bytes(name)) for (name,) in names)

    def destroy_unless_used(self, name: bytes) -> bool:
        """Destroy the key of this epoch if it is over or never began. Return True if it was destroyed now."""
        with self._database.transaction() as cursor:
            # `begin` takes the same lock. A later statement sees what it committed, and this one may not.
            cursor.execute("SELECT destroyed_at FROM epoch_keys WHERE name = %s FOR UPDATE", (name,))
            if cursor.fetchone() != (None,):
                return False
            cursor.execute("SELECT EXISTS (SELECT FROM epochs WHERE name = %s)", (name,))
            if cursor.fetchone() != (False,):
                return False
            self.store.destroy(name)
            cursor.execute("UPDATE epoch_keys SET destroyed_at = now() WHERE name = %s", (name,))
        return True


def oldest_key_seconds(cursor: Cursor[TupleRow]) -> float | None:
    """Return the age of the oldest epoch key that is not destroyed and need not be kept, or None if there is none."""
    cursor.execute(_OLDEST_KEY.encode())
    [(seconds,)] = cursor.fetchall()
    return None if seconds is None else max(0.0, seconds)


class EpochKeyring(Keyring):
    """A keyring whose values are sealed in the current epoch as well; it also opens those sealed in none."""

    def __init__(self, secrets: tuple[str, ...], purpose: str, epochs: Epochs) -> None:
        super().__init__(secrets, purpose)
        self._epochs = epochs

    def seal(self, plain: bytes, context: bytes) -> bytes:
        return self._epochs.seal(super().seal(plain, context))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        return super().open(self._inner(sealed), context)

    def is_current(self, sealed: bytes) -> bool:
        return super().is_current(self._inner(sealed))

    def _inner(self, sealed: bytes) -> bytes:
        # Versions before the first epoch sealed with the master key alone.
        return sealed if sealed[:NAME_BYTES].hex() in self.names else self._epochs.open(sealed)


def seal(name: bytes, cipher: AESGCM, plain: bytes) -> bytes:
    """Seal with the key of the epoch that has this name."""
    return name + seal_with(cipher, plain, name)


def open_sealed(cipher: AESGCM, sealed: bytes) -> bytes:
    """Return what an epoch's key sealed; DecryptionError if it was changed."""
    return open_with(cipher, sealed[NAME_BYTES:], sealed[:NAME_BYTES])

"""Opening the keys of a database that is older than its epoch keys, such as a restored backup.

Its ticket keys are sealed in an epoch that may be over. Those of living tickets were saved beside the present epoch
key, and are taken from there. Those of tickets that were erased since were not: they stay destroyed, which is what
makes an erasure final. The database gets a new epoch of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.epoch_store import EpochStore
from adapters.encryption.epochs import NAME_BYTES, Epochs, open_sealed
from adapters.encryption.keyring import DecryptionError
from adapters.postgres.database import Database
from adapters.privacy.sealed_columns import SEALED_IN_EPOCH, SERVICE_KEYS, TICKET_KEYS, SealedColumn

BATCH = 2_000


@dataclass(frozen=True)
class RecoveryReport:
    """The number of values that were opened, of tickets without a key, and of webhooks and mails that were dropped."""

    recovered: int
    keyless: int
    dropped: int


class EpochKeys:
    """The epoch keys in several places: of epochs that are not over, and what they saved of living tickets."""

    def __init__(self, stores: Sequence[EpochStore]) -> None:
        self._stores = stores

    def opens(self, names: Sequence[bytes]) -> bool:
        """Return True if the keys of all these epochs are here, or the living keys of a later one."""
        return all(self._key(name) is not None for name in names) or self._living_store() is not None

    def open(self, sealed: bytes) -> bytes | None:
        """Return what an epoch's key sealed, or None if its key is not here."""
        key = self._key(sealed[:NAME_BYTES])
        return None if key is None else open_sealed(AESGCM(key), sealed)

    def living(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield the table, the key and the opened value of each living key that was saved last."""
        store = self._living_store()
        saved = store.living() if store is not None else None
        if saved is not None:
            for table, key, sealed in saved[1]:
                if (opened := self.open(sealed)) is not None:
                    yield table, key, opened

    def _living_store(self) -> EpochStore | None:
        return next((store for store in self._stores if store.living() is not None), None)

    def _key(self, name: bytes) -> bytes | None:
        return next((key for store in self._stores if (key := store.read(name)) is not None), None)


def recover(database: Database, epochs: Epochs, keys: EpochKeys, *, owns_keys: bool) -> RecoveryReport:
    """Seal everything that can be opened in a new epoch, and let go of what cannot, all or nothing.

    With `owns_keys` no other database uses the keys beside the new one, and the next rotation destroys them.
    Otherwise they are left alone.
    """
    beside = epochs.store.names()
    name = epochs.begin()
    with database.transaction() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        recovered = sum(_reseal(cursor, column, epochs, keys, name) for column in SEALED_IN_EPOCH)
        recovered += _take_living(cursor, epochs, keys, name)
        keyless = cursor.execute(
            "WITH keyless AS (UPDATE ticket_keys SET wrapped = '' WHERE epoch IS NOT NULL AND epoch <> %s"
            " RETURNING ticket_id), hashes AS (DELETE FROM contact_hashes USING keyless WHERE owner_id = ticket_id)"
            " SELECT count(*) FROM keyless",
            (name,),
        ).fetchone()
        assert keyless is not None
        dropped = sum(cursor.execute(statement, (name,)).rowcount for statement in _DROP)
        cursor.execute("DELETE FROM epochs WHERE name <> %s", (name,))
        if owns_keys:
            cursor.execute(
                "INSERT INTO epoch_keys (name) SELECT unnest(%s::bytea[])"
                " ON CONFLICT (name) DO UPDATE SET destroyed_at = NULL",
                (beside,),
            )
        else:
            cursor.execute("DELETE FROM epoch_keys WHERE name <> %s", (name,))
    epochs.refresh()
    return RecoveryReport(recovered, keyless[0], dropped)


# What no key opens any more. Stripe lists the webhooks again, so that `reconcile` stores them anew; a request for a
# login code can be repeated.
_DROP = (
    b"DELETE FROM stripe_inbox WHERE epoch IS NOT NULL AND epoch <> %s AND state IN ('received', 'held', 'dead')",
    b"UPDATE stripe_inbox SET body = '' WHERE epoch IS NOT NULL AND epoch <> %s",
    b"DELETE FROM outbox WHERE epoch IS NOT NULL AND epoch <> %s",
    b"DELETE FROM access_requests WHERE epoch IS NOT NULL AND epoch <> %s",
    # The only service key seals answers that are kept for a day.
    b"WITH lost AS (DELETE FROM service_keys WHERE epoch IS NOT NULL AND epoch <> %s RETURNING name)"
    b" DELETE FROM idempotency_keys WHERE EXISTS (SELECT FROM lost)",
)


def _reseal(cursor: Cursor[TupleRow], column: SealedColumn, epochs: Epochs, keys: EpochKeys, name: bytes) -> int:
    """Seal the column's values whose epoch key is here in the new epoch; return how many."""
    done = 0
    after: object = None
    while True:
        rows = cursor.execute(
            f"SELECT {column.key}, {column.column} FROM {column.table}"  # noqa: S608 (constants)
            f" WHERE epoch IS NOT NULL AND epoch <> %s AND (%s::{column.key_type} IS NULL OR {column.key} > %s)"
            f" ORDER BY {column.key} LIMIT {BATCH}".encode(),
            (name, after, after),
        ).fetchall()
        opened = [(str(key), plain) for key, value in rows if (plain := _opened(keys, bytes(value))) is not None]
        done += _update(cursor, column, epochs, name, opened)
        if len(rows) < BATCH:
            return done
        after = rows[-1][0]


def _opened(keys: EpochKeys, value: bytes) -> bytes | None:
    try:
        return keys.open(value)
    except DecryptionError:
        return None


def _take_living(cursor: Cursor[TupleRow], epochs: Epochs, keys: EpochKeys, name: bytes) -> int:
    """Take the keys that no epoch key opened from the saved living keys; return how many."""
    done = 0
    living = keys.living()
    while batch := list(islice(living, BATCH)):
        for column in (TICKET_KEYS, SERVICE_KEYS):
            saved = [(key, plain) for table, key, plain in batch if table == column.table]
            done += _update(cursor, column, epochs, name, saved)
    return done


def _update(
    cursor: Cursor[TupleRow], column: SealedColumn, epochs: Epochs, name: bytes, values: list[tuple[str, bytes]]
) -> int:
    # A saved key may be wrapped by a newer master key than the row that it replaces.
    also = ", wrapped_by = encode(n.wrapped_by, 'hex')" if column.names_key else ""
    return cursor.execute(
        f"UPDATE {column.table} t SET {column.column} = n.sealed{also}"  # noqa: S608 (constants)
        f" FROM unnest(%s::text[], %s::bytea[], %s::bytea[]) AS n (key, sealed, wrapped_by)"
        f" WHERE t.{column.key} = n.key::{column.key_type} AND t.epoch IS NOT NULL AND t.epoch <> %s".encode(),
        (
            [key for key, _ in values],
            [epochs.seal(plain) for _, plain in values],
            [plain[:NAME_BYTES] for _, plain in values],
            name,
        ),
    ).rowcount

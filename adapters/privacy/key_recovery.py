"""Opening the keys of a database that is older than its epoch keys, such as a restored backup.

Its ticket keys are sealed in an epoch that may be over. Those of living tickets were saved beside the present epoch
key, and are taken from there. Those of tickets that were erased since were not: they stay destroyed, which is what
makes an erasure final. The database gets a new epoch of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.epoch_store import EpochStore
from adapters.encryption.epochs import NAME_BYTES, Epochs, open_sealed
from adapters.encryption.keyring import DecryptionError
from adapters.postgres.database import Database
from adapters.privacy.sealed_columns import SEALED_IN_EPOCH, SERVICE_KEYS, TICKET_KEYS, SealedColumn
from domain.errors import RefusedError

BATCH = 2_000

# Notes keys that are destroyed after so many seconds.
_KEEP_KEYS = (
    "INSERT INTO epoch_keys (name, kept_until) SELECT name, now() + make_interval(secs => %s)"
    " FROM unnest(%s::bytea[]) AS n (name)"
)

# A table, the key of one of its rows as text, and what its epoch's key sealed.
OpenedKey = tuple[str, str, bytes]


@dataclass(frozen=True)
class RecoveryReport:
    """The number of values that were opened, of keys that are gone, and of webhooks and mails that were dropped."""

    recovered: int
    keyless: int
    dropped: int


class KeylessTicketsError(RefusedError):
    """Tickets or donations that may be living would lose their keys."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"EPOCH_KEY_URL: {number} tickets and donations that may be living would lose their keys, so the keys were"
            " left as they are. The place may be wrong or its copy too old: name another with --epoch-keys, or confirm"
            f" that these were erased or forgotten with --accept-keyless {number}"
        )


@dataclass(frozen=True)
class LivingList:
    """The opened living keys of one moment."""

    saved_at: datetime
    keys: Iterator[OpenedKey]


class EpochKeys:
    """The epoch keys in several places: of epochs that are not over, and what they saved of living tickets."""

    def __init__(self, stores: Sequence[EpochStore]) -> None:
        self._stores = stores

    def opens(self, names: Sequence[bytes]) -> bool:
        """Return True if the keys of all these epochs are here, or the living keys of a later one."""
        return all(self._key(name) is not None for name in names) or any(self._lists())

    def open(self, sealed: bytes) -> bytes | None:
        """Return what an epoch's key sealed, or None if its key is not here."""
        key = self._key(sealed[:NAME_BYTES])
        return None if key is None else open_sealed(AESGCM(key), sealed)

    def living(self, cursor: Cursor[TupleRow]) -> LivingList | None:
        """Return the living keys that were saved last and have a ticket in common with the database."""
        for saved_at, name, store in sorted(self._lists(), key=itemgetter(0), reverse=True):
            keys = self._opened_keys(store, name)
            while batch := list(islice(keys, BATCH)):
                tickets = [key for table, key, _ in batch if table == TICKET_KEYS.table]
                cursor.execute("SELECT EXISTS (SELECT FROM ticket_keys WHERE ticket_id = ANY(%s::uuid[]))", (tickets,))
                if cursor.fetchone() == (True,):
                    return LivingList(saved_at, self._opened_keys(store, name))
        return None

    def _lists(self) -> Iterator[tuple[datetime, bytes, EpochStore]]:
        for store in self._stores:
            for saved_at, name in store.living_lists():
                yield saved_at, name, store

    def _opened_keys(self, store: EpochStore, name: bytes) -> Iterator[OpenedKey]:
        for table, key, sealed in store.living(name):
            if (opened := _opened(self, sealed)) is not None:
                yield table, key, opened

    def _key(self, name: bytes) -> bytes | None:
        return next((key for store in self._stores if (key := store.read(name)) is not None), None)


def recover(
    database: Database, epochs: Epochs, keys: EpochKeys, *, keep_hours: float | None, accept_keyless: int | None = 0
) -> RecoveryReport:
    """In one transaction, seal every value that can be opened in a new epoch, and clear those that cannot.

    The keys beside the new one are destroyed after `keep_hours`; if another database uses them, because this one is a
    copy, it replaces them before that. With None they are left alone, and tickets that are missing in a later list of
    living keys count as erased.

    Raise KeylessTicketsError and change nothing if any other tickets would lose their keys, unless `accept_keyless` is
    their number or None.
    """
    beside = epochs.store.names()
    name = epochs.prepare()
    try:
        return _recover(database, epochs, keys, name, beside, keep_hours, accept_keyless)
    except KeylessTicketsError:
        epochs.destroy_unless_used(name)
        raise


def _recover(
    database: Database,
    epochs: Epochs,
    keys: EpochKeys,
    name: bytes,
    beside: list[bytes],
    keep_hours: float | None,
    accept_keyless: int | None,
) -> RecoveryReport:
    with database.transaction() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        epochs.start(cursor, name)
        recovered = sum(_reseal(cursor, column, epochs, keys, name) for column in SEALED_IN_EPOCH)
        living = keys.living(cursor) if _is_left(cursor, name) else None
        if living is not None:
            recovered += _take_living(cursor, epochs, living.keys, name)
        erased_before = living.saved_at if living is not None and keep_hours is None else None
        _check_keyless(cursor, name, erased_before, accept_keyless)
        [keyless] = cursor.execute(
            "WITH keyless AS (UPDATE ticket_keys SET wrapped = '' WHERE epoch IS NOT NULL AND epoch <> %s"
            " RETURNING ticket_id), hashes AS (DELETE FROM contact_hashes USING keyless WHERE owner_id = ticket_id),"
            " words AS (DELETE FROM ticket_search s USING keyless WHERE s.ticket_id = keyless.ticket_id)"
            " SELECT count(*) FROM keyless",
            (name,),
        ).fetchall()
        if keyless[0]:
            # A worker makes the hashes anew, of the donors who are still readable.
            for table in ("donor_names", "donor_addresses", "donor_name_progress"):
                cursor.execute(f"DELETE FROM {table}".encode())  # noqa: S608 (constants)
        dropped = sum(cursor.execute(statement, (name,)).rowcount for statement in _DROP)
        cursor.execute("DELETE FROM epochs WHERE name <> %s", (name,))
        if keep_hours is not None:
            cursor.execute(
                f"{_KEEP_KEYS} ON CONFLICT (name) DO UPDATE SET destroyed_at = NULL, kept_until = EXCLUDED.kept_until",
                (keep_hours * 3600, beside),
            )
        else:
            cursor.execute("DELETE FROM epoch_keys WHERE name <> %s", (name,))
    epochs.refresh()
    return RecoveryReport(recovered, keyless[0], dropped)


def adopt(database: Database, epochs: Epochs, keep_hours: float) -> int:
    """Note the keys beside those of a restored database that belong to none of its epochs; return how many.

    They are destroyed after so many hours. A database that still lives and uses them replaces them before that.
    """
    return database.execute(
        f"{_KEEP_KEYS} ON CONFLICT (name) DO NOTHING",
        (keep_hours * 3600, epochs.store.names()),
    )


# What no key opens any more. Stripe lists the webhooks again, so that `reconcile` stores them anew; a request for a
# login code can be repeated.
_DROP = (
    b"DELETE FROM stripe_inbox WHERE epoch IS NOT NULL AND epoch <> %s AND state IN ('received', 'held', 'dead')",
    b"UPDATE stripe_inbox SET body = '' WHERE epoch IS NOT NULL AND epoch <> %s",
    b"DELETE FROM outbox WHERE epoch IS NOT NULL AND epoch <> %s",
    b"DELETE FROM access_requests WHERE epoch IS NOT NULL AND epoch <> %s",
    # Service keys seal answers that are kept for a day, and network addresses, which are then shown no more.
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


def _is_left(cursor: Cursor[TupleRow], name: bytes) -> bool:
    """Return True if a ticket key or service key is still sealed in another epoch."""
    row = cursor.execute(
        "SELECT EXISTS (SELECT epoch FROM ticket_keys WHERE epoch IS NOT NULL AND epoch <> %(name)s"
        " UNION ALL SELECT epoch FROM service_keys WHERE epoch IS NOT NULL AND epoch <> %(name)s)",
        {"name": name},
    ).fetchone()
    return row == (True,)


def _check_keyless(
    cursor: Cursor[TupleRow], name: bytes, erased_before: datetime | None, accept_keyless: int | None
) -> None:
    [row] = cursor.execute(
        "SELECT count(*) FROM ticket_keys WHERE epoch IS NOT NULL AND epoch <> %s"
        " AND created_at >= coalesce(%s, '-infinity'::timestamptz)",
        (name, erased_before),
    ).fetchall()
    if accept_keyless is not None and row[0] not in (0, accept_keyless):
        raise KeylessTicketsError(row[0])


def _take_living(cursor: Cursor[TupleRow], epochs: Epochs, living: Iterator[OpenedKey], name: bytes) -> int:
    """Take the keys that no epoch key opened from the saved living keys; return how many."""
    done = 0
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
            [epochs.seal_in(name, plain) for _, plain in values],
            [plain[:NAME_BYTES] for _, plain in values],
            name,
        ),
    ).rowcount

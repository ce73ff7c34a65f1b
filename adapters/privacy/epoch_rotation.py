"""Replacing the epoch key: everything living is sealed with a new key, and the old key is destroyed.

From then on nobody opens what was erased before, neither in the database's files and write-ahead log nor in a replica,
a snapshot or a backup that is older. The steps, each durable before the next one:

1. A new key is written to the place of the epoch keys, and becomes the current one.
2. Every row is resealed in the new epoch, in bulk statements; rows that change meanwhile are left to the next pass.
3. The living keys are saved beside the new key, for backups that are older than it.
4. The old epochs' rows are deleted, which PostgreSQL refuses while any row refers to one.
5. The old keys are destroyed.

After a crash between any two steps both keys exist, and the next rotation or chore finishes what is left.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from adapters.encryption.epoch_store import LivingKey
from adapters.encryption.epochs import (
    DESTROYABLE,
    EPOCH_LOCK,
    NAME_BYTES,
    REFRESH_SECONDS,
    EpochKeyMissingError,
    Epochs,
)
from adapters.encryption.keyring import DecryptionError
from adapters.postgres.database import Database
from adapters.privacy.sealed_columns import SEALED_IN_EPOCH, SERVICE_KEYS, TICKET_KEYS, SealedColumn
from domain.errors import RefusedError, UnavailableError

BATCH = 5_000
# Rows that other processes seal in an old epoch need another pass; they stop within REFRESH_SECONDS.
MAX_PASSES = 10
# Another process may have read the current epoch just before the new one began.
GRACE_SECONDS = 2 * REFRESH_SECONDS

logger = structlog.get_logger()

# Called with the name of the data, the number of rows done, and the number of rows to do.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EpochReport:
    """The new epoch, the number of values sealed in it, the number of destroyed keys, and the seconds it took."""

    epoch: str
    resealed: int
    destroyed: int
    seconds: float


class EpochRotation:
    """Begins and finishes rotations; a lock lets one process at a time do so."""

    def __init__(
        self, database: Database, epochs: Epochs, hours: float, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._database = database
        self._epochs = epochs
        self._age = timedelta(hours=hours)
        self._pause = pause

    def rotate(self, progress: Progress = lambda *_: None) -> EpochReport:
        """Replace the epoch key now; RefusedError while another process does so."""
        with self.alone():
            return self._rotate(progress)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process replace the epoch key during the block; RefusedError while one does so."""
        with self._alone() as alone:
            if not alone:
                raise RefusedError("another process is replacing the epoch key: please try again")
            yield

    def run_if_due(self) -> None:
        """Replace the epoch key if it is old enough, or finish what an interrupted rotation or an upgrade left."""
        with self._alone() as alone:
            if not alone:
                return
            if self._is_due():
                report = self._rotate(lambda *_: None)
                logger.info("epoch key replaced", epoch=report.epoch, resealed=report.resealed)
            elif self._is_unfinished():
                names = self._epochs.names()
                self._finish(names[-1] if names else self._epochs.begin(), lambda *_: None)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with self._database.transaction() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (EPOCH_LOCK,))
            yield cursor.fetchone() == (True,)

    def _is_due(self) -> bool:
        row = self._database.row("SELECT max(started_at) < now() - %s FROM epochs", (self._age,))
        return row == (True,)

    def _is_unfinished(self) -> bool:
        # Damaged values are not tried again: no key opens them.
        row = self._database.row(
            f"SELECT (SELECT count(*) FROM epochs) > 1 OR EXISTS (SELECT FROM epoch_keys k WHERE {DESTROYABLE}"  # noqa: S608
            " AND NOT EXISTS (SELECT FROM epochs e WHERE e.name = k.name)) OR EXISTS"
            f" (SELECT FROM ticket_keys WHERE epoch IS NULL AND wrapped <> '' AND NOT {TICKET_KEYS.damaged})".encode()
        )
        return row == (True,)

    def _rotate(self, progress: Progress) -> EpochReport:
        started = time.monotonic()
        # A new key in another place than that of the other processes would keep them from sealing.
        self._epochs.check_place()
        name = self._epochs.begin()
        resealed, destroyed = self._finish(name, progress)
        return EpochReport(name.hex(), resealed, destroyed, round(time.monotonic() - started, 3))

    def _finish(self, name: bytes, progress: Progress) -> tuple[int, int]:
        """Reseal everything in this epoch and destroy the keys of all others; return both numbers."""
        resealed = sum(self._reseal(column, name, progress) for column in SEALED_IN_EPOCH)
        self._pause(GRACE_SECONDS)
        for _ in range(MAX_PASSES):
            resealed += sum(self._reseal(column, name, progress) for column in SEALED_IN_EPOCH)
            self.save_living_keys()
            if self._epochs.end_older_than(name):
                return resealed, self._epochs.destroy_unused()
        raise UnavailableError("The old epoch key was kept, because values are still being sealed with it: try again.")

    def save_living_keys(self) -> None:
        """Save the present ticket keys and service keys beside the epoch key."""
        self._epochs.store.save_living(self._epochs.current(), self._living_keys())

    def _living_keys(self) -> Iterator[list[LivingKey]]:
        for column in (TICKET_KEYS, SERVICE_KEYS):
            for batch in self._batches(column, "true", ()):
                yield [(column.table, str(key), value) for key, value in batch]

    def _reseal(self, column: SealedColumn, name: bytes, progress: Progress) -> int:
        """Seal the column's values of other epochs, and of none, in this epoch; return how many."""
        done = 0
        for batch in self._batches(column, f"epoch IS DISTINCT FROM %b AND NOT {column.damaged}", (name,)):
            keys, before, after, damaged = [], [], [], []
            for key, value in batch:
                try:
                    plain = self._epochs.open(value)
                except (DecryptionError, EpochKeyMissingError) as error:
                    if isinstance(error, EpochKeyMissingError) and value[:NAME_BYTES] in self._epochs.names():
                        raise
                    damaged.append(key)
                    continue
                keys.append(key)
                before.append(value)
                after.append(self._epochs.seal_in(name, plain))
            if keys:
                done += self._database.execute(
                    f"UPDATE {column.table} t SET {column.column} = n.after, epoch = %b"  # noqa: S608 (constants)
                    f" FROM unnest(%b::{column.key_type}[], %b::bytea[], %b::bytea[]) AS n (key, before, after)"
                    f" WHERE t.{column.key} = n.key AND t.{column.column} = n.before"
                    # The range makes the planner read only this batch.
                    f" AND t.{column.key} BETWEEN %b AND %b".encode(),
                    (name, keys, before, after, keys[0], keys[-1]),
                )
            if damaged:
                self._release(column, damaged)
            progress(column.name, done, done)
        return done

    def _release(self, column: SealedColumn, keys: list[object]) -> None:
        """Let go of values that no key opens, so that they do not keep an old key from being destroyed."""
        logger.error("sealed values are damaged", table=column.table, rows=len(keys))
        self._database.execute(
            f"UPDATE {column.table} SET epoch = NULL"  # noqa: S608 (constants)
            f" WHERE {column.key} = ANY(%s::{column.key_type}[])".encode(),
            (keys,),
        )

    def _batches(
        self, column: SealedColumn, condition: str, params: tuple[object, ...]
    ) -> Iterator[list[tuple[object, bytes]]]:
        """Yield the living rows that meet the condition, with the key and the value of each."""
        after: object = None
        while True:
            with self._database.connection() as connection, connection.cursor(binary=True) as cursor:
                cursor.execute(
                    f"SELECT {column.key}, {column.column} FROM {column.table}"  # noqa: S608 (constants)
                    f" WHERE {column.where} AND {column.column} <> '' AND {condition}"
                    f" AND (%b::{column.key_type} IS NULL OR {column.key} > %b)"
                    f" ORDER BY {column.key} LIMIT {BATCH}".encode(),
                    (*params, after, after),
                )
                rows = cursor.fetchall()
            if rows:
                yield rows
            if len(rows) < BATCH:
                return
            after = rows[-1][0]

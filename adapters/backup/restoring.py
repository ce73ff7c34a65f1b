"""Restoring a backup into a database and a storage that hold nothing yet.

The rows enter in one transaction, together with a mark that keeps the service from starting; storage, read models and
the verification follow, and the mark goes last. A restore that was cut off goes on when it is started again with the
same backup; nothing of it is ever served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

import projections
from adapters.backup import tables
from adapters.backup.parts import SUMS, BackupError, Part, checked
from adapters.backup.taking import FORMAT, HEADER, OBJECTS, ROWS, Header
from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.proof import audit
from adapters.read_models import rebuild
from adapters.storage.protocol import KEY, Storage
from projections.model import Projection

LARGEST_HEADER_BYTES = 2**20
MIB = 2**20

# Told what is done, how much of it, and of how much.
Progress = Callable[[str, int, int], None]

_ANYTHING = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname !~ '^(pg_|information_schema$)')
"""


@dataclass(frozen=True)
class Restored:
    """What a restore brought back; the chain was verified up to the backup's own head."""

    events: int
    rows: int
    objects: int
    taken_at: str
    version: str


def restore(
    url: str,
    storage: Storage,
    file: Path,
    master_keys: frozenset[str] | None,
    progress: Progress = lambda *_: None,
    models: tuple[Projection, ...] = tuple(projections.ALL),
) -> Restored:
    """Bring a backup back; BackupError before anything is written if it is damaged or has no place here.

    `master_keys` names the master keys at hand, and a backup with people whom none of them opens is refused; None
    restores it all the same.
    """
    try:
        with file.open("rb") as opened, connect(url, statement_seconds=0, name="storyledger restore") as connection:
            header = _checked(opened, progress)
            _fits(header, master_keys)
            rows = _fill_database(connection, header, opened, storage, progress)
            objects = _fill_storage(storage, opened, progress)
            migrations.migrate(connection)
            rebuild.ensure_live(url, models, progress)
            _verify(url, header, progress)
            connection.execute("DELETE FROM schema_steps WHERE name = %s", (_mark(header),))
            return Restored(header.events, rows, objects, header.taken_at.isoformat(), header.version)
    except OSError as error:
        raise BackupError(f"{file}: {error.strerror or 'failed'}") from None


def _checked(file: BinaryIO, progress: Progress) -> Header:
    """The header of a backup that is whole."""
    size = file.seek(0, 2)
    header: Header | None = None
    for part in checked(file):
        if header is None:
            header = _header(part)
        elif not _is_known(part.name, header):
            raise BackupError("the backup is damaged: it holds a part that belongs to none")
        progress("MiB checked", file.tell() // MIB, size // MIB)
    if header is None:
        raise BackupError("the file is no backup")
    return header


def _header(part: Part) -> Header:
    if part.name != HEADER or part.size > LARGEST_HEADER_BYTES:
        raise BackupError("the file is no backup")
    try:
        header = msgspec.json.decode(part.content.read(LARGEST_HEADER_BYTES), type=Header)
    except msgspec.MsgspecError:
        raise BackupError("the file is no backup of a kind that this version knows") from None
    if header.format != FORMAT:
        raise BackupError("the file is no backup of a kind that this version knows")
    return header


def _is_known(name: str, header: Header) -> bool:
    if name.startswith(ROWS):
        table, _, number = name.removeprefix(ROWS).rpartition("/")
        return table in header.tables and number.isdigit()
    return name == SUMS or (name.startswith(OBJECTS) and KEY.fullmatch(name.removeprefix(OBJECTS)) is not None)


def _fits(header: Header, master_keys: frozenset[str] | None) -> None:
    unknown = set(header.steps) - {name for name, _ in migrations.steps()}
    if unknown:
        raise BackupError(f"the backup was made by a newer version ({header.version}): restore it with that one")
    if master_keys is not None and (foreign := set(header.master_keys) - master_keys):
        raise BackupError(
            f"MASTER_KEY: does not open what is sealed in this backup ({len(foreign)} of"
            f" {len(header.master_keys)} master keys are missing); nothing was written"
        )


def _mark(header: Header) -> str:
    return f"{migrations.UNFINISHED_RESTORE} {header.id}"


def _fill_database(
    connection: Connection[TupleRow], header: Header, file: BinaryIO, storage: Storage, progress: Progress
) -> int:
    """Take the backup's own steps and put its rows in, all or nothing; how many, 0 if they are there already."""
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (migrations.MIGRATION_LOCK,))
            if _is_filled(connection, header, storage):
                return 0
            migrations.migrate(connection, header.steps)
            cursor.execute("INSERT INTO schema_steps (name) VALUES (%s)", (_mark(header),))
            if tables.kept(cursor) != header.tables:
                raise BackupError("the backup does not fit: its tables are not those of its version")
            filling = tables.TableLoad(cursor, header.tables)
            # What a step put into its tables is in the backup as it was then.
            tables.clear(cursor, header.tables)
            with tables.without_triggers(cursor, header.tables):
                for part in checked(file):
                    if part.name.startswith(ROWS):
                        filling.fill(part.name.removeprefix(ROWS).rpartition("/")[0], part.content)
                        progress("rows", filling.rows, filling.rows)
            tables.set_sequences(cursor, header.sequences)
    except (psycopg.DataError, psycopg.IntegrityError):
        raise BackupError("the backup is damaged: its rows do not fit their tables") from None
    return filling.rows


def _is_filled(connection: Connection[TupleRow], header: Header, storage: Storage) -> bool:
    """Whether this backup's rows are there already; BackupError if anything else is."""
    known = migrations.applied(connection)
    if _mark(header) in known:
        return True
    if any(name.startswith(migrations.UNFINISHED_RESTORE) for name in known):
        raise BackupError("the database holds an unfinished restore of another backup: give an empty one")
    if connection.execute(_ANYTHING).fetchone() != (False,):
        raise BackupError("the database is not empty: a backup is restored into a database just created")
    if list(islice(storage.keys(), 1)):
        raise BackupError("the storage is not empty: a backup is restored into one that holds nothing")
    return False


def _fill_storage(storage: Storage, file: BinaryIO, progress: Progress) -> int:
    count = 0
    for part in checked(file):
        if part.name.startswith(OBJECTS):
            storage.put(part.name.removeprefix(OBJECTS), part.content)  # type: ignore[arg-type]
            count += 1
            progress("objects", count, count)
    return count


def _verify(url: str, header: Header, progress: Progress) -> None:
    verdict = audit.verify(url, lambda position: progress("links", position, header.events))
    if verdict.first_bad is not None:
        raise BackupError(f"event {verdict.first_bad[0]} {verdict.first_bad[1]}: the history in the backup is broken")
    if (verdict.events, verdict.head.hex()) != (header.events, header.head or audit.GENESIS.hex()):
        raise BackupError("the history ends elsewhere than the backup says")

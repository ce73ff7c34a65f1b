"""Restoring a backup into an empty database and an empty storage.

The epoch key of the backup may be destroyed; then the ticket keys of those who are still living come from the place of
the epoch keys, and those who were erased meanwhile stay unreadable.

The schema is migrated to the backup's own version, and the rows are inserted in the same transaction, together with a
mark that keeps the service from starting. Then objects are stored, the schema is migrated to this version, read models
are rebuilt and the history is verified; the mark is deleted last. An interrupted restore continues when it is started
again with the same backup, and is never served before.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow, class_row

import projections
from adapters.backup import tables
from adapters.backup.parts import BackupError, BackupKeys, Part, checked_parts
from adapters.backup.taking import FORMAT, HEADER, OBJECTS, ROWS, TEXT_FORMAT, UNAUTHENTICATED_FORMAT, Header, Progress
from adapters.encryption.epoch_store import EpochStore
from adapters.encryption.epochs import Epochs
from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING
from adapters.postgres import migrations
from adapters.postgres.database import Database, connect
from adapters.privacy.key_recovery import EpochKeys, RecoveryReport, adopt, recover
from adapters.proof import audit
from adapters.read_models import rebuild
from adapters.storage.protocol import KEY, Storage
from projections.model import Projection

LARGEST_HEADER_BYTES = 2**20
MIB = 2**20

_HAS_TABLES = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname !~ '^(pg_|information_schema$)')
"""

_VALID_API_KEYS = """
SELECT id::text, role, workspace, scopes FROM api_keys
 WHERE revoked_at IS NULL AND coalesce(expires_at > now(), true) ORDER BY created_at, id
"""
_COUNTS = """
SELECT (SELECT count(*) FROM access_sessions WHERE expires_at > now()),
       (SELECT count(*) FROM read.ticket_status WHERE token_digest IS NOT NULL)
"""


@dataclass(frozen=True)
class RestoredApiKey:
    """An API key that is valid after the restore."""

    id: str
    role: str
    workspace: str
    scopes: list[str]


@dataclass(frozen=True)
class RestoredCredentials:
    """All that opens the restored service, including what was revoked after the backup was taken."""

    api_keys: list[RestoredApiKey]
    sessions: int
    ticket_tokens: int


@dataclass(frozen=True)
class RestoreReport:
    """The numbers of restored events, rows and objects; the chain is verified up to the backup's head.

    `keyless` is the number of tickets without a key, because they were erased since, and `dropped` that of webhooks and
    mails that no key opens any more. `former_keys` is the number of epoch keys that were in the place of the new one.
    """

    events: int
    rows: int
    objects: int
    keyless: int
    dropped: int
    former_keys: int
    taken_at: str
    version: str
    authenticated: bool
    credentials: RestoredCredentials


def restore(
    url: str,
    storage: Storage,
    file: Path,
    master_keys: tuple[str, ...] | None,
    epoch_keys: str,
    former_epoch_keys: str | None = None,
    progress: Progress = lambda *_: None,
    models: tuple[Projection, ...] = tuple(projections.ALL),
    accept_keyless: int = 0,
    keep_former_keys_hours: float = 48,
) -> RestoreReport:
    """Restore a backup; BackupError before anything is written if it is damaged or the target is not empty.

    A backup that none of the master keys authenticates is refused, and so is one that holds keys wrapped by another
    master key. None restores it nevertheless. The restored keys are sealed in an epoch whose key is stored at the URL
    `epoch_keys`. The former epoch keys are looked for at `former_epoch_keys`, then there, then where the backup says.
    `accept_keyless` tickets that no list of living keys is late enough to contain may lose their keys. Former keys at
    `epoch_keys` are destroyed after `keep_former_keys_hours`.
    """
    keys = None if master_keys is None else BackupKeys(master_keys)
    try:
        with file.open("rb") as opened, connect(url, statement_seconds=0, name="storyledger restore") as connection:
            header = _check_file(opened, keys, progress)
            _check_compatible(header, master_keys)
            # Only an authenticated backup may say where to look.
            place = former_epoch_keys or (header.epoch_keys if keys is not None else "")
            former = EpochKeys(
                [EpochStore(url) for url in dict.fromkeys((former_epoch_keys, epoch_keys, place)) if url]
            )
            if keys is not None and not former.opens([bytes.fromhex(name) for name in header.epochs]):
                raise BackupError(
                    "EPOCH_KEY_URL: has no epoch key that opens the ticket keys in this backup: name the place of the"
                    " epoch keys with --epoch-keys; nothing was written"
                )
            rows = _fill_database(connection, header, opened, keys, storage, progress)
            objects = _fill_storage(storage, opened, keys, progress)
            migrations.migrate(connection)
            recovered = RecoveryReport(0, 0, 0)
            accepted = None if keys is None else accept_keyless
            with Database(url, size=3, name="storyledger restore") as database:
                epochs = Epochs(database, EpochStore(epoch_keys))
                # Otherwise an earlier run has done so, or the backup's version had no epochs.
                if {name.hex() for name in epochs.names()} & set(header.epochs):
                    recovered = recover(database, epochs, former, keep_hours=None, accept_keyless=accepted)
                former_keys = adopt(database, epochs, keep_former_keys_hours)
            rebuild.ensure_live(url, models, progress)
            _verify(url, header, progress)
            connection.execute("DELETE FROM schema_steps WHERE name = %s", (_mark(header),))
            credentials = _credentials(connection)
            taken_at = header.taken_at.isoformat()
            return RestoreReport(
                header.events,
                rows,
                objects,
                recovered.keyless,
                recovered.dropped,
                former_keys,
                taken_at,
                header.version,
                keys is not None,
                credentials,
            )
    except OSError as error:
        raise BackupError(f"{file}: {error.strerror or 'failed'}") from None


def _check_file(file: BinaryIO, keys: BackupKeys | None, progress: Progress) -> Header:
    """Return the header of a backup after checking the whole file."""
    size = file.seek(0, 2)
    header: Header | None = None
    for part in checked_parts(file, keys):
        if header is None:
            header = _header(part)
        elif not _is_known(part.name, header):
            raise BackupError("the backup is damaged: it holds an unknown part")
        progress("MiB checked", file.tell() // MIB, size // MIB)
    if header is None:
        raise BackupError("the file is not a backup")
    return header


def _header(part: Part) -> Header:
    if part.name != HEADER or part.size > LARGEST_HEADER_BYTES:
        raise BackupError("the file is not a backup")
    try:
        header = msgspec.json.decode(part.content.read(LARGEST_HEADER_BYTES), type=Header)
    except msgspec.MsgspecError:
        raise BackupError("the file is not a backup in a format that this version knows") from None
    if header.format not in (FORMAT, TEXT_FORMAT, UNAUTHENTICATED_FORMAT):
        raise BackupError("the file is not a backup in a format that this version knows")
    return header


def _is_known(name: str, header: Header) -> bool:
    if name.startswith(ROWS):
        table, _, number = name.removeprefix(ROWS).rpartition("/")
        return table in header.tables and number.isdigit()
    return name.startswith(OBJECTS) and KEY.fullmatch(name.removeprefix(OBJECTS)) is not None


def _check_compatible(header: Header, master_keys: tuple[str, ...] | None) -> None:
    unknown = set(header.steps) - {name for name, _ in migrations.steps()}
    if unknown:
        raise BackupError(f"the backup was made by a newer version ({header.version}): restore it with that version")
    if master_keys is not None and (foreign := set(header.master_keys) - Keyring(master_keys, TICKET_KEYRING).names):
        raise BackupError(
            f"MASTER_KEY: cannot open the keys in this backup ({len(foreign)} of"
            f" {len(header.master_keys)} master keys are missing); nothing was written"
        )


def _mark(header: Header) -> str:
    return f"{migrations.UNFINISHED_RESTORE} {header.id}"


def _fill_database(
    connection: Connection[TupleRow],
    header: Header,
    file: BinaryIO,
    keys: BackupKeys | None,
    storage: Storage,
    progress: Progress,
) -> int:
    """Migrate to the backup's version and insert its rows, all or nothing.

    Return the number of rows, or 0 if an earlier run inserted them.
    """
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (migrations.MIGRATION_LOCK,))
            if _is_filled(connection, header, storage):
                return 0
            migrations.migrate(connection, header.steps)
            cursor.execute("INSERT INTO schema_steps (name) VALUES (%s)", (_mark(header),))
            if tables.backed_up_tables(cursor) != header.tables:
                raise BackupError("the tables in the backup are not those of its version")
            load = tables.TableLoad(cursor, header.tables, binary=header.format == FORMAT)
            # The backup has the rows that migrations inserted as they were then.
            tables.clear(cursor, header.tables)
            with tables.prepared_for_load(cursor, header.tables):
                for part in checked_parts(file, keys):
                    if part.name.startswith(ROWS):
                        load.copy(part.name.removeprefix(ROWS).rpartition("/")[0], part.content)
                        progress("rows", load.rows, load.rows)
            tables.set_sequences(cursor, header.sequences)
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProtocolViolation):
        raise BackupError("the backup is damaged: its rows do not fit their tables") from None
    return load.rows


def _is_filled(connection: Connection[TupleRow], header: Header, storage: Storage) -> bool:
    """Return True if an earlier run inserted this backup's rows; BackupError if there is anything else."""
    steps = migrations.applied(connection)
    if _mark(header) in steps:
        return True
    if any(name.startswith(migrations.UNFINISHED_RESTORE) for name in steps):
        raise BackupError("the database holds an unfinished restore of another backup: use an empty database")
    if connection.execute(_HAS_TABLES).fetchone() != (False,):
        raise BackupError("the database is not empty: restore into a new database")
    if list(islice(storage.keys(), 1)):
        raise BackupError("the storage is not empty: restore into an empty storage")
    return False


def _fill_storage(storage: Storage, file: BinaryIO, keys: BackupKeys | None, progress: Progress) -> int:
    count = 0
    for part in checked_parts(file, keys):
        if part.name.startswith(OBJECTS):
            storage.put(part.name.removeprefix(OBJECTS), part.content)  # type: ignore[arg-type]
            count += 1
            progress("objects", count, count)
    return count


def _verify(url: str, header: Header, progress: Progress) -> None:
    verdict = audit.verify(url, lambda position: progress("links", position, header.events))
    if verdict.first_bad is not None:
        raise BackupError(f"event {verdict.first_bad[0]} {verdict.first_bad[1]}: the history in the backup is damaged")
    if (verdict.events, verdict.head.hex()) != (header.events, header.head or audit.GENESIS.hex()):
        raise BackupError("the history does not end where the backup's header says")


def _credentials(connection: Connection[TupleRow]) -> RestoredCredentials:
    with connection.cursor(row_factory=class_row(RestoredApiKey)) as cursor:
        api_keys = cursor.execute(_VALID_API_KEYS).fetchall()
    [(sessions, ticket_tokens)] = connection.execute(_COUNTS).fetchall()
    return RestoredCredentials(api_keys, sessions, ticket_tokens)

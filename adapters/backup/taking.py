"""Making a backup of a running service: one snapshot of the database, and the stored objects that it names."""

import gzip
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.backup import tables
from adapters.backup.parts import CHUNK_BYTES, BackupKeys, Writer, new_file
from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.proof import audit, published
from adapters.proof.copied_rows import VerifyingProcess, verifier
from adapters.storage.contents import storage_key
from adapters.storage.protocol import Storage
from domain import events
from domain.errors import NotFoundError

HEADER = "backup.json"
FORMAT = "storyledger backup 3"
# The rows in it are COPY text, as in the format of version 0.1.0, which has no code.
TEXT_FORMAT = "storyledger backup 2"
UNAUTHENTICATED_FORMAT = "storyledger backup 1"
ROWS, OBJECTS = "tables/", "objects/"

# Larger objects are buffered in a temporary file.
IN_MEMORY_BYTES = 2**20
BATCH_NAMES = 500

# The topics of events that name content in storage.
CONTENT_TOPICS = [
    event.TOPIC
    for event in vars(events).values()
    if isinstance(event, type) and "content" in getattr(event, "__annotations__", {}) and hasattr(event, "TOPIC")
]

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_NAMED = """
SELECT DISTINCT e.ticket, convert_from(e.state, 'UTF8')::json -> 'content' ->> 'sha256'
  FROM events e JOIN ticket_keys k ON k.ticket_id = e.ticket WHERE e.topic = ANY(%s) AND k.wrapped <> ''
"""

_NOTE = (
    "INSERT INTO last_backup (taken_at) VALUES (%s) ON CONFLICT (only_row) DO UPDATE SET taken_at = EXCLUDED.taken_at"
)

# Called with the unit, the number done, and the expected number.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Header:
    """The first part of a backup, which describes it."""

    format: str
    id: str
    taken_at: datetime
    version: str
    steps: list[str]
    events: int
    head: str
    master_keys: list[str]
    sequences: dict[str, int]
    tables: dict[str, list[str]]
    # The epochs that rows are sealed in, and where their keys were; the backup does not contain these.
    epochs: list[str] = field(default_factory=list)
    epoch_keys: str = ""


@dataclass(frozen=True)
class BackupReport:
    """The contents of a backup. `missing` are keys of contents that the history names and storage does not have."""

    events: int
    rows: int
    objects: int
    erased_meanwhile: int
    missing: list[str]
    first_bad: tuple[int, str] | None
    size_bytes: int


def take_backup(
    url: str,
    storage: Storage,
    file: Path,
    keys: BackupKeys,
    version: str,
    epoch_keys: str,
    progress: Progress = lambda *_: None,
) -> BackupReport:
    """Write a backup to a new file, authenticated with the keys; BackupError if that fails.

    Content is stored before the event that names it and never changes, so storage holds everything that the snapshot
    names, except what was erased since: that is not in the backup.
    """
    with (
        connect(url, statement_seconds=0, name="storyledger backup") as connection,
        connect(url, name="storyledger backup") as present,
        new_file(file) as opened,
    ):
        writer = Writer(opened, keys)
        connection.execute(_SNAPSHOT)
        # Copying takes long, and may wait for a migration's lock.
        connection.execute("SET LOCAL statement_timeout = 0")
        with connection.cursor() as cursor:
            header = _header(cursor, version, epoch_keys)
            [(snapshot,)] = cursor.execute("SELECT pg_export_snapshot()").fetchall()
            writer.add(HEADER, msgspec.json.format(msgspec.json.encode(asdict(header))))
            with verifier(url, snapshot, header.events) as verification:
                rows = _copy_rows(cursor, header.tables, writer, verification, progress)
                verdict = verification.verdict()
            objects = _Objects(storage, writer, present)
            objects.copy(connection, progress)
            objects.copy_others(progress)
        connection.execute("COMMIT")
        writer.finish()
        size = opened.tell()
        # A standby cannot note it.
        with suppress(psycopg.errors.ReadOnlySqlTransaction):
            present.execute(_NOTE, (header.taken_at,))
    return BackupReport(header.events, rows, objects.count, objects.erased, objects.missing, verdict.first_bad, size)


def _header(cursor: Cursor[TupleRow], version: str, epoch_keys: str) -> Header:
    row = cursor.execute("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1").fetchone()
    names = cursor.execute("SELECT DISTINCT wrapped_by FROM ticket_keys WHERE wrapped <> '' ORDER BY 1").fetchall()
    epochs = cursor.execute("SELECT name FROM epochs ORDER BY number").fetchall()
    return Header(
        format=FORMAT,
        id=str(uuid4()),
        taken_at=datetime.now(UTC),
        version=version,
        steps=migrations.applied(cursor.connection),
        events=row[0] if row else 0,
        head=bytes(row[1]).hex() if row else "",
        master_keys=[name for (name,) in names],
        sequences=tables.sequences(cursor),
        tables=tables.backed_up_tables(cursor),
        epochs=[bytes(name).hex() for (name,) in epochs],
        epoch_keys=epoch_keys,
    )


def _copy_rows(
    cursor: Cursor[TupleRow],
    copied: tables.Tables,
    writer: Writer,
    verification: audit.Verification | VerifyingProcess,
    progress: Progress,
) -> int:
    """Copy tables and return the number of their rows.

    Each piece is compressed and written while the next one is read and its events are verified. A worker that verifies
    delays the reading, so at most three pieces are in memory here.
    """
    rows = 0
    with ThreadPoolExecutor(max_workers=1) as archiving:
        archived = archiving.submit(lambda: None)
        for name, columns in copied.items():
            total, count = tables.estimate(cursor, name), 0
            for number, (file, lengths) in enumerate(tables.pieces(cursor, name, columns), 1):
                archived.result()
                level = tables.COMPRESSION.get(name, 1)
                archived = archiving.submit(_archive, writer, f"{ROWS}{name}/{number:08}", file, level)
                if name == tables.EVENTS:
                    verification.extend_copied((file, lengths))
                count += len(lengths)
                progress("rows", count, max(total, count))
            rows += count
        archived.result()
    return rows


def _archive(writer: Writer, name: str, file: bytes, level: int) -> None:
    writer.add(name, gzip.compress(file, level, mtime=0))


class _Objects:
    """Copies stored objects and counts the copied, erased and missing ones."""

    def __init__(self, storage: Storage, writer: Writer, present: Connection[TupleRow]) -> None:
        self._storage = storage
        self._writer = writer
        self._present = present
        self.count = 0
        self.erased = 0
        self.missing: list[str] = []

    def copy(self, snapshot: Connection[TupleRow], progress: Progress) -> None:
        """Copy all content that the snapshot's history names, except that of erased tickets."""
        with snapshot.cursor("contents") as cursor:
            cursor.itersize = BATCH_NAMES
            cursor.execute(_NAMED, (CONTENT_TOPICS,))
            for ticket, digest in cursor:
                key = storage_key(ticket, digest)
                if not self._copy(key):
                    if self._is_erased(ticket):
                        self.erased += 1
                    else:
                        self.missing.append(key)
                progress("objects", self.count, self.count)

    def copy_others(self, progress: Progress) -> None:
        """Copy the objects that are not content of tickets, but no checkpoints, which may be newer than the rows."""
        for key in self._storage.keys(""):
            if not key.startswith(("tickets/", published.FOLDER)):
                self._copy(key)
                progress("objects", self.count, self.count)

    def _copy(self, key: str) -> bool:
        try:
            source = self._storage.open(key)
        except NotFoundError:
            return False
        with source, tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as whole:
            while chunk := source.read(CHUNK_BYTES):
                whole.write(chunk)
            self._writer.add_file(OBJECTS + key, whole)  # type: ignore[arg-type]
        self.count += 1
        return True

    def _is_erased(self, ticket: UUID) -> bool:
        """Return True if the person was erased since the snapshot was taken."""
        row = self._present.execute("SELECT wrapped FROM ticket_keys WHERE ticket_id = %s", (ticket,)).fetchone()
        return row is None or not row[0]

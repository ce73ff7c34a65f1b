"""The tables of a backup, and how their rows are read and written."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter

from psycopg import Cursor, sql
from psycopg.errors import error_from_result
from psycopg.rows import TupleRow

from adapters.backup.parts import CHUNK_BYTES, BackupError, Readable
from adapters.proof.audit import Piece

PIECE_BYTES = 4 * 2**20
# No piece that this code writes is larger; a damaged one could unpack without end.
LARGEST_PIECE_BYTES = PIECE_BYTES + 2**30

EVENTS = "public.events"
# The level of compression of tables that do not have level 1. Hashes do not become smaller.
COMPRESSION = {"public.proof_tiles": 0}

# "SCHEMA.TABLE" to the names of its columns in order.
Tables = dict[str, list[str]]

# All tables except read models (folded from the history), the sandbox (not the service's data), the schema steps
# (written by `migrate`), and what is known of the last day and of the last backup.
_COLUMNS = """
SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text ORDER BY a.attnum)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND n.nspname !~ '^(pg_|read$|read_|sandbox$|information_schema$)'
   AND (n.nspname <> 'public' OR c.relname NOT IN ('projections', 'schema_steps', 'health_samples', 'last_backup'))
 GROUP BY 1 ORDER BY 1
"""

_REFERENCES = """
SELECT n.nspname || '.' || c.relname, m.nspname || '.' || d.relname
  FROM pg_constraint r
  JOIN pg_class c ON c.oid = r.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class d ON d.oid = r.confrelid JOIN pg_namespace m ON m.oid = d.relnamespace
 WHERE r.contype = 'f' AND c.oid <> d.oid
"""


def backed_up_tables(cursor: Cursor[TupleRow]) -> Tables:
    """Return the tables of a backup; a table comes after the tables that it references."""
    columns: Tables = dict(cursor.execute(_COLUMNS).fetchall())
    order: TopologicalSorter[str] = TopologicalSorter({name: set() for name in columns})
    for table, referenced in cursor.execute(_REFERENCES).fetchall():
        if table in columns and referenced in columns:
            order.add(table, referenced)
    return {name: columns[name] for name in order.static_order()}


def _with_columns(name: str, columns: list[str]) -> sql.Composed:
    return sql.SQL("{} ({})").format(
        sql.Identifier(*name.split(".", 1)), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def estimate(cursor: Cursor[TupleRow], name: str) -> int:
    """Return the planner's estimate of the number of rows, for progress only."""
    row = cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", (name,)).fetchone()
    return max(0, int(row[0])) if row else 0


# Of COPY's binary format: the signature, no flags and no extension; the count of columns that marks the end.
_BINARY_HEADER, _BINARY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def pieces(cursor: Cursor[TupleRow], name: str, columns: list[str]) -> Iterator[Piece]:
    """Yield a table's rows in files of several MiB, with their lengths; events in the order of their positions."""
    rows = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT BINARY)").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(*name.split(".", 1)),
        sql.SQL(" ORDER BY position" if name == EVENTS else ""),
    )
    pgconn = cursor.connection.pgconn
    piece: list[bytes] = []
    size = 0
    with cursor.copy(rows) as copy:
        while received := copy.read():
            # The header comes with the first row. No row begins as the header.
            row = bytes(received).removeprefix(_BINARY_HEADER)
            # Rows that have already arrived are read from libpq, because `copy.read()` prepares to wait for each row,
            # which takes twice as long.
            while row and row != _BINARY_END:
                piece.append(row)
                size += len(row)
                if size >= PIECE_BYTES:
                    yield _file(piece)
                    piece, size = [], 0
                length, received = pgconn.get_copy_data(1)
                if length < 0:
                    [failed] = iter(pgconn.get_result, None)
                    raise error_from_result(failed)
                row = bytes(received)
    if piece:
        yield _file(piece)


def _file(rows: list[bytes]) -> Piece:
    return b"".join((_BINARY_HEADER, *rows, _BINARY_END)), list(map(len, rows))


class TableLoad:
    """Copies pieces into tables, in the caller's transaction."""

    def __init__(self, cursor: Cursor[TupleRow], tables: Tables, *, binary: bool) -> None:
        self._cursor = cursor
        self._tables = tables
        self._format = sql.SQL(" (FORMAT BINARY)" if binary else "")
        self.rows = 0

    def copy(self, name: str, piece: Readable) -> None:
        table = _with_columns(name, self._tables[name])
        with self._cursor.copy(sql.SQL("COPY {} FROM STDIN{}").format(table, self._format)) as copy:
            for chunk in _decompressed(piece):
                copy.write(chunk)
        self.rows += self._cursor.rowcount


def _decompressed(piece: Readable) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    size = 0
    try:
        while chunk := piece.read(CHUNK_BYTES):
            plain = decompressor.decompress(chunk, CHUNK_BYTES)
            while plain:
                size += len(plain)
                if size > LARGEST_PIECE_BYTES:
                    raise BackupError("the backup is damaged: a piece is too large")
                yield plain
                plain = decompressor.decompress(decompressor.unconsumed_tail, CHUNK_BYTES)
    except zlib.error:
        raise BackupError("the backup is damaged: a piece cannot be unpacked") from None


def clear(cursor: Cursor[TupleRow], tables: Tables) -> None:
    """Delete the rows that the migrations inserted; tables that reference others come first."""
    for name in reversed(tables):
        table = sql.Identifier(*name.split(".", 1))
        if cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone() == (True,):
            cursor.execute(sql.SQL("DELETE FROM {}").format(table))


# Two statements for each trigger, index and constraint that slows the insertion of many rows or inserts further rows:
# the first removes it, the second restores it. An index that a foreign key references stays.
_SUSPENDED = """
SELECT format('ALTER TABLE %%s DISABLE TRIGGER %%I', tgrelid::regclass, tgname),
       format('ALTER TABLE %%s ENABLE TRIGGER %%I', tgrelid::regclass, tgname)
  FROM pg_trigger
 WHERE NOT tgisinternal AND tgtype & 4 <> 0 AND tgenabled = 'O' AND tgrelid = ANY(%(tables)s::regclass[])
 UNION ALL
SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)
  FROM pg_index WHERE indrelid = ANY(%(tables)s::regclass[])
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
 UNION ALL
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint u WHERE contype = 'u' AND conrelid = ANY(%(tables)s::regclass[])
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = u.conindid AND contype = 'f')
"""


@contextmanager
def prepared_for_load(cursor: Cursor[TupleRow], tables: Tables) -> Iterator[None]:
    """Run the block without the tables' insert triggers, indexes and unique constraints, and restore them after it.

    The rows that the triggers inserted are in the backup, too. If the block fails, nothing is restored: the caller's
    transaction must be rolled back.
    """
    statements = cursor.execute(_SUSPENDED, {"tables": list(tables)}).fetchall()
    for remove, _ in statements:
        cursor.execute(remove)
    yield
    for _, restore in statements:
        cursor.execute(restore)


def sequences(cursor: Cursor[TupleRow]) -> dict[str, int]:
    """Return the last value of each sequence that was used."""
    cursor.execute(
        "SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences"
        " WHERE last_value IS NOT NULL AND schemaname NOT LIKE 'read%' AND schemaname <> 'sandbox'"
    )
    return dict(cursor.fetchall())


def set_sequences(cursor: Cursor[TupleRow], values: dict[str, int]) -> None:
    for name, value in values.items():
        cursor.execute("SELECT setval(to_regclass(%s), %s)", (name, value))

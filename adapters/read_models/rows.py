"""The rows that one batch of events changes, written with a few statements for each table.

Bulk statements give the read models their speed: `python -m tests.benchmarks --only read-models` shows 48 × the
library's ProjectionRunner, which writes row by row.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from projections.model import Key, Row, Table, lowest

# At least this many rows of one table are written with COPY, fewer with an INSERT from arrays.
MIN_COPY_ROWS = 200


class BatchRows:
    """The port `projections.model.Rows` in one database transaction.

    A row that is put without having been loaded must be new: COPY fails if its key exists.
    """

    def __init__(self, cursor: Cursor[TupleRow], schema: str) -> None:
        self._cursor = cursor
        self._schema = schema
        # The loaded rows; None if the database has none.
        self._loaded: dict[Table, dict[Key, Row | None]] = defaultdict(dict)
        # The changed rows, in the order of their first change; None for a deleted one.
        self._changed: dict[Table, dict[Key, Row | None]] = defaultdict(dict)

    def load(self, table: Table, keys: Iterable[Key]) -> None:
        loaded, changed = self._loaded[table], self._changed[table]
        missing_keys = [key for key in keys if key not in loaded and key not in changed]
        if not missing_keys:
            return
        self._cursor.execute(
            _statements(self._schema, table).load, [list(values) for values in zip(*missing_keys, strict=True)]
        )
        loaded.update(dict.fromkeys(missing_keys))
        for values in self._cursor.fetchall():
            row = dict(zip(table.columns, values, strict=True))
            loaded[table.key_of(row)] = row

    def get(self, table: Table, key: Key) -> Row | None:
        changed = self._changed[table]
        row = changed[key] if key in changed else self._loaded[table].get(key)
        return None if row is None else dict(row)

    def lowest(self, table: Table, column: str, group: Row) -> Any:
        changed = self._changed[table]
        keys = [list(values) for values in zip(*changed, strict=True)] or [[] for _ in table.key]
        self._cursor.execute(
            sql.SQL("SELECT min({}) FROM {} WHERE {} AND ({}) NOT IN (SELECT * FROM unnest({}))").format(
                sql.Identifier(column),
                sql.Identifier(self._schema, table.name),
                sql.SQL(" AND ").join(sql.SQL("{} = %b").format(sql.Identifier(name)) for name in group),
                _identifiers(table.key),
                _array_placeholders(table, table.key),
            ),
            [*group.values(), *keys],
        )
        stored = self._cursor.fetchall()
        put_rows = [row for row in changed.values() if row is not None]
        return lowest([*put_rows, *({**group, column: value} for (value,) in stored)], column, group)

    def put(self, table: Table, row: Row) -> None:
        self._changed[table][table.key_of(row)] = row

    def delete(self, table: Table, key: Key) -> None:
        self._changed[table][key] = None

    def flush(self) -> None:
        """Write the changed rows, once."""
        for table, rows in self._changed.items():
            deleted_keys = [key for key, row in rows.items() if row is None]
            stored_keys = [key for key, row in self._loaded[table].items() if row is not None]
            old = [row for key in stored_keys if (row := rows.pop(key, None)) is not None]
            new = [row for row in rows.values() if row is not None]
            if deleted_keys:
                self._delete(table, deleted_keys)
            if len(new) >= MIN_COPY_ROWS:
                self._copy_into(sql.Identifier(self._schema, table.name), table, new)
                new = []
            if len(old) >= MIN_COPY_ROWS:
                self._replace(table, old)
                old = []
            if new or old:
                self._upsert(table, new + old)

    def _delete(self, table: Table, keys: list[Key]) -> None:
        self._cursor.execute(
            _statements(self._schema, table).delete, [list(values) for values in zip(*keys, strict=True)]
        )

    def _upsert(self, table: Table, rows: list[Row]) -> None:
        self._cursor.execute(
            _statements(self._schema, table).upsert,
            [list(column) for column in zip(*_values(table, rows), strict=True)],
        )

    def _replace(self, table: Table, rows: list[Row]) -> None:
        """COPY changed rows into a temporary table from which they replace the stored ones."""
        staging = sql.Identifier(f"staging_{table.name}")
        target = sql.Identifier(self._schema, table.name)
        self._cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} (LIKE {}) ON COMMIT DELETE ROWS").format(staging, target)
        )
        # An earlier batch in the same transaction may have left rows there.
        self._cursor.execute(sql.SQL("DELETE FROM {}").format(staging))
        self._copy_into(staging, table, rows)
        self._cursor.execute(
            sql.SQL("INSERT INTO {target} ({columns}) SELECT {columns} FROM {staging} {conflict}").format(
                target=target, columns=_identifiers(table.columns), staging=staging, conflict=_on_conflict(table)
            )
        )

    def _copy_into(self, target: sql.Identifier, table: Table, rows: list[Row]) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(target, _identifiers(table.columns))
        with self._cursor.copy(statement) as copy:
            copy.set_types(list(table.columns.values()))
            for values in _values(table, rows):
                copy.write_row(values)


@dataclass(frozen=True)
class _Statements:
    """The statements for one table, composed once."""

    load: bytes
    delete: bytes
    upsert: bytes


@lru_cache(maxsize=256)
def _statements(schema: str, table: Table) -> _Statements:
    parts = {
        "table": sql.Identifier(schema, table.name),
        "columns": _identifiers(table.columns),
        "key": _identifiers(table.key),
        "keys": _array_placeholders(table, table.key),
        "rows": _array_placeholders(table, table.columns),
        "conflict": _on_conflict(table),
    }

    def composed(statement: LiteralString) -> bytes:
        return sql.SQL(statement).format(**parts).as_bytes()

    return _Statements(
        load=composed("SELECT {columns} FROM {table} WHERE ({key}) IN (SELECT * FROM unnest({keys}))"),
        delete=composed("DELETE FROM {table} WHERE ({key}) IN (SELECT * FROM unnest({keys}))"),
        upsert=composed("INSERT INTO {table} ({columns}) SELECT * FROM unnest({rows}) {conflict}"),
    )


def _values(table: Table, rows: Iterable[Row]) -> Iterator[Sequence[object]]:
    """Yield each row's values in the order of the columns, jsonb values wrapped for the driver."""
    jsonb_columns = [index for index, sql_type in enumerate(table.columns.values()) if sql_type == "jsonb"]
    if not jsonb_columns:
        yield from map(table.values_of, rows)
        return
    for row in rows:
        values = list(table.values_of(row))
        for index in jsonb_columns:
            if values[index] is not None:
                values[index] = Jsonb(values[index])
        yield values


def _identifiers(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _array_placeholders(table: Table, names: Iterable[str]) -> sql.Composed:
    sql_types = [table.columns[name] for name in names]
    return sql.SQL(", ").join(sql.SQL(f"%b::{sql_type}[]") for sql_type in sql_types)


def _on_conflict(table: Table) -> sql.Composed:
    return sql.SQL("ON CONFLICT ({key}) DO UPDATE SET {changes}").format(
        key=_identifiers(table.key),
        changes=sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in table.columns
        ),
    )

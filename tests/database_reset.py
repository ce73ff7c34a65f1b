"""Resets a used database to its template's content, which takes a third of the time of a new copy.

PostgreSQL counts the rows that are inserted, updated and deleted in every table, in the catalogs as well. So the counts
of the catalogs say whether a definition has changed since the database was handed out, and those of the other tables
say which ones have to be emptied. A session adds its counts before it leaves `pg_stat_activity`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

# After so many resets the catalogs and the tables have many dead rows.
RESETS = 40

# Deleting a few rows is quicker than giving the table and its indexes new files: for the 32 tables that a ticket with a
# recording, a page and a payment fills, 8 instead of 30 milliseconds of processor time.
FEW_CHANGES = 500

# Properties of a database that are not in its own catalogs. The last two functions are called
# without their views, with which the query takes 5.3 instead of 3.3 ms of processor time.
_PROPERTIES = """
SELECT datdba, datacl::text, datconnlimit, datallowconn, datistemplate,
       (SELECT array_agg(setconfig::text) FROM pg_db_role_setting WHERE setdatabase = pg_database.oid),
       (SELECT count(*) FROM pg_shdescription WHERE objoid = pg_database.oid),
       (SELECT count(*) FROM pg_subscription WHERE subdbid = pg_database.oid),
       (SELECT count(*) FROM pg_prepared_xact() WHERE dbid = pg_database.oid),
       (SELECT count(*) FROM pg_get_replication_slots() WHERE datoid = pg_database.oid)
  FROM pg_database WHERE datname = current_database()
"""

# Tables whose rows have been changed, with their schema, and the number of changes.
_CHANGED = """
SELECT oid, relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace), changes
  FROM pg_class, LATERAL (SELECT pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)
                               + pg_stat_get_tuples_deleted(oid) AS changes) AS counted
 WHERE relkind IN ('r', 'm') AND NOT relisshared AND changes > 0
"""

_SEQUENCES = "SELECT seqrelid, pg_sequence_last_value(seqrelid) FROM pg_sequence ORDER BY seqrelid"


class Content(NamedTuple):
    """The content of a database that nobody has changed yet."""

    properties: tuple[Any, ...]
    sequences: dict[int, int | None]
    tables: dict[int, str]
    """The names of its tables, as in statements."""
    rows: dict[int, bytes]
    """The rows of tables that are not empty, in PostgreSQL's format for copies."""
    references: list[tuple[int, int]]
    """Pairs of tables of which the second one has a foreign key to the first one."""


def read_content(url: str) -> Content:
    """Return the content of a database that is a new copy of its template."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = dict(
            connection.execute(
                "SELECT oid, oid::regclass::text FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
        )
        filled = connection.execute(
            "SELECT oid FROM pg_class WHERE oid = ANY(%s) AND pg_relation_size(oid) > 0", [list(tables)]
        ).fetchall()
        return Content(
            properties=_properties(connection),
            sequences=dict(connection.execute(_SEQUENCES).fetchall()),
            tables=tables,
            rows={oid: rows for (oid,) in filled if (rows := _copied(connection, tables[oid]))},
            references=connection.execute(
                "SELECT confrelid, conrelid FROM pg_constraint WHERE contype = 'f'"
            ).fetchall(),
        )


def reset(url: str, content: Content) -> bool:
    """Reset a database, to which nobody else is connected, to this content.

    Return False if its definitions, its privileges or its own settings have changed, or if it cannot be reset. The
    database is of no use then.
    """
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            return _reset(connection, content)
    except psycopg.Error:
        return False


def _reset(connection: psycopg.Connection[Any], content: Content) -> bool:
    changed = connection.execute(_CHANGED).fetchall()
    if any(catalog for _, catalog, _ in changed) or _properties(connection) != content.properties:
        return False
    tables = {oid for oid, _, _ in changed}
    while more := {child for parent, child in content.references if parent in tables} - tables:
        tables |= more
    names = [content.tables[oid] for oid in tables]
    with connection.transaction():
        if tables:
            # Without triggers: some refuse that history is deleted, and those of foreign keys would check each row.
            connection.execute("SET LOCAL session_replication_role = replica")
            if sum(changes for _, _, changes in changed) <= FEW_CHANGES:
                connection.execute("; ".join(f"DELETE FROM {name}" for name in names).encode())
            else:
                connection.execute(f"TRUNCATE {', '.join(names)}".encode())
        for oid in tables & content.rows.keys():
            with connection.cursor().copy(f"COPY {content.tables[oid]} FROM STDIN".encode()) as copy:
                copy.write(content.rows[oid])
    for oid, value in connection.execute(_SEQUENCES).fetchall():
        if value == content.sequences[oid]:
            continue
        if content.sequences[oid] is None:
            connection.execute(
                "SELECT setval(%s::oid, seqstart, false) FROM pg_sequence WHERE seqrelid = %s", [oid, oid]
            )
        else:
            connection.execute("SELECT setval(%s::oid, %s)", [oid, content.sequences[oid]])
    # What this session has changed must not be counted for the next test.
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.execute("SELECT pg_stat_reset()")
    return True


def _properties(connection: psycopg.Connection[Any]) -> tuple[Any, ...]:
    row = connection.execute(_PROPERTIES).fetchone()
    assert row is not None
    return tuple(row)


def _copied(connection: psycopg.Connection[Any], table: str) -> bytes:
    with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
        return b"".join(bytes(part) for part in copy)

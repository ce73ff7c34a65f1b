"""Checks that a database can be used: its version, its durability settings, and that its schema is this version's."""

import re
from dataclasses import dataclass
from functools import cache

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.postgres import migrations

OLDEST_MAJOR = 15

# With one of these off, an acknowledged commit may be lost (https://www.postgresql.org/docs/current/runtime-config-wal.html).
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")

_TABLE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?([\w.]+)", re.MULTILINE)
_DROPPED = re.compile(r"^DROP TABLE (?:IF EXISTS )?([\w.]+)", re.MULTILINE)
_RENAMED = re.compile(r"^ALTER TABLE (\w+) RENAME TO (\w+)", re.MULTILINE)
_TRIGGER = re.compile(r"^CREATE TRIGGER (\w+)", re.MULTILINE)
_FUNCTION = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (?P<name>\w+)[^;$]*?\$(?P<tag>\w*)\$(?P<body>.*?)\$(?P=tag)\$",
    re.MULTILINE | re.DOTALL,
)


def server_fault(connection: Connection[TupleRow], *, production: bool) -> str | None:
    """Return what is wrong with the server or its settings in one line, or None."""
    version = connection.info.server_version
    if version // 10_000 < OLDEST_MAJOR:
        return f"PostgreSQL {version // 10_000} is too old: {OLDEST_MAJOR} or later is needed"
    if _setting(connection, "transaction_read_only") == "on":
        return "it is read-only"
    if production:
        off = [name for name in DURABLE if _setting(connection, name) == "off"]
        if off:
            return f"{', '.join(off)} off: production needs a PostgreSQL that loses no acknowledged commit"
    return None


def schema_fault(connection: Connection[TupleRow]) -> str | None:
    """Return how the schema differs from this version's and how to fix it in one line, or None."""
    applied, expected = migrations.applied(connection), _expected()
    if any(name.startswith(migrations.UNFINISHED_RESTORE) for name in applied):
        return "a restore into it was interrupted: run `storyledger restore` again with its backup"
    if missing := [name for name in expected.steps if name not in applied]:
        return f"schema is behind ({', '.join(missing)}): run `storyledger migrate`"
    if unknown := [name for name in applied if name not in expected.steps]:
        return f"schema is ahead of this version ({', '.join(unknown)})"
    # All steps were applied. Their tables, triggers and functions must still exist, and the functions be unchanged:
    # only our `append_events` gives positions without gaps in the order of commits.
    [row] = connection.execute(
        "SELECT array(SELECT 'no table ' || t FROM unnest(%s::text[]) AS t WHERE to_regclass(t) IS NULL)"
        " || array(SELECT 'no trigger ' || t FROM unnest(%s::text[]) AS t WHERE NOT EXISTS"
        "  (SELECT FROM pg_trigger WHERE tgname = t AND tgenabled IN ('O', 'A')))"
        " || array(SELECT 'not our function ' || f FROM unnest(%s::text[], %s::text[]) AS ours (f, body)"
        "  WHERE NOT EXISTS (SELECT FROM pg_proc WHERE proname = f AND prosrc = body))",
        (expected.tables, expected.triggers, list(expected.functions), list(expected.functions.values())),
    ).fetchall()
    return f"schema is damaged: {', '.join(row[0])}" if row[0] else None


@dataclass(frozen=True)
class _Expected:
    """The objects that the migration steps create, parsed from their SQL; a function has its last definition."""

    steps: list[str]
    tables: list[str]
    triggers: list[str]
    functions: dict[str, str]


@cache
def _expected() -> _Expected:
    tables: dict[str, None] = {}
    triggers: dict[str, None] = {}
    functions: dict[str, str] = {}
    steps = migrations.steps()
    for step in (sql for _, sql in steps):
        tables |= dict.fromkeys(_TABLE.findall(step))
        for dropped in _DROPPED.findall(step):
            tables.pop(dropped, None)
        for old_name, new_name in _RENAMED.findall(step):
            tables.pop(old_name)
            tables[new_name] = None
        triggers |= dict.fromkeys(_TRIGGER.findall(step))
        functions |= {match["name"]: match["body"] for match in _FUNCTION.finditer(step)}
    return _Expected([name for name, _ in steps], list(tables), list(triggers), functions)


def _setting(connection: Connection[TupleRow], name: str) -> str:
    [row] = connection.execute("SELECT current_setting(%s)", (name,)).fetchall()
    return str(row[0])

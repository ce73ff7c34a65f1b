"""The database's schema, as numbered steps that are taken once each and never changed after they shipped."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from importlib.resources import files

from psycopg import Connection
from psycopg.rows import TupleRow

MIGRATION_LOCK = 7305808869229539
# Stands among the steps, with the backup's id, from the first row of a restore until it is verified.
UNFINISHED_RESTORE = "unfinished_restore"


def _procrastinate_schema() -> str:
    return (files("procrastinate") / "sql" / "schema.sql").read_text()


def steps() -> list[tuple[str, Callable[[], str]]]:
    """Name and SQL of every step, in order; the work queue's own tables come from its package."""
    own = sorted(
        (f for f in files(__name__).iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", f.name)), key=lambda f: f.name
    )
    named: list[tuple[str, Callable[[], str]]] = [(f.name.removesuffix(".sql"), f.read_text) for f in own]
    return [*named, ("procrastinate_3_10", _procrastinate_schema)]


def applied(connection: Connection[TupleRow]) -> list[str]:
    """The steps this database has taken; empty for a database that never was ours."""
    if connection.execute("SELECT to_regclass('public.schema_steps')").fetchone() == (None,):
        return []
    return [name for (name,) in connection.execute("SELECT name FROM schema_steps ORDER BY taken_at, name").fetchall()]


def migrate(connection: Connection[TupleRow], only: Collection[str] | None = None) -> list[str]:
    """Take the steps that are missing, all or none; safe to call twice and from two places at once.

    With `only` others than these are left. Returns the names of the steps it took.
    """
    taken: list[str] = []
    with connection.transaction():
        # A step, or whoever is at it already, may take longer than a request is allowed to.
        connection.execute("SET LOCAL lock_timeout = 0")
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_steps (name text PRIMARY KEY, taken_at timestamptz DEFAULT now())"
        )
        known = set(applied(connection))
        for name, sql in steps():
            if name not in known and (only is None or name in only):
                connection.execute(sql().encode())
                connection.execute("INSERT INTO schema_steps (name) VALUES (%s)", (name,))
                taken.append(name)
    return taken

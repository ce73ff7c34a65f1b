"""The database's schema as steps: each is applied once, and none is changed after it was released.

`procrastinate_3_10` is the job queue's schema as that version of the library ships it. When an upgrade of the library
changes its schema, the library's migration scripts become a numbered step here.
"""

from collections.abc import Collection
from importlib.resources import files

from psycopg import Connection
from psycopg.rows import TupleRow

MIGRATION_LOCK = 7305808869229539
# Stored among the steps, followed by the backup's id, while a restore is not complete and verified.
UNFINISHED_RESTORE = "unfinished_restore"


def steps() -> list[tuple[str, str]]:
    """Return the name and the SQL of every step, in the order in which they are applied."""
    sql_files = sorted((file for file in files(__name__).iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return [(file.name.removesuffix(".sql"), file.read_text()) for file in sql_files]


def applied(connection: Connection[TupleRow]) -> list[str]:
    """Return the names of the steps that were applied to this database, none if it was never migrated."""
    if connection.execute("SELECT to_regclass('public.schema_steps')").fetchone() == (None,):
        return []
    return [name for (name,) in connection.execute("SELECT name FROM schema_steps ORDER BY taken_at, name").fetchall()]


def migrate(connection: Connection[TupleRow], only: Collection[str] | None = None) -> list[str]:
    """Apply the missing steps, all or none, and return their names. Safe to call again and from several processes.

    With `only`, apply none but the missing steps among these.
    """
    newly_applied: list[str] = []
    with connection.transaction():
        # A step, or the wait for another process that migrates, may take longer than the usual limits allow.
        connection.execute("SET LOCAL lock_timeout = 0")
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_steps (name text PRIMARY KEY, taken_at timestamptz DEFAULT now())"
        )
        already_applied = set(applied(connection))
        for name, sql in steps():
            if name not in already_applied and (only is None or name in only):
                connection.execute(sql.encode())
                connection.execute("INSERT INTO schema_steps (name) VALUES (%s)", (name,))
                newly_applied.append(name)
    return newly_applied

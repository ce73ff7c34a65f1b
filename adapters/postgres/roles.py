"""Two database roles: one owns the schema and migrates it, the other runs the service and cannot alter the history."""

from psycopg import Connection, sql
from psycopg.rows import TupleRow

# Tables whose rows the service only adds and reads; triggers refuse every change as well.
APPEND_ONLY = ("events", "access_log", "proof_checkpoints")
# Tables with other rights than to read, insert, update and delete.
RIGHTS = dict.fromkeys(APPEND_ONLY, "SELECT, INSERT") | {
    "proof_tiles": "SELECT, INSERT, UPDATE",
    "schema_steps": "SELECT",
}
OTHER_TABLES = "SELECT, INSERT, UPDATE, DELETE"
# The schemas that the service fills and replaces by itself: read models, and the sandbox's objects.
OF_THE_SERVICE = "^(read|read_.*|sandbox)$"

_OWN_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname ~ %s AND nspowner = current_user::regrole"
_OWN_RELATIONS = """
SELECT nspname, relname, relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE nspname ~ %s AND relkind IN ('r', 'v', 'S') AND relowner = current_user::regrole
"""

_POWERS = """
SELECT CASE WHEN r.rolsuper THEN ARRAY['is a superuser'] ELSE array_remove(ARRAY[
    CASE WHEN pg_has_role(c.relowner, 'MEMBER') THEN 'owns the table events' END,
    CASE WHEN pg_has_role(n.nspowner, 'MEMBER') THEN 'owns the schema of the table events' END,
    CASE WHEN has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE') THEN 'may change or delete events' END,
    CASE WHEN has_table_privilege(c.oid, 'TRIGGER') THEN 'may add triggers to the table events' END,
    CASE WHEN has_parameter_privilege('session_replication_role', 'SET') THEN 'may switch triggers off' END,
    CASE WHEN r.rolcreaterole THEN 'may give itself other roles' END,
    CASE WHEN pg_has_role('pg_write_server_files', 'MEMBER') OR pg_has_role('pg_execute_server_program', 'MEMBER')
         THEN 'may write files of the server' END
], NULL) END
  FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE r.rolname = current_user AND c.oid = 'events'::regclass
"""


def powers_over_history(connection: Connection[TupleRow]) -> list[str]:
    """Return what would let the connection's role alter recorded events, nothing if it could not."""
    [row] = connection.execute(_POWERS).fetchall()
    return list(row[0])


def current_role(connection: Connection[TupleRow]) -> str:
    [row] = connection.execute("SELECT current_user").fetchall()
    return str(row[0])


def grant_service(owner: Connection[TupleRow], role: str) -> None:
    """Give `role` exactly the rights that the service needs, on everything that the connection's role owns.

    Read models and the sandbox become its own, because the service creates and replaces their tables while it runs.
    Safe to call again; nothing happens if the connection has that role itself.
    """
    if current_role(owner) == role:
        return
    with owner.transaction():
        _run(owner, "GRANT CREATE, TEMPORARY ON DATABASE {} TO {}", (owner.info.dbname,), (role,))
        _run(owner, "GRANT USAGE ON SCHEMA public TO {}", (role,))
        for schema, name, kind in owner.execute(_OWN_RELATIONS, ("^public$",)).fetchall():
            noun = "SEQUENCE" if kind == "S" else "TABLE"
            rights = {"S": "USAGE, SELECT", "v": "SELECT"}.get(kind) or RIGHTS.get(name, OTHER_TABLES)
            _run(owner, f"REVOKE ALL ON {noun} {{}} FROM {{}}", (schema, name), (role,))
            _run(owner, f"GRANT {rights} ON {noun} {{}} TO {{}}", (schema, name), (role,))
        for (schema,) in owner.execute(_OWN_SCHEMAS, (OF_THE_SERVICE,)).fetchall():
            _run(owner, "ALTER SCHEMA {} OWNER TO {}", (schema,), (role,))
        for schema, name, kind in owner.execute(_OWN_RELATIONS, (OF_THE_SERVICE,)).fetchall():
            if kind != "S":  # a sequence goes with its table
                _run(owner, f"ALTER {'VIEW' if kind == 'v' else 'TABLE'} {{}} OWNER TO {{}}", (schema, name), (role,))


def _run(owner: Connection[TupleRow], statement: str, *names: tuple[str, ...]) -> None:
    owner.execute(sql.SQL(statement).format(*(sql.Identifier(*name) for name in names)))

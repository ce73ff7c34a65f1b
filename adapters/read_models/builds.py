"""Builds: one set of a projection's tables in a schema of its own; the live one is what `read`'s views show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from adapters.read_models.rows import PageRows
from projections.model import Projection, Recorded, Table

BUILDS_LOCK = 7305808869229540


class BuildGone(Exception):
    """The build is no more: a newer one took its place."""


@dataclass(frozen=True)
class Build:
    """One build of one projection."""

    projection: Projection
    number: int

    @property
    def schema(self) -> str:
        return f"read_{self.projection.NAME}_{self.number}"


def create(cursor: Cursor[TupleRow], projection: Projection, *, trial: bool = False) -> Build:
    """A new empty build beside the others, with no index but its keys; its bookmark stands before the first event.

    A trial is never shown.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (BUILDS_LOCK,))
    cursor.execute("SELECT coalesce(max(build), 0) + 1 FROM projections WHERE name = %s", (projection.NAME,))
    row = cursor.fetchone()
    assert row is not None
    build = Build(projection, row[0])
    cursor.execute(
        "INSERT INTO projections (name, build, version, trial) VALUES (%s, %s, %s, %s)",
        (projection.NAME, build.number, projection.VERSION, trial),
    )
    cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(build.schema)))
    for table in projection.TABLES:
        _create_table(cursor, build.schema, table)
    return build


def create_indexes(cursor: Cursor[TupleRow], build: Build) -> None:
    """Make the tables ready for readers; costs far less once they are filled, and nothing the second time."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (build.schema,))
    for table in build.projection.TABLES:
        for number, index in enumerate(table.indexes, 1):
            cursor.execute(
                sql.SQL(f"CREATE INDEX IF NOT EXISTS {{}} ON {{}} {index}").format(
                    sql.Identifier(f"{table.name}_{number}"), sql.Identifier(build.schema, table.name)
                )
            )


def _create_table(cursor: Cursor[TupleRow], schema: str, table: Table) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL(f"{{}} {kind}").format(sql.Identifier(name)) for name, kind in table.columns.items()
    )
    checks = sql.SQL("").join(sql.SQL(f", CHECK ({check})") for check in table.checks)
    cursor.execute(
        sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}){})").format(
            sql.Identifier(schema, table.name), columns, sql.SQL(", ").join(map(sql.Identifier, table.key)), checks
        )
    )


def analyze(cursor: Cursor[TupleRow], build: Build) -> None:
    """Tell the planner what the tables hold: the first readers should not wait for it to find out."""
    for table in build.projection.TABLES:
        cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(build.schema, table.name)))


def find(cursor: Cursor[TupleRow], projection: Projection, *, live: bool) -> Build | None:
    """The projection's live build, or the newest of its present version that is not live."""
    cursor.execute(
        "SELECT build FROM projections"
        " WHERE name = %s AND live = %s AND NOT trial AND (live OR version = %s) ORDER BY build DESC",
        (projection.NAME, live, projection.VERSION),
    )
    row = cursor.fetchone()
    return Build(projection, row[0]) if row else None


def standing(cursor: Cursor[TupleRow], projections: Sequence[Projection]) -> dict[Build, int]:
    """The position of each live build of these projections' own versions, and the right to move it until the
    transaction ends; those that somebody else is moving are left out.
    """
    cursor.execute(
        "SELECT p.name, p.build, p.position FROM projections p"
        " JOIN unnest(%s::text[], %s::integer[]) AS mine (name, version) USING (name, version)"
        " WHERE p.live FOR UPDATE OF p SKIP LOCKED",
        ([projection.NAME for projection in projections], [projection.VERSION for projection in projections]),
    )
    named = {projection.NAME: projection for projection in projections}
    return {Build(named[name], number): position for name, number, position in cursor.fetchall()}


def live_version(cursor: Cursor[TupleRow], projection: Projection) -> int | None:
    cursor.execute("SELECT version FROM projections WHERE name = %s AND live", (projection.NAME,))
    row = cursor.fetchone()
    return row[0] if row else None


def lock_bookmark(cursor: Cursor[TupleRow], build: Build) -> int:
    """The build's position, and the right to move it until the transaction ends; waits for whoever has it."""
    cursor.execute(
        "SELECT position FROM projections WHERE name = %s AND build = %s FOR UPDATE",
        (build.projection.NAME, build.number),
    )
    return _found(cursor.fetchone(), build)


def commit_soon(cursor: Cursor[TupleRow]) -> None:
    """Do not wait for the disk when this transaction commits.

    Rows and bookmark are lost together, if they are, and folded again; what commits later and waits, waits for these. A
    standby hears of it up to a second later.
    """
    cursor.execute("SET LOCAL synchronous_commit TO off")


def position(cursor: Cursor[TupleRow], build: Build) -> int:
    """Where the build stands."""
    cursor.execute(
        "SELECT position FROM projections WHERE name = %s AND build = %s", (build.projection.NAME, build.number)
    )
    return _found(cursor.fetchone(), build)


def _found(row: TupleRow | None, build: Build) -> int:
    if row is None:
        raise BuildGone(f"{build.schema} was replaced meanwhile: please try again")
    return int(row[0])


def fold(cursor: Cursor[TupleRow], build: Build, page: Sequence[Recorded]) -> None:
    """Fold those events of a page that the projection cares for; the bookmark stays."""
    mine = [entry for entry in page if entry.event.TOPIC in build.projection.TOPICS]
    if mine:
        rows = PageRows(cursor, build.schema)
        build.projection.fold(mine, rows)
        rows.flush()


def move_bookmarks(cursor: Cursor[TupleRow], reached: Mapping[Build, int]) -> None:
    """Note how far the builds have come, all of them in one statement."""
    cursor.execute(
        "UPDATE projections AS p SET position = r.position"
        " FROM unnest(%s::text[], %s::integer[], %s::bigint[]) AS r (name, build, position)"
        " WHERE p.name = r.name AND p.build = r.build",
        ([build.projection.NAME for build in reached], [build.number for build in reached], list(reached.values())),
    )


def show(cursor: Cursor[TupleRow], build: Build) -> None:
    """Make the build the live one: readers' next statement sees it, whole."""
    create_indexes(cursor, build)
    cursor.execute(
        "UPDATE projections SET live = false WHERE name = %s AND live AND build <> %s",
        (build.projection.NAME, build.number),
    )
    cursor.execute(
        "UPDATE projections SET live = true WHERE name = %s AND build = %s", (build.projection.NAME, build.number)
    )
    for table in build.projection.TABLES:
        view = sql.Identifier("read", table.name)
        if not _same_columns(cursor, table):
            cursor.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(view))
        cursor.execute(
            sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT {} FROM {}").format(
                view,
                sql.SQL(", ").join(map(sql.Identifier, table.columns)),
                sql.Identifier(build.schema, table.name),
            )
        )


def _same_columns(cursor: Cursor[TupleRow], table: Table) -> bool:
    cursor.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a"
        " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (f"read.{table.name}",),
    )
    names = {"timestamptz": "timestamp with time zone"}
    return [(name, kind) for name, kind in cursor.fetchall()] == [
        (name, names.get(kind, kind)) for name, kind in table.columns.items()
    ]


def drop(cursor: Cursor[TupleRow], build: Build) -> None:
    cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(build.schema)))
    cursor.execute(
        "DELETE FROM projections WHERE name = %s AND build = %s AND NOT live", (build.projection.NAME, build.number)
    )


def others(cursor: Cursor[TupleRow], build: Build) -> list[Build]:
    """The projection's older builds, trials aside, which nobody reads once this one is live."""
    cursor.execute(
        "SELECT build FROM projections WHERE name = %s AND build < %s AND NOT live AND NOT trial",
        (build.projection.NAME, build.number),
    )
    return [Build(build.projection, number) for (number,) in cursor.fetchall()]


def trials(cursor: Cursor[TupleRow], projection: Projection) -> list[Build]:
    cursor.execute("SELECT build FROM projections WHERE name = %s AND trial", (projection.NAME,))
    return [Build(projection, number) for (number,) in cursor.fetchall()]


@dataclass(frozen=True)
class Difference:
    """A row that only one of two builds has; `position` is the event that last touched it there."""

    table: str
    position: int
    only_in: str
    row: str


def differences(cursor: Cursor[TupleRow], live: Build, rebuilt: Build, most: int = 10_000) -> list[Difference]:
    """Where two builds at the same position differ, compared byte for byte; the earliest event first."""
    found: list[Difference] = []
    for table in live.projection.TABLES:
        ours = sql.SQL("SELECT position, t::text AS whole FROM {} t").format(sql.Identifier(live.schema, table.name))
        theirs = sql.SQL("SELECT position, t::text AS whole FROM {} t").format(
            sql.Identifier(rebuilt.schema, table.name)
        )
        cursor.execute(
            sql.SQL(
                "SELECT position, 'live', whole FROM ({ours} EXCEPT ALL {theirs}) a"
                " UNION ALL SELECT position, 'rebuilt', whole FROM ({theirs} EXCEPT ALL {ours}) b"
                " ORDER BY 1, 2 LIMIT %s"
            ).format(ours=ours, theirs=theirs),
            (most,),
        )
        found += [Difference(table.name, *row) for row in cursor.fetchall()]
    return sorted(found, key=lambda difference: difference.position)[:most]

"""Builds: sets of a projection's tables, each in its own schema. Views in the schema `read` show the live build."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from adapters.read_models import event_batches
from adapters.read_models.rows import BatchRows
from projections.model import Projection, RecordedEvent, Table

# The key of the advisory lock of `lock_builds`.
BUILDS_LOCK = 7305808869229540
# Called with a projection's name, the position reached and the position to reach.
Progress = Callable[[str, int, int], None]
# `fold_next` looks for its events in at most so many positions.
MAX_RANGE = 160_000


@dataclass(frozen=True)
class Build:
    """One build of one projection: live, being filled to become live, or a trial that is only compared."""

    projection: Projection
    number: int

    @property
    def schema(self) -> str:
        return f"read_{self.projection.NAME}_{self.number}"


class BuildReplaced(Exception):
    """A newer build is live, so this one is not needed any more."""

    def __init__(self, build: Build) -> None:
        super().__init__(f"{build.schema} was replaced meanwhile: please try again")


def lock_builds(cursor: Cursor[TupleRow]) -> None:
    """Let no other transaction create a build or make one live until this one ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (BUILDS_LOCK,))


def create(cursor: Cursor[TupleRow], projection: Projection, *, trial: bool = False) -> Build:
    """Create an empty build at position 0, with only the primary keys as indexes. A trial never becomes live."""
    lock_builds(cursor)
    cursor.execute("SELECT coalesce(max(build), 0) + 1 FROM projections WHERE name = %s", (projection.NAME,))
    [(number,)] = cursor.fetchall()
    build = Build(projection, number)
    cursor.execute(
        "INSERT INTO projections (name, build, version, trial) VALUES (%s, %s, %s, %s)",
        (projection.NAME, build.number, projection.VERSION, trial),
    )
    cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(build.schema)))
    for table in projection.TABLES:
        _create_table(cursor, build.schema, table)
    return build


def create_indexes(cursor: Cursor[TupleRow], build: Build) -> None:
    """Create the missing indexes after the tables are filled (PostgreSQL's manual, "Populating a Database")."""
    # Another process may be filling the same build and create its indexes at the same time.
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
        sql.SQL(f"{{}} {sql_type}").format(sql.Identifier(name)) for name, sql_type in table.columns.items()
    )
    checks = sql.SQL("").join(sql.SQL(f", CHECK ({check})") for check in table.checks)
    cursor.execute(
        sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}){})").format(
            sql.Identifier(schema, table.name), columns, sql.SQL(", ").join(map(sql.Identifier, table.key)), checks
        )
    )


def analyze(cursor: Cursor[TupleRow], build: Build) -> None:
    """Collect statistics for the planner, so that the first readers get good plans."""
    for table in build.projection.TABLES:
        cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(build.schema, table.name)))


def live_build(cursor: Cursor[TupleRow], projection: Projection) -> Build | None:
    cursor.execute("SELECT build FROM projections WHERE name = %s AND live", (projection.NAME,))
    row = cursor.fetchone()
    return Build(projection, row[0]) if row else None


def interrupted_build(cursor: Cursor[TupleRow], projection: Projection) -> Build | None:
    """Return the newest build of the present version that was never live and is no trial, or None if there is none.

    An older build than the live one was live itself, or was replaced while it was filled.
    """
    cursor.execute(
        "SELECT build FROM projections p WHERE name = %s AND version = %s AND NOT live AND NOT trial"
        " AND NOT EXISTS (SELECT FROM projections l WHERE l.name = p.name AND l.live AND l.build > p.build)"
        " ORDER BY build DESC",
        (projection.NAME, projection.VERSION),
    )
    row = cursor.fetchone()
    return Build(projection, row[0]) if row else None


def lock_live_positions(cursor: Cursor[TupleRow], projections: Sequence[Projection]) -> dict[Build, int]:
    """Lock and return the positions of the live builds that have their projection's present version.

    A build whose position another transaction has locked is left out.
    """
    cursor.execute(
        "SELECT p.name, p.build, p.position FROM projections p"
        " JOIN unnest(%s::text[], %s::integer[]) AS present (name, version) USING (name, version)"
        " WHERE p.live FOR UPDATE OF p SKIP LOCKED",
        ([projection.NAME for projection in projections], [projection.VERSION for projection in projections]),
    )
    by_name = {projection.NAME: projection for projection in projections}
    return {Build(by_name[name], number): position for name, number, position in cursor.fetchall()}


def live_version(cursor: Cursor[TupleRow], projection: Projection) -> int | None:
    cursor.execute("SELECT version FROM projections WHERE name = %s AND live", (projection.NAME,))
    row = cursor.fetchone()
    return row[0] if row else None


def lock_positions(cursor: Cursor[TupleRow], builds: Collection[Build], *, share: bool = False) -> dict[Build, int]:
    """Lock the builds' positions until the transaction ends, and return them. With `share` others may lock them too."""
    cursor.execute(
        "SELECT p.name, p.build, p.position FROM projections p"  # noqa: S608
        " JOIN unnest(%s::text[], %s::integer[]) AS wanted (name, build) USING (name, build)"
        f" ORDER BY name, build FOR {'SHARE' if share else 'UPDATE'} OF p",
        _names_and_numbers(builds),
    )
    positions_by_build = {(name, number): position for name, number, position in cursor.fetchall()}
    for build in builds:
        if (build.projection.NAME, build.number) not in positions_by_build:
            raise BuildReplaced(build)
    return {build: positions_by_build[build.projection.NAME, build.number] for build in builds}


def commit_asynchronously_unless_live(cursor: Cursor[TupleRow], builds: Collection[Build]) -> None:
    """Let this transaction, which has locked the builds' positions, commit without waiting for the disk.

    A crash can lose its rows and its positions, but only together, so that the events are folded again. The commit that
    makes a build live makes them durable, too. A live build's position is never visible before it is durable: a
    standby has only what is durable, and is read if it has all of that.
    """
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'off', true) WHERE NOT EXISTS ("
        "SELECT FROM projections JOIN unnest(%s::text[], %s::integer[]) AS b (name, build) USING (name, build)"
        " WHERE live)",
        _names_and_numbers(builds),
    )


def _names_and_numbers(builds: Collection[Build]) -> tuple[list[str], list[int]]:
    return [build.projection.NAME for build in builds], [build.number for build in builds]


def position(cursor: Cursor[TupleRow], build: Build) -> int:
    """Return the build's position."""
    cursor.execute(
        "SELECT position FROM projections WHERE name = %s AND build = %s", (build.projection.NAME, build.number)
    )
    row = cursor.fetchone()
    if row is None:
        raise BuildReplaced(build)
    return int(row[0])


def fold(cursor: Cursor[TupleRow], builds: Collection[Build], batch: Sequence[RecordedEvent]) -> None:
    """Fold those events of a batch that concern each projection into its tables, without saving the position.

    A projection that no event concerns costs no statement.
    """
    batch_topics = [recorded.event.TOPIC for recorded in batch]
    present = set(batch_topics)
    for build in builds:
        topics = build.projection.TOPICS
        if topics.isdisjoint(present):
            continue
        rows = BatchRows(cursor, build.schema)
        build.projection.fold(list(compress(batch, map(topics.__contains__, batch_topics))), rows)
        rows.flush()


def fold_next(
    cursor: Cursor[TupleRow],
    positions: Mapping[Build, int],
    until: int,
    limit: int,
    partition: event_batches.Partition = event_batches.WHOLE,
) -> dict[Build, int]:
    """Fold the next events up to `until` into the builds that are furthest behind, one batch with at most `limit`.

    Return the new position of these builds, which share one read and one decoding, without saving it; nothing if all
    have reached `until`. Events whose topics concern none of them are not read.
    """
    position = min(positions.values(), default=until)
    if position >= until:
        return {}
    behind = [build for build, reached in positions.items() if reached == position]
    end = min(until, position + MAX_RANGE, *(reached for reached in positions.values() if reached > position))
    topics = frozenset[str]().union(*(build.projection.TOPICS for build in behind))
    batch = event_batches.between(cursor.connection, position, end, topics, limit, partition)
    fold(cursor, behind, batch.events)
    return dict.fromkeys(behind, batch.until)


def save_positions(cursor: Cursor[TupleRow], positions: Mapping[Build, int]) -> None:
    """Save the builds' new positions in one statement."""
    cursor.execute(
        "UPDATE projections AS p SET position = r.position"
        " FROM unnest(%s::text[], %s::integer[], %s::bigint[]) AS r (name, build, position)"
        " WHERE p.name = r.name AND p.build = r.build",
        (*_names_and_numbers(positions), list(positions.values())),
    )


def make_live(cursor: Cursor[TupleRow], build: Build) -> None:
    """Make the build the live one: after the commit the views show its tables."""
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
        # A view cannot be replaced by one with other columns.
        if not _view_has_columns_of(cursor, table):
            cursor.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(view))
        cursor.execute(
            sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT {} FROM {}").format(
                view,
                sql.SQL(", ").join(map(sql.Identifier, table.columns)),
                sql.Identifier(build.schema, table.name),
            )
        )


def _view_has_columns_of(cursor: Cursor[TupleRow], table: Table) -> bool:
    cursor.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a"
        " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (f"read.{table.name}",),
    )
    full_names = {"timestamptz": "timestamp with time zone"}
    return cursor.fetchall() == [(name, full_names.get(sql_type, sql_type)) for name, sql_type in table.columns.items()]


def drop(cursor: Cursor[TupleRow], build: Build) -> None:
    cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(build.schema)))
    cursor.execute(
        "DELETE FROM projections WHERE name = %s AND build = %s AND NOT live", (build.projection.NAME, build.number)
    )


def older_builds(cursor: Cursor[TupleRow], build: Build) -> list[Build]:
    """Return the projection's builds that are older than this one and not live, except trials."""
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
    """A row that only one of two builds has: `only_in` is `live` or `rebuilt`, `position` is that of its last event."""

    table: str
    position: int
    only_in: str
    row: str


def differences(cursor: Cursor[TupleRow], live: Build, rebuilt: Build, limit: int = 10_000) -> list[Difference]:
    """Compare two builds that are at the same position, row by row as text. Return the earliest `limit` differences."""
    result: list[Difference] = []
    for table in live.projection.TABLES:
        select = sql.SQL("SELECT position, t::text AS row_text FROM {} t")
        live_rows = select.format(sql.Identifier(live.schema, table.name))
        rebuilt_rows = select.format(sql.Identifier(rebuilt.schema, table.name))
        cursor.execute(
            sql.SQL(
                "SELECT position, 'live', row_text FROM ({live} EXCEPT ALL {rebuilt}) a"
                " UNION ALL SELECT position, 'rebuilt', row_text FROM ({rebuilt} EXCEPT ALL {live}) b"
                " ORDER BY 1, 2 LIMIT %s"
            ).format(live=live_rows, rebuilt=rebuilt_rows),
            (limit,),
        )
        result += [Difference(table.name, *row) for row in cursor.fetchall()]
    return sorted(result, key=lambda difference: difference.position)[:limit]

"""The commands `migrate` and `rebuild-projections`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import projections
from adapters.identity.access_log import AccessLog
from adapters.postgres import migrations, roles, schema_check
from adapters.postgres.database import Database, connect
from adapters.read_models import rebuild
from adapters.read_models.builds import Difference
from entrypoints.cli.console import CommandFailed, ProgressBar, UsageError, print_json, print_line, print_table
from entrypoints.cli.context import as_position, database, logged_act, role_of
from entrypoints.composition.gc_tuning import settle
from entrypoints.composition.service import Service
from projections.model import Projection

# --json prints all of them.
MAX_DIFFERENCES_PRINTED = 20


def migrate(json: bool) -> None:
    with database(check=False, create=True) as (settings, url):
        with connect(settings.migrate_database_url or url, statement_seconds=0) as connection:
            _fail_on(schema_check.server_fault(connection, production=False))
            steps = migrations.migrate(connection)
            # The schema may be newer than this version, or damaged.
            _fail_on(schema_check.schema_fault(connection))
            roles.grant_service(connection, role_of(url))
        # With the service's role, which creates and replaces the tables of read models while it runs.
        rebuild.ensure_live(url, projections.ALL, lambda *_: None)
    if json:
        print_json({"taken": steps})
    else:
        print_line(f"Applied {', '.join(steps)}." if steps else "The database is already at this version.")


def _fail_on(fault: str | None) -> None:
    if fault is not None:
        raise CommandFailed(f"database: {fault}")


def rebuild_projections(names: list[str], verify: bool, until: str | None, json: bool) -> None:
    if unknown := [name for name in names if name not in projections.BY_NAME]:
        raise UsageError(
            f"unknown projection {', '.join(unknown)}; the projections are {', '.join(projections.BY_NAME)}"
        )
    settle()
    chosen = [projections.BY_NAME[name] for name in dict.fromkeys(names)] or list(projections.ALL)
    with database() as (settings, url):
        position = None
        if until is not None:
            service = Service(settings, url, frozenset())
            position = as_position(service, until, "--until")
            service.stop()
        compare = verify or position is not None
        with nullcontext() if compare else _logged(url, chosen), ProgressBar(shown=not json) as bar:
            if compare:
                results = [rebuild.verify(url, projection, bar, position) for projection in chosen]
            else:
                results = rebuild.rebuild_all(url, chosen, bar)
    documents = [
        {
            "name": result.name,
            "events": result.events,
            "rows": result.rows,
            "seconds": round(result.seconds, 3),
            "eventsPerSecond": round(result.events_per_second),
            "differences": [asdict(difference) for difference in result.differences],
        }
        for result in results
    ]
    if json:
        print_json({"projections": documents})
    else:
        columns = ("name", "events", "rows", "seconds", "eventsPerSecond")
        rows = [[document[column] for column in columns] for document in documents]
        print_table("Compared" if compare else "Rebuilt", columns, rows)
    differing = [result for result in results if result.differences]
    if not json:
        for result in differing:
            parts = ("position", "table", "only_in", "row")
            first = result.differences[:MAX_DIFFERENCES_PRINTED]
            rows = [[getattr(difference, part) for part in parts] for difference in first]
            print_table(f"The first differences of {result.name}", parts, rows)
    if differing:
        raise CommandFailed("; ".join(f"{result.name} differs {_extent(result.differences)}" for result in differing))
    if compare and not json:
        print_line("Nothing differs.")


def _extent(differences: Sequence[Difference]) -> str:
    first = differences[0]
    return f"from event {first.position} on, in {first.table} ({len(differences)} rows)"


@contextmanager
def _logged(url: str, rebuilt: Sequence[Projection]) -> Iterator[None]:
    with Database(url, size=1) as log_database:
        names = "/".join(projection.NAME for projection in rebuilt)
        with logged_act(AccessLog(log_database), "rebuild-projections", names):
            yield

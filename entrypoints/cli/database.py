"""Commands about the database as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import projections
from adapters.identity.access_log import AccessLog
from adapters.postgres import migrations, schema_check
from adapters.postgres.database import Database, connect
from adapters.read_models import rebuild
from adapters.read_models.builds import Difference
from entrypoints.cli.audit_record import on_record
from entrypoints.cli.console import Bar, Found, Usage, print_json, say, table
from entrypoints.cli.setup import as_position, database
from entrypoints.composition.service import Service
from projections.model import Projection

# With --json all that were found.
MOST_SHOWN = 20


def migrate(json: bool) -> None:
    with database(check=False) as (settings, url):
        with connect(settings.migrate_database_url or url, statement_seconds=0) as connection:
            _refuse(schema_check.server_fault(connection, production=False))
            taken = migrations.migrate(connection)
            # It may be ahead of this version, or lack what an earlier step made.
            _refuse(schema_check.schema_fault(connection))
        rebuild.ensure_live(settings.migrate_database_url or url, projections.ALL, lambda *_: None)
    if json:
        print_json({"taken": taken})
    else:
        say(f"took {', '.join(taken)}" if taken else "the database is at this version already")


def _refuse(fault: str | None) -> None:
    if fault is not None:
        raise Found(f"database: {fault}")


def rebuild_projections(names: list[str], verify: bool, until: str | None, json: bool) -> None:
    if unknown := [name for name in names if name not in projections.BY_NAME]:
        raise Usage(f"no such projection: {', '.join(unknown)}; there are {', '.join(projections.BY_NAME)}")
    chosen = [projections.BY_NAME[name] for name in dict.fromkeys(names)] or list(projections.ALL)
    with database() as (settings, url):
        position = None
        if until is not None:
            service = Service(settings, url, frozenset())
            position = as_position(service, until, "--until")
            service.stop()
        compares = verify or position is not None
        with _on_record(url, chosen) if not compares else nullcontext(), Bar(shown=not json) as bar:
            done = [
                rebuild.verify(url, projection, bar, position) if compares else rebuild.rebuild(url, projection, bar)
                for projection in chosen
            ]
    told = [
        {
            "name": one.name,
            "events": one.events,
            "rows": one.rows,
            "seconds": round(one.seconds, 3),
            "eventsPerSecond": round(one.events_per_second),
            "differences": [asdict(difference) for difference in one.differences],
        }
        for one in done
    ]
    if json:
        print_json({"projections": told})
    else:
        columns = ("name", "events", "rows", "seconds", "eventsPerSecond")
        table("Compared" if verify or until else "Rebuilt", columns, [[one[c] for c in columns] for one in told])
    faults = [(one.name, one.differences) for one in done if one.differences]
    if not json:
        for name, differences in faults:
            parts = ("position", "table", "only_in", "row")
            rows = [[getattr(difference, part) for part in parts] for difference in differences[:MOST_SHOWN]]
            table(f"The first differences of {name}", parts, rows)
    if faults:
        raise Found("; ".join(f"{name} differs {_where(differences)}" for name, differences in faults))
    if (verify or until) and not json:
        say("Nothing differs.")


def _where(differences: Sequence[Difference]) -> str:
    first = differences[0]
    return f"from event {first.position} on, in {first.table} ({len(differences)} rows)"


@contextmanager
def _on_record(url: str, chosen: Sequence[Projection]) -> Iterator[None]:
    with Database(url, size=1) as opened:
        object = "/".join(projection.NAME for projection in chosen)
        with on_record(AccessLog(opened), "rebuild-projections", object):
            yield

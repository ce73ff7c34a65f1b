"""Commands that see to it that the money adds up."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import projections
from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.read_models import rebuild
from adapters.stripe_sandbox.simulation import world
from entrypoints.cli.audit_record import on_record
from entrypoints.cli.console import Bar, Found, print_json, say, table
from entrypoints.cli.setup import as_moment, clear_errors, service
from entrypoints.composition.logs import configure
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings
from entrypoints.composition.simulation_runner import SimulationRunner

# So long Stripe keeps its events.
EVENTS_KEPT = timedelta(days=30)


def reconcile(since: str | None, json: bool) -> None:
    moment = as_moment(since, "--since") or datetime.now(UTC) - EVENTS_KEPT
    with service() as built, on_record(built.access_log, "reconcile"):
        outcome = built.reconciler.reconcile(moment)
    if json:
        print_json(vars(outcome))
    else:
        if outcome.unmatched:
            table("Unmatched", ("id", "type", "reason"), [list(one.values()) for one in outcome.unmatched])
        say(f"{outcome.matched} matched, {outcome.repaired} repaired, {len(outcome.unmatched)} unmatched.")
    if outcome.unmatched:
        raise Found(f"{len(outcome.unmatched)} do not match what Stripe has")


def _settings(folder: Path) -> Settings:
    """A rehearsal never meets the real Stripe, whatever the environment says."""
    return Settings(data_dir=folder, app_env="development", stripe_secret_key=None, stripe_webhook_secret=())


def simulate(seed: int, donations: int, json: bool) -> None:
    """The database is an embedded one in a folder of its own, and gone afterwards."""
    started = time.monotonic()
    built_world = world.build(seed, donations)
    random = Random(seed)  # noqa: S311
    with (
        clear_errors(),
        tempfile.TemporaryDirectory(prefix="storyledger-simulate-") as folder,
        Bar(shown=not json) as bar,
    ):
        configure("ERROR", quiet=True)
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            # In a thread, since only whole starts can be stopped: told to end, we wait for it.
            with ThreadPoolExecutor(1) as starting:
                url = starting.submit(postgres.start).result()
            with connect(url) as connection:
                migrations.migrate(connection)
            rebuild.ensure_live(url, projections.ALL, lambda *_: None)
            played = Service(_settings(Path(folder)), url, frozenset())
            try:
                rehearsal = SimulationRunner(played, built_world)
                rehearsal.open()
                deliveries = built_world.deliveries(random)
                for number, event in enumerate(deliveries, 1):
                    rehearsal.deliver(event)
                    bar("deliveries", number, len(deliveries))
                    if random.random() < 0.05:
                        played.applier.apply_batch(random.choice((1, 10, 200)))
                rehearsal.settle()
                differences = rehearsal.differences()
                totals = rehearsal.totals()
            finally:
                played.stop()
        finally:
            postgres.stop()
    told = {
        "seed": seed,
        "donations": len(built_world.donations),
        "events": len(built_world.events) + len(built_world.noise),
        "deliveries": len(deliveries),
        "totals": totals,
        "differences": differences,
        "ok": not differences,
        "seconds": round(time.monotonic() - started, 2),
    }
    if json:
        print_json(told)
    else:
        columns = ("currency", "paidMinor", "refundedMinor", "disputedMinor", "netMinor")
        table(f"World {seed}", columns, [[total[c] for c in columns] for total in totals])
        say(f"{told['donations']} donations, {told['events']} events, {told['deliveries']} deliveries.")
        say("The ledger equals the oracle to the minor unit." if told["ok"] else "\n".join(differences))
    if differences:
        raise Found(f"the ledger differs from the oracle in {len(differences)} places")

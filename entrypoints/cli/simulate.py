"""The command `simulate`."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from types import FrameType

import projections
from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.read_models import rebuild
from adapters.stripe_sandbox.simulation import scenario
from entrypoints.cli.console import CommandFailed, ProgressBar, print_json, print_line, print_table
from entrypoints.cli.context import one_line_errors
from entrypoints.composition.logs import configure
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings
from entrypoints.composition.simulation_runner import SimulationRunner

_PLAYED = {
    "shop": "events of a shop on the same Stripe account",
    "subscriptions": "events of subscriptions and their invoices",
    "otherAccount": "events of another account",
    "copiedMetadata": "events of a payment with copied metadata",
    "swappedMetadata": "payments with the metadata of another donation",
    "exchanged": "movements that Stripe settled in another currency",
    "flaggedVersions": "events whose API version carries flags",
    "late": "deliveries that came days late",
    "outOfOrder": "events that came after a later one",
    "pastMoments": "earlier moments at which the ledger was compared",
}


def _settings(folder: Path) -> Settings:
    """Return settings that never reach Stripe, whatever the environment contains."""
    return Settings(data_dir=folder, app_env="development", stripe_secret_key=None, stripe_webhook_secret=())


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay Ctrl+C and SIGTERM until the block has ended: what it makes is registered to be removed by then."""
    arrived: list[tuple[int, FrameType | None]] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, lambda *signal_: arrived.append(signal_)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0][0])


def simulate(seed: int, donations: int, json: bool) -> None:
    """Run the simulation in an embedded database in a temporary folder."""
    started = time.monotonic()
    built_scenario = scenario.build(seed, donations)
    with one_line_errors(), ProgressBar(shown=not json) as bar, ExitStack() as stack:
        configure("ERROR", quiet=True)
        with _uninterrupted():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="storyledger-simulate-")))
            postgres = EmbeddedPostgres(folder / "postgres")
            stack.callback(postgres.stop)
            url = postgres.start()
        with connect(url) as connection:
            migrations.migrate(connection)
        rebuild.ensure_live(url, projections.ALL, lambda *_: None)
        with _uninterrupted():
            service = Service(_settings(folder), url, frozenset())
            stack.callback(service.stop)
        runner = SimulationRunner(service, built_scenario)
        runner.play(Random(seed), lambda number, total: bar("deliveries", number, total))  # noqa: S311
        differences = runner.differences()
        totals = runner.totals()
    summary = {
        "seed": seed,
        "donations": len(built_scenario.donations),
        "events": len(built_scenario.events) + len(built_scenario.noise),
        "deliveries": runner.delivered,
        "played": runner.played,
        "totals": totals,
        "differences": differences,
        "ok": not differences,
        "seconds": round(time.monotonic() - started, 2),
    }
    if json:
        print_json(summary)
    else:
        columns = ("currency", "paidMinor", "refundedMinor", "disputedMinor", "netMinor")
        print_table(f"Simulation {seed}", columns, [[total[c] for c in columns] for total in totals])
        print_line(f"{summary['donations']} donations, {summary['events']} events, {summary['deliveries']} deliveries.")
        print_table("Played", ("count", "what"), [[runner.played[name], what] for name, what in _PLAYED.items()])
        print_line("The ledger equals the oracle exactly." if summary["ok"] else "\n".join(differences))
    if differences:
        raise CommandFailed(f"the ledger differs from the oracle in {len(differences)} places")

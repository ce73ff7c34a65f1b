"""`make bench` measures every figure with its baseline, ratio and goal. The last results stay in RESULTS.md.

python -m tests.benchmarks [--only NAME,…] [--events N] [--gifts N] [--tickets N] [--objects N] [--json FILE] [--keep]
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.postgres.embedded import EmbeddedPostgres
from entrypoints.composition.gc_tuning import settle
from tests.benchmarks import (
    day_list,
    edges,
    epoch_rotation,
    gift_lists,
    history_speed,
    hostile_uploads,
    reconciling,
    web_speed,
)
from tests.benchmarks.report import Report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--only", default="", help="a comma list of: " + ", ".join(NAMES))
    parser.add_argument("--events", type=int, default=1_000_000, help="how long the history to rebuild is")
    parser.add_argument("--gifts", type=int, default=100_000, help="how many donations the hot ticket has")
    parser.add_argument("--tickets", type=int, default=100_000, help="how many tickets a workspace has")
    parser.add_argument("--objects", type=int, default=100_000, help="how many objects at Stripe are reconciled")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name] or list(NAMES)
    logging.disable(logging.CRITICAL)
    settle()
    report = Report()
    # On a disk, unlike the tests' server, because the cost of commits is measured.
    with TemporaryDirectory(prefix="storyledger-bench-") as folder, EmbeddedPostgres(Path(folder) / "pg") as postgres:
        url = postgres.url()
        for name in chosen:
            match name:
                case "appends":
                    history_speed.appends(report, url)
                case "hot-ticket":
                    history_speed.hot_ticket(report, url, options.gifts)
                case "gift-lists":
                    gift_lists.measure(report, url, options.gifts)
                case "day-list":
                    day_list.measure(report, url, options.tickets)
                case "read-models":
                    history_speed.read_models(report, url, options.events)
                case "webhooks":
                    web_speed.webhooks(report, url)
                case "reads":
                    web_speed.reads(report, url)
                case "hostile-uploads":
                    hostile_uploads.measure(report, url)
                case "epoch-rotation":
                    epoch_rotation.measure(report, url)
                case "reconcile":
                    reconciling.measure(report, url, options.objects)
                case "edges":
                    edges.measure(report, url)
                case _:
                    parser.error(f"no such benchmark: {name}")
    if chosen == list(NAMES):
        report.write(options.json)


NAMES = (
    "appends",
    "hot-ticket",
    "gift-lists",
    "day-list",
    "read-models",
    "webhooks",
    "reads",
    "hostile-uploads",
    "epoch-rotation",
    "reconcile",
    "edges",
)

if __name__ == "__main__":
    main()

"""What this process counts while it works. Labels are words of ours, few and known beforehand: never an id, never a
path that somebody asked for.

Several processes count each for itself; what they share is in the database, and read by `gauges`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from adapters.observability.request_metrics import Requests

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_SLOW = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

requests = Requests(REGISTRY)
webhooks_received = Counter(
    "storyledger_webhooks_received",
    "Webhook deliveries: new ones, repetitions, and those that were refused.",
    ["outcome"],
    registry=REGISTRY,
)
webhooks_applied = Counter(
    "storyledger_webhooks_applied",
    "Events taken up from the inbox, by what became of them: applied, ignored, held, dead or failed.",
    ["outcome"],
    registry=REGISTRY,
)
_job_runs = Counter(
    "storyledger_job_runs",
    "Runs of jobs, by how they ended: done, again (to be tried again), failed or handed_back.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
_job_durations = Histogram(
    "storyledger_job_duration_seconds", "How long runs of jobs took.", ["kind"], buckets=_SLOW, registry=REGISTRY
)
mails = Counter(
    "storyledger_mails",
    "Attempts at mails, by what became of them: sent, again, dead or dropped.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
reads = Counter(
    "storyledger_reads",
    "What was asked for a reader while there is a read replica, by who answered: the replica or the primary.",
    ["by"],
    registry=REGISTRY,
)


class Run:
    """One run of a job; `outcome` is what it is counted as, unless it ends otherwise."""

    outcome = "failed"


@contextmanager
def job_run(kind: str) -> Iterator[Run]:
    """Count and time a run of a job, however it ends."""
    run, started = Run(), perf_counter()
    try:
        yield run
    finally:
        _job_runs.labels(kind, run.outcome).inc()
        _job_durations.labels(kind).observe(perf_counter() - started)

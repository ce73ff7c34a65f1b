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
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What is answered by no operation: unknown paths, and what stands beside the interface.
NO_OPERATION = "none"

_requests = Counter(
    "storyledger_http_requests",
    "Requests answered, by path template, method and status.",
    ["operation", "method", "status"],
    registry=REGISTRY,
)
_durations = Histogram(
    "storyledger_http_request_duration_seconds",
    "From the first word of a request to the last of its answer.",
    ["operation", "method"],
    buckets=_FAST,
    registry=REGISTRY,
)
in_progress = Gauge("storyledger_http_requests_in_progress", "Requests that are not answered yet.", registry=REGISTRY)
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

# To look a child up by its labels costs more than to count.
_counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def method_of(method: str) -> str:
    """The method, if it is one of the few that there are."""
    return method if method in _METHODS else "other"


def answered(operation: str | None, method: str, status: int, seconds: float) -> None:
    """A request was answered; `operation` is the template of its path, `method` what `method_of` made of it."""
    key = (operation or NO_OPERATION, method, status)
    counted = _counted.get(key)
    if counted is None:
        template, method, status = key
        counted = _requests.labels(template, method, str(status)), _durations.labels(template, method)
        _counted[key] = counted
    counted[0].inc()
    counted[1].observe(seconds)


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

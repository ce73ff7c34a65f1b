"""The counters of this process. A label has few values, all known beforehand: never an id or a requested path.

Each process counts for itself; `gauges` reads from the database what processes share.
"""

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

from adapters.observability.request_metrics import RequestCollector

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_SLOW = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


def _counter(name: str, documentation: str, *labels: str) -> Counter:
    return Counter(f"storyledger_{name}", documentation, labels, registry=REGISTRY)


requests = RequestCollector(REGISTRY)
webhooks_received = _counter(
    "webhooks_received", "Webhook deliveries, by outcome: new, repeated or refused.", "outcome"
)
webhooks_applied = _counter(
    "webhooks_applied",
    "Webhook events processed from the inbox, by outcome: applied, ignored, held, dead or failed.",
    "outcome",
)
webhooks_ignored = _counter(
    "webhooks_ignored",
    "Ignored webhook events, by reason: other_account, other_business (on our account), or not_used.",
    "reason",
)
job_runs = _counter(
    "job_runs", "Runs of jobs, by outcome: done, again (retried later), failed or handed_back.", "kind", "outcome"
)
_job_durations = Histogram(
    "storyledger_job_duration_seconds", "Duration of job runs.", ["kind"], buckets=_SLOW, registry=REGISTRY
)
mails = _counter(
    "mails", "Attempts to send mails, by outcome: sent, again (retried later), dead or dropped.", "kind", "outcome"
)
model_faults = _counter(
    "model_faults",
    "Times that a configured model could not be used because of the settings and the local way was taken, by step"
    " (speech or draft) and fault: model_missing, key_rejected or endpoint_missing.",
    "step",
    "fault",
)
drafting_dropped = _counter(
    "drafting_dropped", "Parts of the answers of a language model that the speaker did not say, by field.", "field"
)
checkpoint_refusals = _counter(
    "checkpoint_refusals", "Checkpoints that were not signed, because the history does not continue the signed one."
)
unsealed_addresses = _counter(
    "unsealed_addresses",
    "Network addresses that were left out of a record, because the key that seals them could not be opened.",
)
reads = _counter(
    "reads", "Reads while a replica is configured, by the server that answered: the replica or the primary.", "by"
)


def total(counter: Counter, **labels: str) -> float:
    """Return the sum of the counter's values that have these labels."""
    samples = [sample for metric in counter.collect() for sample in metric.samples if sample.name.endswith("_total")]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


class JobRun:
    """One run of a job; the caller sets `outcome`, which is counted at the end."""

    outcome = "failed"


@contextmanager
def job_run(kind: str) -> Iterator[JobRun]:
    """Count and time a run of a job, however it ends."""
    run, started = JobRun(), perf_counter()
    try:
        yield run
    finally:
        job_runs.labels(kind, run.outcome).inc()
        _job_durations.labels(kind).observe(perf_counter() - started)

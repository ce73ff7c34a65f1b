"""How requests are answered: counted on the event loop alone, so without locks, in a microsecond or two."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

# Seconds, inclusive; what takes longer than the last is beyond.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What is answered by no operation: unknown paths, and what stands beside the interface.
NO_OPERATION = "none"


def method_of(method: str) -> str:
    """The method, if it is one of the few that there are."""
    return method if method in _METHODS else "other"


class _Answers:
    """Those of one operation."""

    __slots__ = ("buckets", "by_status", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.by_status: defaultdict[int, int] = defaultdict(int)


class Requests(Collector):
    """Counts and times requests by operation: the template of a path (None where there is none) and a method."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_progress = 0
        self._answers: defaultdict[tuple[str | None, str], _Answers] = defaultdict(_Answers)
        registry.register(self)

    def answered(self, operation: str | None, method: str, status: int, seconds: float) -> None:
        answers = self._answers[operation, method]
        answers.by_status[status] += 1
        answers.buckets[bisect_left(BOUNDS, seconds)] += 1
        answers.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "storyledger_http_requests",
            "Requests answered, by path template, method and status.",
            labels=["operation", "method", "status"],
        )
        durations = HistogramMetricFamily(
            "storyledger_http_request_duration_seconds",
            "From the first word of a request to the last of its answer.",
            labels=["operation", "method"],
        )
        for (operation, method), answers in list(self._answers.items()):
            labels = [operation or NO_OPERATION, method]
            for status, count in list(answers.by_status.items()):
                requests.add_metric([*labels, str(status)], count)
            durations.add_metric(labels, _cumulated(answers.buckets), answers.seconds)
        yield from (requests, durations)
        yield GaugeMetricFamily(
            "storyledger_http_requests_in_progress", "Requests that are not answered yet.", self.in_progress
        )


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    """As Prometheus has them: each with all that took less."""
    told, sum = [], 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), list(buckets), strict=True):
        sum += count
        told.append((bound, float(sum)))
    return told

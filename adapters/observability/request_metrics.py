"""Counts and durations of HTTP requests. All calls come from the event loop, so there are no locks."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

# Upper bounds of the histogram's buckets in seconds, inclusive.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# The label of requests without an operation: unknown paths and static files.
NO_OPERATION = "none"


def method_label(method: str) -> str:
    """Return the method if it is a known one, else "other"."""
    return method if method in _METHODS else "other"


class _OperationMetrics:
    """Counts and durations of one operation."""

    __slots__ = ("buckets", "by_status", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.by_status: defaultdict[int, int] = defaultdict(int)


class RequestCollector(Collector):
    """Counts and times requests by operation: the path template (None for unknown paths) and the method."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_progress = 0
        self._by_operation: defaultdict[tuple[str | None, str], _OperationMetrics] = defaultdict(_OperationMetrics)
        registry.register(self)

    def observe(self, operation: str | None, method: str, status: int, seconds: float) -> None:
        metrics = self._by_operation[operation, method]
        metrics.by_status[status] += 1
        metrics.buckets[bisect_left(BOUNDS, seconds)] += 1
        metrics.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "storyledger_http_requests",
            "Requests answered, by path template, method and status.",
            labels=["operation", "method", "status"],
        )
        durations = HistogramMetricFamily(
            "storyledger_http_request_duration_seconds",
            "Seconds from the first byte of a request to the last byte of its answer.",
            labels=["operation", "method"],
        )
        for (operation, method), metrics in list(self._by_operation.items()):
            labels = [operation or NO_OPERATION, method]
            for status, count in list(metrics.by_status.items()):
                requests.add_metric([*labels, str(status)], count)
            durations.add_metric(labels, _cumulated(metrics.buckets), metrics.seconds)
        yield from (requests, durations)
        yield GaugeMetricFamily(
            "storyledger_http_requests_in_progress", "Requests that are not answered yet.", self.in_progress
        )


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    """Return Prometheus' buckets: each also counts everything below it."""
    bounds = (*map(str, BOUNDS), "+Inf")
    return [(bound, float(total)) for bound, total in zip(bounds, accumulate(list(buckets)), strict=True)]

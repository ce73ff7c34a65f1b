"""The metrics of this process, and with them those of the other processes under the same supervisor."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import msgspec
from prometheus_client.core import Metric

# The label that tells the processes apart; a service in one process has none.
LABEL = "process"


class _Family(msgspec.Struct, array_like=True, frozen=True):
    name: str
    documentation: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


# Made before any thread uses it, for the reason that `adapters.event_store.codec` names.
_decode = msgspec.json.Decoder(list[_Family]).decode


def _decoded(report: bytes) -> list[_Family]:
    """Return what another process reported: nothing if it ended before the end of its report."""
    with suppress(msgspec.DecodeError):
        return _decode(report)
    return []


class ProcessMetrics:
    """The metrics that each process counts for itself."""

    def __init__(self, own: Callable[[], Iterable[Metric]]) -> None:
        self._own = own
        self._name: str | None = None
        self._others: Callable[[], Sequence[bytes]] = tuple

    def join(self, name: str, others: Callable[[], Sequence[bytes]]) -> None:
        """Label this process's metrics with its name, and show those of the others with them."""
        self._name, self._others = name, others

    def all(self) -> list[Metric]:
        """Return the metrics of all processes that answer in time; a family has the samples of every process."""
        families: dict[str, Metric] = {}
        for family in (*self._families(), *(family for report in self._others() for family in _decoded(report))):
            metric = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for name, labels, value in family.samples:
                metric.add_sample(name, labels, value)
        return list(families.values())

    def report(self) -> bytes:
        """Return this process's metrics for `others` of another process."""
        return msgspec.json.encode(self._families())

    def _families(self) -> list[_Family]:
        label = {} if self._name is None else {LABEL: self._name}
        return [
            _Family(
                metric.name,
                metric.documentation,
                metric.type,
                [(sample.name, sample.labels | label, sample.value) for sample in metric.samples],
            )
            for metric in self._own()
        ]

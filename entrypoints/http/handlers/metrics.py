"""The handler for Prometheus: the metrics of each process, and the shared ones, which are read from the database."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
import structlog
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.observability.gauges import Gauges
from adapters.observability.process_metrics import ProcessMetrics
from adapters.postgres.database import Database
from adapters.read_models import replica
from adapters.read_models.replica import Replica
from domain.errors import NotFoundError, UnavailableError
from entrypoints.http.middleware.authentication import bearer_credential, is_token
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import unauthenticated

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# The time limit for the database; Prometheus by default waits ten seconds for the answer.
QUERY_TIMEOUT_SECONDS = 1.5

logger = structlog.get_logger()


@dataclass(frozen=True)
class MetricsHandlers:
    token: str | None
    database: Database
    replica: Replica | None
    processes: ProcessMetrics
    gauges: Gauges

    async def metrics(self, call: Call) -> Answer[bytes]:
        """Leave out the shared metrics while the database is unavailable, and report `storyledger_database_up` as 0."""
        self._check_token(call)
        of_processes = await asyncio.to_thread(self.processes.all)
        shared = await self._shared_metrics()
        up = GaugeMetricFamily(
            "storyledger_database_up", "1 if the database answered this scrape in time.", int(bool(shared))
        )
        families = [*of_processes, up, *replica.metrics(self.replica), *shared]
        return Answer(generate_latest(_FixedFamilies(families)), media_type=MEDIA_TYPE)

    def _check_token(self, call: Call) -> None:
        if self.token is None:
            raise NotFoundError("There is nothing at this path.")
        if not is_token(bearer_credential(call.headers.get("authorization", "")), self.token):
            raise unauthenticated()

    async def _shared_metrics(self) -> Sequence[Metric]:
        """Return the metrics that are read from the database, or none if it does not answer in time."""
        if not self.database.available:
            return ()
        try:
            return await asyncio.wait_for(self.gauges.read(), QUERY_TIMEOUT_SECONDS)
        except (UnavailableError, TimeoutError):
            return ()
        except psycopg.Error as error:
            logger.error("shared metrics could not be read", error=type(error).__name__)
            return ()


class _FixedFamilies(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families

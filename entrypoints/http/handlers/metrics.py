"""The handler for Prometheus: the metrics of this process, and those that all processes share."""

import asyncio
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
import structlog
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.observability import counters, gauges
from adapters.observability.gauges import Gauges
from adapters.postgres.database import Database
from adapters.read_models import replica
from adapters.read_models.replica import Replica
from domain.errors import UnavailableError
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# How long the database may take; Prometheus itself gives up after ten seconds by default.
QUERY_TIMEOUT_SECONDS = 1.5

logger = structlog.get_logger()


@dataclass(frozen=True)
class MetricsHandlers:
    version: str
    parts: frozenset[str]
    token: str | None
    database: Database
    replica: Replica | None
    pools: Sequence[tuple[str, Database]]
    gauges: Gauges

    async def metrics(self, call: Call) -> Answer[bytes]:
        """Leave out the shared metrics while the database is away, and report `storyledger_database_up` as 0."""
        self._check_token(call)
        info = InfoMetricFamily(
            "storyledger", "What runs here.", {"version": self.version, "parts": ",".join(sorted(self.parts))}
        )
        shared = await self._shared()
        up = GaugeMetricFamily(
            "storyledger_database_up", "Whether the database answered this very question in time.", int(bool(shared))
        )
        families = [info, up, *gauges.pools(self.pools), *replica.measured(self.replica), *shared]
        text = generate_latest(counters.REGISTRY) + generate_latest(_FixedFamilies(families))
        return Answer(text, media_type=MEDIA_TYPE)

    def _check_token(self, call: Call) -> None:
        if self.token is None:
            raise Problem("not-found", "There is nothing at this path.")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self.token.encode()):
            raise Problem("unauthenticated", "A valid credential is needed.", headers={"WWW-Authenticate": "Bearer"})

    async def _shared(self) -> Sequence[Metric]:
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

"""The metrics of this process, and of what all processes share, in Prometheus' text format 0.0.4."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable, Sequence

import psycopg
import structlog
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.observability import counters, gauges
from adapters.postgres import replica
from domain.errors import UnavailableError
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# So long the database may take; Prometheus gives up after ten seconds unless it is told otherwise.
PATIENCE_SECONDS = 1.5

logger = structlog.get_logger()


async def metrics(call: Call) -> Answer:
    """What the database says is left out while it is away, and `storyledger_database_up` says so."""
    _admit(call)
    service = call.service
    info = InfoMetricFamily(
        "storyledger", "What runs here.", {"version": service.version, "parts": ",".join(sorted(service.parts))}
    )
    shared = await _shared(call)
    up = GaugeMetricFamily(
        "storyledger_database_up", "Whether the database answered this very question in time.", int(bool(shared))
    )
    families = [info, up, *gauges.pools(service.pools), *replica.measured(service.replica), *shared]
    return Answer(generate_latest(counters.REGISTRY) + generate_latest(_Told(families)), media_type=MEDIA_TYPE)


def _admit(call: Call) -> None:
    token = call.service.settings.metrics_token
    if token is None:
        raise Problem("not-found", "There is nothing at this path.")
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Problem("unauthenticated", "A valid credential is needed.", headers={"WWW-Authenticate": "Bearer"})


async def _shared(call: Call) -> Sequence[Metric]:
    if not call.service.database.available:
        return ()
    try:
        return await asyncio.wait_for(call.service.gauges.read(), PATIENCE_SECONDS)
    except (UnavailableError, TimeoutError):
        return ()
    except psycopg.Error as error:
        logger.error("the database cannot be measured", error=type(error).__name__)
        return ()


class _Told(Collector):
    """Families as they are."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families

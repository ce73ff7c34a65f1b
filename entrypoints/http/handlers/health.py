"""Handlers for health checks and the self-test; health checks run on the event loop, and so need no free thread."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import UNSET, UnsetType

from adapters.health.lag import HealthProbe, ServiceLag
from adapters.health.self_test import SelfTest
from adapters.postgres.watchdog import Watchdog
from adapters.read_models.replica import Replica
from domain.errors import UnavailableError
from entrypoints.http.bodies import Empty
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import RETRY_AFTER_SECONDS
from entrypoints.presentation.health import (
    DatabaseHealth,
    InboxState,
    JobCounts,
    Liveness,
    ProjectionLag,
    Readiness,
    ReplicaState,
    SelfTestResult,
    Verdict,
)
from entrypoints.presentation.responses import utc_or_none

# The time limit of the probe, for a database that hangs before the watchdog has noticed it.
PROBE_TIMEOUT_SECONDS = 1.5

HealthBody = TypeVar("HealthBody", DatabaseHealth, Readiness)

_STARTED = time.monotonic()


@dataclass(frozen=True)
class HealthHandlers:
    version: str
    watchdog: Watchdog
    probe: HealthProbe
    replica: Replica | None
    is_stopping: Callable[[], bool]

    async def live(self, _: Call) -> Liveness:
        uptime = round(time.monotonic() - _STARTED, 3)
        return Liveness("alive", datetime.now(UTC), uptime, self.version)

    async def database(self, _: Call) -> Answer[DatabaseHealth]:
        health = self.watchdog.health
        body = DatabaseHealth(
            ready=health.available,
            last_ping_at=utc_or_none(health.last_answer_at),
            last_error=health.error,
            failure_count=health.failures,
            database_url="configured",
            message=f"The database {health.error}." if health.error else "The database answers.",
        )
        return _ok_or_unavailable(body, health.available)

    async def ready(self, _: Call) -> Answer[Readiness]:
        """Answer 503 only if the database does not answer, its schema is wrong, or this process is stopping."""
        health = self.watchdog.health
        lag = None
        if health.available:
            with suppress(UnavailableError, TimeoutError):
                lag = await asyncio.wait_for(self.probe.lag(), PROBE_TIMEOUT_SECONDS)
        is_ready = lag is not None and health.schema_fault is None and not self.is_stopping()
        return _ok_or_unavailable(_readiness(is_ready, lag, self.replica), is_ready)


@dataclass(frozen=True)
class SelfTestHandlers:
    self_test: SelfTest

    def run(self, _: Call, __: Empty) -> Answer[SelfTestResult]:
        """Test each group by writing and reading in a transaction that is rolled back."""
        results = self.self_test.run()
        all_passed = all(results.values())
        verdicts = {name: _verdict(passed) for name, passed in results.items()}
        body = SelfTestResult(_verdict(all_passed), verdicts, datetime.now(UTC))
        return Answer(body, 200 if all_passed else 500)


def _verdict(passed: bool) -> Verdict:
    return "PASS" if passed else "FAIL"


def _readiness(is_ready: bool, lag: ServiceLag | None, replica: Replica | None) -> Readiness:
    if lag is None:
        return Readiness(is_ready, False, {}, None, None, _replica_state(replica))
    inbox, jobs = lag.inbox, lag.jobs
    return Readiness(
        ready=is_ready,
        database=True,
        projections={
            name: ProjectionLag(projection.position, projection.head, projection.seconds)
            for name, projection in lag.projections.items()
        },
        inbox=InboxState(inbox.waiting, inbox.dead_letters, round(inbox.oldest_seconds, 3)),
        jobs=JobCounts(jobs["waiting"], jobs["running"], jobs["failed"]),
        replica=_replica_state(replica),
    )


def _replica_state(replica: Replica | None) -> ReplicaState | UnsetType:
    if replica is None:
        return UNSET
    health = replica.health
    lag_seconds = None if health.lag_seconds is None else round(health.lag_seconds, 3)
    return ReplicaState(health.state, health.lag_bytes, lag_seconds, health.error)


def _ok_or_unavailable(body: HealthBody, is_ready: bool) -> Answer[HealthBody]:
    return Answer(body) if is_ready else Answer(body, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)})

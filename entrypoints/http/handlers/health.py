"""How the service is: answered on the event loop from what is known, however busy or cut off everything else is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from adapters.observability.lag import ServiceLag
from adapters.postgres.replica import Replica
from domain.errors import UnavailableError
from entrypoints.http import problems
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation.views import time as rfc3339

# So long a standing may take to find out, while nobody knows yet that the database hangs.
PATIENCE_SECONDS = 1.5

_STARTED = time.monotonic()


async def live(call: Call) -> Answer:
    return Answer(
        {
            "status": "alive",
            "timestamp": rfc3339(datetime.now(UTC)),
            "uptime": round(time.monotonic() - _STARTED, 3),
            "version": call.service.version,
        }
    )


async def database(call: Call) -> Answer:
    """What the watchdog knows."""
    health = call.service.watchdog.health
    body = {
        "ready": health.available,
        "lastPingAt": None if health.last_answer_at is None else rfc3339(health.last_answer_at),
        "lastError": health.error,
        "failureCount": health.failures,
        "databaseUrl": "configured",
        "message": f"The database {health.error}." if health.error else "The database answers.",
    }
    return Answer(body) if health.available else _unready(body)


async def ready(call: Call) -> Answer:
    """503 only while database or schema are not as needed, or we stop; lag and dead letters are told, not punished."""
    service = call.service
    health = service.watchdog.health
    standing = None
    if health.available:
        try:
            standing = await asyncio.wait_for(service.health_probe.lag(), PATIENCE_SECONDS)
        except (UnavailableError, TimeoutError):
            standing = None
    is_ready = standing is not None and health.schema_fault is None and not service.finishing
    body = {"ready": is_ready, "database": standing is not None, **_told(standing), **_copied(service.replica)}
    return Answer(body) if is_ready else _unready(body)


def self_test(call: Call) -> Answer:
    """Each group really writes and reads, in a transaction that is rolled back."""
    tests = call.service.self_test.run()
    passed = all(tests.values())
    body = {
        "overall": _verdict(passed),
        "tests": {name: _verdict(kept) for name, kept in tests.items()},
        "timestamp": rfc3339(datetime.now(UTC)),
    }
    return Answer(body, 200 if passed else 500)


def _verdict(kept: bool) -> str:
    return "PASS" if kept else "FAIL"


def _told(standing: ServiceLag | None) -> dict[str, Any]:
    if standing is None:
        return {"projections": {}, "inbox": None, "jobs": None}
    return {
        "projections": standing.projections,
        "inbox": {
            "waiting": standing.inbox.waiting,
            "deadLetters": standing.inbox.dead_letters,
            "oldestSeconds": round(standing.inbox.oldest_seconds, 3),
        },
        "jobs": standing.jobs,
    }


def _copied(replica: Replica | None) -> dict[str, Any]:
    """How the read replica is, where there is one; without it all is read from the database itself."""
    if replica is None:
        return {}
    health = replica.health
    lag = None if health.lag_seconds is None else round(health.lag_seconds, 3)
    told = {"state": health.state, "lagBytes": health.lag_bytes, "lagSeconds": lag, "error": health.error}
    return {"replica": told}


def _unready(body: dict[str, Any]) -> Answer:
    return Answer(body, 503, {"Retry-After": str(problems.RETRY_AFTER_SECONDS)})

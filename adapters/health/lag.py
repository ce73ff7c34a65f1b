"""How far the background work is behind: read models, inbox and jobs."""

from dataclasses import dataclass

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.payments import inbox
from adapters.payments.inbox import InboxHealth
from adapters.postgres.database import Database
from adapters.postgres.group_commit import AsyncGroupCommit

MOST_CALLERS_AT_ONCE = 1_000


@dataclass(frozen=True)
class ProjectionLag:
    """A read model's position, the event log's last position, and the age of the first event not yet applied."""

    position: int
    head: int
    seconds: float


@dataclass(frozen=True)
class ServiceLag:
    """The lag of each read model by name, and the state of the inbox and of the jobs."""

    projections: dict[str, ProjectionLag]
    inbox: InboxHealth
    jobs: dict[str, int]


def projection_rows(cursor: Cursor[TupleRow]) -> list[TupleRow]:
    """Return each read model's name, its position, the history's last position, and its lag in seconds."""
    return cursor.execute(
        "SELECT p.name, p.position, h.head,"
        " greatest(0, coalesce(extract(epoch FROM now() - (SELECT recorded_at FROM events e"
        "  WHERE e.position = p.position + 1)), 0))::float"
        " FROM projections p, (SELECT coalesce(max(position), 0) AS head FROM events) h WHERE p.live ORDER BY p.name"
    ).fetchall()


def projections(cursor: Cursor[TupleRow]) -> dict[str, ProjectionLag]:
    return {
        name: ProjectionLag(position, head, round(seconds, 3))
        for name, position, head, seconds in projection_rows(cursor)
    }


def jobs(cursor: Cursor[TupleRow]) -> dict[str, int]:
    [row] = cursor.execute(
        "SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing'),"
        " count(*) FILTER (WHERE status = 'failed') FROM procrastinate_jobs"
    ).fetchall()
    return {"waiting": row[0], "running": row[1], "failed": row[2]}


def oldest_job_seconds(cursor: Cursor[TupleRow]) -> float:
    """Return how long the job that waits longest could have run already."""
    [row] = cursor.execute(
        "SELECT greatest(0, coalesce(extract(epoch FROM now() - min(greatest(e.at, j.scheduled_at))), 0))::float"
        " FROM procrastinate_jobs j JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'deferred'"
        " WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())"
    ).fetchall()
    return float(row[0])


class HealthProbe:
    """Reads the lag on its own connection and thread, so that a busy pool does not delay it.

    Concurrent callers share one read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: AsyncGroupCommit[None, ServiceLag] = AsyncGroupCommit(
            lambda callers: [self._read()] * len(callers), MOST_CALLERS_AT_ONCE
        )

    async def lag(self) -> ServiceLag:
        """Return the lag now; UnavailableError when the database is not available."""
        return await self._reads.submit(None)

    def _read(self) -> ServiceLag:
        # In one snapshot: an event that leaves the inbox between two reads would neither wait nor lag.
        with self._database.snapshot() as cursor:
            return ServiceLag(projections(cursor), inbox.health(cursor), jobs(cursor))

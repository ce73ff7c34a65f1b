"""How far everything is that goes on by itself: read models, inbox and jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.payments import inbox
from adapters.payments.inbox import InboxHealth
from adapters.postgres.database import Database
from adapters.postgres.group_commit import AsyncGroupCommit

MOST_ASKING_TOGETHER = 1_000


@dataclass(frozen=True)
class Standing:
    """For each read model its position, the history's, and how long the first event it lacks has waited."""

    projections: dict[str, dict[str, Any]]
    inbox: InboxHealth
    jobs: dict[str, int]


def projections(database: Database) -> dict[str, dict[str, Any]]:
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT p.name, p.position, h.head,"
            " coalesce(extract(epoch FROM now() - (SELECT recorded_at FROM events e"
            "  WHERE e.position = p.position + 1)), 0)::float"
            " FROM projections p, (SELECT coalesce(max(position), 0) AS head FROM events) h"
            " WHERE p.live ORDER BY p.name"
        ).fetchall()
    return {
        name: {"position": position, "head": head, "lagSeconds": round(max(0.0, lag), 3)}
        for name, position, head, lag in rows
    }


def jobs(database: Database) -> dict[str, int]:
    with database.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing'),"
            " count(*) FILTER (WHERE status = 'failed') FROM procrastinate_jobs"
        ).fetchone()
    assert row is not None
    return {"waiting": row[0], "running": row[1], "failed": row[2]}


class HealthProbe:
    """Asks on a connection and in a thread of its own, so that it is answered however busy everything else is.

    Those who ask at the same time share the answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group_commit: AsyncGroupCommit[None, Standing] = AsyncGroupCommit(
            lambda asking: [self._look()] * len(asking), MOST_ASKING_TOGETHER
        )

    async def standing(self) -> Standing:
        """How it is now; UnavailableError when the database is away."""
        return await self._group_commit.submit(None)

    def _look(self) -> Standing:
        return Standing(projections(self._database), inbox.health(self._database), jobs(self._database))

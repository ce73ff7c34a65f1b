"""Failed jobs: work that has failed for good and waits for a person, in any of three tables.

These are steps on a ticket's recordings, the refunds of all gifts of a ticket of which some were refused, and jobs of
the queue that ended with an error which no step expects. One of the queue has its number as its id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Cursor
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow

from adapters.jobs.queue import CHORES_TASK, ERASURE_TASK, STEP_TASK
from adapters.postgres.database import Database
from domain.commands.refund_runs import GiftOutcome
from domain.errors import NotFoundError, RefusedError
from domain.values import Step


class Source(StrEnum):
    """Where a failed job is on record."""

    STEP = "step"
    REFUNDS = "refunds"
    QUEUE = "queue"


class JobStep(StrEnum):
    """The work of a job: a step on a recording, or one of the other kinds."""

    TRANSCRIBE = Step.TRANSCRIBE
    ANALYSE = Step.ANALYSE
    DRAFT = Step.DRAFT
    REFUND_ALL = "refund_all"
    ERASE = "erase"
    UPKEEP = "upkeep"
    # Work that only another version of the service knows.
    OTHER = "other"


_TASKS: Mapping[str, JobStep] = {ERASURE_TASK: JobStep.ERASE, CHORES_TASK: JobStep.UPKEEP}


@dataclass(frozen=True)
class FailedJob:
    """A job that failed for good; `ticket_id` and `workspace` are None if it belongs to no ticket."""

    id: UUID
    source: Source
    step: JobStep
    ticket_id: UUID | None
    workspace: str | None
    failed_at: datetime
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True)
class JobFilter:
    """Which failed jobs are looked for; None limits nothing, and refunds are left out without `with_refunds`."""

    workspace: str | None = None
    ticket_id: UUID | None = None
    id: UUID | None = None
    with_refunds: bool = True


_STEPS = """
SELECT failed_at AS at, failed_job AS id, 'step' AS source, failed_step AS step, ticket_id, workspace,
       error ->> 'code' AS code, error ->> 'message' AS message, (error ->> 'retryable')::boolean AS retryable
  FROM read.ticket_status WHERE failed_job IS NOT NULL
"""
# A later request for the refunds of the same ticket takes the place of an earlier one.
_REFUNDS = f"""
SELECT * FROM (
SELECT r.ended_at AS at, r.run_id AS id, 'refunds' AS source, '{JobStep.REFUND_ALL.value}' AS step,
       r.ticket_id, t.workspace, 'refunds_refused' AS code, 'Some gifts were not refunded.' AS message,
       t.suspended AND NOT t.erased AS retryable
  FROM refund_runs r JOIN read.ticket_status t USING (ticket_id)
 WHERE r.ended_at IS NOT NULL
   AND r.run_id IN (SELECT run_id FROM refund_run_gifts WHERE outcome = '{GiftOutcome.REFUSED.value}')
   AND NOT EXISTS (SELECT FROM refund_runs later
                    WHERE later.ticket_id = r.ticket_id AND later.requested_at > r.requested_at)
) refunds WHERE true
"""  # noqa: S608 (constants)
_QUEUE = f"""
SELECT * FROM (
SELECT coalesce((SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id AND e.type = 'failed'),
                'epoch'::timestamptz) AS at,
       lpad(to_hex(j.id), 32, '0')::uuid AS id, 'queue' AS source,
       CASE j.task_name WHEN '{STEP_TASK}' THEN j.args ->> 'step' ELSE j.task_name END AS step,
       t.ticket_id, t.workspace, 'job_failed' AS code, 'Something went wrong on our side.' AS message, true AS retryable
  FROM procrastinate_jobs j
  LEFT JOIN read.ticket_status t
    ON t.ticket_id = CASE WHEN j.args ->> 'ticket' ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                          THEN (j.args ->> 'ticket')::uuid END
 WHERE j.status = 'failed'
) jobs WHERE true
"""  # noqa: S608 (constants)
# The function of the queue would also start a job again that a worker runs, so the row is locked first.
_RETRY = """
WITH job AS MATERIALIZED (SELECT id FROM procrastinate_jobs WHERE id = %s AND status = 'failed' FOR UPDATE)
SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM job
"""


def listed(
    cursor: Cursor[TupleRow], chosen: JobFilter, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[FailedJob]:
    """Return at most `limit` failed jobs, the newest first, that come after this time and id."""
    at, after_id = after or (None, None)
    # Each condition can use an index of ticket status, under the same names of columns in all parts.
    order = {"at": "failed_at", "id": "failed_job"}
    parts = [_part(_STEPS, chosen, after, order)]
    if chosen.with_refunds:
        parts.append(_part(_REFUNDS, chosen, after))
    parts.append(_part(_QUEUE, chosen, after))
    values: dict[str, Any] = {
        "workspace": chosen.workspace,
        "ticket": chosen.ticket_id,
        "chosen": chosen.id,
        "at": at,
        "after_id": after_id,
        "limit": limit,
    }
    query = f"SELECT * FROM ({' UNION ALL '.join(parts)}) failed ORDER BY at DESC, id DESC LIMIT %(limit)s"  # noqa: S608
    return [_job(row) for row in cursor.execute(query.encode(), values).fetchall()]


def _part(query: str, chosen: JobFilter, after: object, names: Mapping[str, str] | None = None) -> str:
    at, id = (names or {}).get("at", "at"), (names or {}).get("id", "id")
    conditions = {
        "workspace = %(workspace)s": chosen.workspace,
        "ticket_id = %(ticket)s": chosen.ticket_id,
        f"{id} = %(chosen)s": chosen.id,
        f"({at}, {id}) < (%(at)s, %(after_id)s)": after,
    }
    limits = "".join(f" AND {condition}" for condition, value in conditions.items() if value is not None)
    return f"({query}{limits} ORDER BY {at} DESC, {id} DESC LIMIT %(limit)s)"


def _job(row: TupleRow) -> FailedJob:
    at, id, source, step, ticket_id, workspace, code, message, retryable = row
    step = JobStep(step) if step in tuple(JobStep) else _TASKS.get(step, JobStep.OTHER)
    return FailedJob(id, Source(source), step, ticket_id, workspace, at, code, message, retryable)


class FailedJobs:
    """Finds failed jobs to retry, and puts those of the queue on it again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, chosen: JobFilter) -> FailedJob:
        """Return the failed job that the filter names; NotFoundError if there is none."""
        with self._database.reading() as cursor:
            for job in listed(cursor, chosen, 1):
                return job
        raise NotFoundError("There is no such failed job.")

    def run_again(self, job: FailedJob) -> None:
        """Put a failed job of the queue on it again.

        NotFoundError if somebody else did, RefusedError if another job with the same queueing lock waits already.
        """
        try:
            with self._database.transaction() as cursor:
                if not cursor.execute(_RETRY, (job.id.int,)).rowcount:
                    raise NotFoundError("There is no such failed job.")
        except UniqueViolation as error:
            raise RefusedError("Another job for the same work is waiting already.") from error

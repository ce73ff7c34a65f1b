"""Failed jobs as responses."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from adapters.jobs.failed_jobs import FailedJob, JobStep
from entrypoints.presentation.progress import StepError
from entrypoints.presentation.responses import ResponseBody, Time, utc

State = Literal["queued", "failed"]


class JobView(ResponseBody):
    """Work that failed for good, or that is tried again after that."""

    id: UUID
    ticket_id: UUID | None
    workspace: str | None
    step: JobStep
    status: State
    failed_at: Time
    error: StepError | None

    @classmethod
    def of(cls, job: FailedJob, status: State = "failed") -> JobView:
        error = StepError(job.code, job.message, job.retryable) if status == "failed" else None
        return cls(job.id, job.ticket_id, job.workspace, job.step, status, utc(job.failed_at), error)


class JobPage(ResponseBody):
    """A result page of failed jobs, newest first; `nextCursor` is null on the last one."""

    jobs: list[JobView]
    next_cursor: str | None

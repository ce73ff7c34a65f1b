"""Handlers for jobs that failed for good: list them, and have them tried again."""

from dataclasses import dataclass

from adapters import ids
from adapters.jobs import failed_jobs
from adapters.jobs.failed_jobs import FailedJob, FailedJobs, JobFilter, Source
from adapters.payments.refund_runs import RefundRuns
from domain.commands.refund_runs import RefundRunCommands
from domain.errors import NotFoundError
from domain.members import MemberRole
from domain.values import Role
from entrypoints.http.bodies import Empty
from entrypoints.http.handlers.recordings import RecordingHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.query import choice_parameter, id_parameter
from entrypoints.presentation.jobs import JobPage, JobView

LISTED_STATES = ("failed",)
# Caseworkers make no refunds, and see none of them here.
_WITHOUT_REFUNDS = MemberRole.CASEWORKER


@dataclass(frozen=True)
class JobHandlers:
    jobs: FailedJobs
    recordings: RecordingHandlers
    refund_runs: RefundRunCommands
    runs: RefundRuns

    def list_jobs(self, call: Call) -> Answer[JobPage]:
        choice_parameter(call, "status", LISTED_STATES)
        page, chosen = requested_page(call), _visible(call)
        chosen = JobFilter(chosen.workspace, id_parameter(call, "ticket"), None, chosen.with_refunds)
        after = page.after_time_and_id()
        rows = call.reads.ask(lambda cursor: failed_jobs.listed(cursor, chosen, page.limit + 1, after))
        jobs_on_page = page.cut(rows, lambda job: (job.failed_at.isoformat(), str(job.id)))
        return page.answer(JobPage([JobView.of(job) for job in jobs_on_page], page.next_cursor))

    def show(self, call: Call) -> JobView:
        return JobView.of(self._job(call))

    def retry(self, call: Call, _: Empty) -> JobView:
        """Ask for the same work again, as the operation of the ticket does."""
        job = self._job(call)
        call.workspace, call.answer_ticket_id = job.workspace, job.ticket_id
        if job.source is Source.QUEUE:
            self.jobs.run_again(job)
            return JobView.of(job, "queued")
        assert job.ticket_id is not None
        if job.source is Source.REFUNDS:
            self.refund_runs.retry(call.principal.actor, job.ticket_id, job.id, call.seed.id("refund run"))
            self.runs.wake()
        else:
            row = call.ticket_rows.newest(job.ticket_id)
            if row is None or row["failed_job"] != job.id:
                raise _no_such_job()
            call.ticket = row
            self.recordings.retry(call, Empty())
        return JobView.of(job, "queued")

    def _job(self, call: Call) -> FailedJob:
        """Return the job that the path names; NotFoundError if it has not failed or is another workspace's."""
        id, visible = ids.parse(call.path_params["id"]), _visible(call)
        if id is None:
            raise _no_such_job()
        return self.jobs.get(JobFilter(visible.workspace, None, id, visible.with_refunds))


def _visible(call: Call) -> JobFilter:
    """Return the filter for all jobs that the caller may see."""
    principal = call.principal
    with_refunds = principal.role is not Role.MEMBER or principal.member_role is not _WITHOUT_REFUNDS
    return JobFilter(principal.members_workspace, with_refunds=with_refunds)


def _no_such_job() -> NotFoundError:
    return NotFoundError("There is no such failed job.")

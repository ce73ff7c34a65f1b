"""Handlers for the page of jobs that failed for good."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from starlette.datastructures import QueryParams

from domain.errors import DomainError
from domain.members import MemberRole
from domain.values import Role
from entrypoints.http.bodies import Empty
from entrypoints.http.desk import DESK, Desk, next_page
from entrypoints.http.handlers.jobs import JobHandlers
from entrypoints.http.handlers.wait_pages import FAULTS_OF_RECORDINGS
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.jobs import JobView
from projections import ticket_status

JOBS = f"{DESK}/jobs"
_BUSY = ("_busy", "_unavailable", "_unusable_answer")
_KNOWN = FAULTS_OF_RECORDINGS | {"timeout", "interrupted", "refunds_refused"}


class Line(NamedTuple):
    """A job as a line of the list, with the title or name of its story; `fault` is the sentence that says why."""

    job: JobView
    story: str | None
    fault: str


def fault_of(code: str) -> str:
    """Return which sentence of the page says why a job failed."""
    if code.endswith(_BUSY):
        return "unavailable"
    return code if code in _KNOWN else "other"


@dataclass(frozen=True)
class DeskJobHandlers:
    jobs: JobHandlers
    desk: Desk

    def show(self, call: Call, refusal: Problem | None = None) -> Answer[bytes]:
        done = call.query.get("done")
        call.query = QueryParams({name: call.query[name] for name in ("cursor", "limit") if name in call.query})
        result_page = self.jobs.list_jobs(call).body
        stories = self._stories(call, [job.ticket_id for job in result_page.jobs if job.ticket_id])
        role = call.principal.member_role
        return self.desk.page(
            call,
            "jobs.html",
            refusal.status if refusal else 200,
            lines=[
                Line(job, stories.get(job.ticket_id), fault_of(job.error.code if job.error else ""))
                for job in result_page.jobs
            ],
            may_retry=role is not MemberRole.AUDITOR and call.principal.role is not Role.AUDITOR,
            refusal=refusal.status if refusal else None,
            done=done,
            next_url=next_page(JOBS, result_page.next_cursor),
        )

    def retry(self, call: Call) -> Answer[bytes] | Answer[None]:
        try:
            self.jobs.retry(call, Empty())
        except (DomainError, Problem) as error:
            # Somebody else was faster, a quota is used up, or the job would fail again.
            return self.show(call, problem_of(error))
        return see_other(f"{JOBS}?done=retried")

    def _stories(self, call: Call, ticket_ids: list[UUID]) -> dict[UUID | None, str | None]:
        """Return what the staff of the workspace call the stories; operators learn no personal texts here."""
        if call.principal.role is not Role.MEMBER:
            return {}
        personal, rows = call.personal_data(), call.reads.ask(lambda c: ticket_status.tickets(c, ticket_ids))
        return {id: personal.text_or_none(id, row["draft"]["title"] or row["display_name"]) for id, row in rows.items()}

"""Work that failed for good is listed, and tried again by those who may do so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest

from adapters.ids import uuid7
from domain.commands.refund_runs import GiftOutcome
from domain.errors import StepFailed
from domain.members import MemberRole
from domain.values import Contact, Role, Step
from entrypoints.http.handlers.desk_jobs import fault_of
from tests.client import RECORDING, Client, LiveService, Ticket, eventually
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_desk_operators import browser_with_key
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.members import joined_member, new_address

TIMEOUT = StepFailed("timeout", "Transcribing the recording took too long.", retryable=True)
NO_SPEECH = StepFailed("no_speech", "We could not hear any speech in this recording.", retryable=False)


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER, owner_address)


def failed_ticket(opener: Client, work: JobRunner, fault: StepFailed = TIMEOUT, **fields: str) -> Ticket:
    """Return a ticket whose recording could not be transcribed."""
    ticket = opener.open_ticket(**fields)
    ticket.upload(RECORDING.read_bytes())
    assert ticket.post("/process", {}).status_code == 202
    work.do(ticket, outcome=fault)
    return ticket


def jobs_of(client: Client, **params: str) -> list[dict[str, Any]]:
    answer = client.get("/api/jobs", params=params)
    assert answer.status_code == 200, answer.text
    jobs: list[dict[str, Any]] = answer.json()["jobs"]
    return jobs


def failed_queue_job(live: LiveService, task: str, **args: str) -> int:
    """Put a job on the queue that has failed there, and return its number."""
    with live.service.database.transaction() as cursor:
        [id] = cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)"
            " VALUES ('none', %s, jsonb_build_object('ticket', %s::text, 'step', %s::text), 'doing', 1) RETURNING id",
            (task, args.get("ticket"), args.get("step")),
        ).fetchall()[0]
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (id,))
    return int(id)


def status_of_queue_job(live: LiveService, number: int) -> str:
    row = live.service.database.row("SELECT status::text FROM procrastinate_jobs WHERE id = %s", (number,))
    assert row is not None
    return str(row[0])


def test_a_failed_step_is_listed_until_it_is_tried_again(owner: Client, work: JobRunner):
    ticket = failed_ticket(owner, work)
    [job] = jobs_of(owner, status="failed")
    assert (job["ticketId"], job["step"], job["status"]) == (ticket.id, "transcribe", "failed")
    assert job["error"] == {"code": TIMEOUT.code, "message": TIMEOUT.message, "retryable": True}
    assert owner.get(f"/api/jobs/{job['id']}").json() == job
    retried = owner.post(f"/api/jobs/{job['id']}/retry", json={})
    assert (retried.status_code, retried.json()["status"], retried.json()["error"]) == (202, "queued", None)
    assert owner.get(ticket.path).json()["contentStatus"] == "PROCESSING"
    assert jobs_of(owner) == []
    problem(owner.post(f"/api/jobs/{job['id']}/retry", json={}), 404, "not-found")
    work.do(ticket)
    assert jobs_of(owner) == []


def test_a_step_that_fails_again_is_another_job(owner: Client, work: JobRunner):
    ticket = failed_ticket(owner, work)
    [first] = jobs_of(owner)
    assert owner.post(f"/api/jobs/{first['id']}/retry", json={}).status_code == 202
    work.do(ticket, outcome=TIMEOUT)
    [second] = jobs_of(owner)
    assert second["id"] != first["id"]
    assert second["failedAt"] > first["failedAt"]
    problem(owner.post(f"/api/jobs/{first['id']}/retry", json={}), 404, "not-found")


def test_a_step_that_would_fail_again_is_listed_but_not_retried(owner: Client, work: JobRunner):
    failed_ticket(owner, work, NO_SPEECH)
    [job] = jobs_of(owner)
    assert job["error"]["retryable"] is False
    problem(owner.post(f"/api/jobs/{job['id']}/retry", json={}), 409, "conflict")


def test_a_story_that_is_written_by_hand_has_no_failed_step_any_more(owner: Client, work: JobRunner):
    ticket = failed_ticket(owner, work, NO_SPEECH)
    ticket.write_draft()
    assert jobs_of(owner) == []


def test_an_erased_person_has_no_failed_step(owner: Client, work: JobRunner):
    ticket = failed_ticket(owner, work)
    assert owner.delete(ticket.path).status_code == 202
    assert jobs_of(owner) == []


def test_another_workspace_finds_no_job(live: LiveService, owner: Client, work: JobRunner):
    ticket = failed_ticket(owner, work)
    [job] = jobs_of(owner)
    number = failed_queue_job(live, "work", ticket=ticket.id, step="draft")
    with closing(joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER)) as stranger:
        assert jobs_of(stranger) == jobs_of(stranger, ticket=ticket.id) == []
        for id in (job["id"], UUID(int=number), uuid7(), "none"):
            problem(stranger.get(f"/api/jobs/{id}"), 404, "not-found")
            problem(stranger.post(f"/api/jobs/{id}/retry", json={}), 404, "not-found")
    assert status_of_queue_job(live, number) == "failed"


def test_jobs_are_paged_and_filtered_by_ticket(owner: Client, work: JobRunner):
    tickets = [failed_ticket(owner, work).id for _ in range(3)]
    assert [job["ticketId"] for job in jobs_of(owner)] == tickets[::-1]
    first = owner.get("/api/jobs", params={"limit": 2}).json()
    second = owner.get("/api/jobs", params={"limit": 2, "cursor": first["nextCursor"]}).json()
    assert [job["ticketId"] for job in (*first["jobs"], *second["jobs"])] == tickets[::-1]
    assert second["nextCursor"] is None
    assert [job["ticketId"] for job in jobs_of(owner, ticket=tickets[1])] == [tickets[1]]
    for params in ({"status": "running"}, {"ticket": "none"}, {"cursor": "none"}, {"limit": "0"}):
        assert pointers(owner.get("/api/jobs", params=params)) == [f"/{next(iter(params))}"]


def test_a_failed_job_of_the_queue_is_run_again(live: LiveService, owner: Client, admin: Client):
    ticket = owner.open_ticket()
    of_ticket = failed_queue_job(live, "work", ticket=ticket.id, step=Step.DRAFT.value)
    of_a_later_version = failed_queue_job(live, "work", ticket=ticket.id, step="translate")
    of_none = failed_queue_job(live, "tidy", ticket="nonsense")
    upkeep = failed_queue_job(live, "chores")
    jobs = {UUID(job["id"]).int: job for job in jobs_of(owner)}
    assert {number: job["step"] for number, job in jobs.items()} == {of_ticket: "draft", of_a_later_version: "other"}
    everything = {UUID(job["id"]).int: job for job in jobs_of(admin, limit="100")}
    assert [everything[number]["step"] for number in (of_ticket, of_none, upkeep)] == ["draft", "other", "upkeep"]
    assert (everything[upkeep]["ticketId"], everything[upkeep]["workspace"]) == (None, None)
    problem(owner.post(f"/api/jobs/{UUID(int=upkeep)}/retry", json={}), 404, "not-found")
    for client, number in ((owner, of_ticket), (admin, upkeep)):
        assert client.post(f"/api/jobs/{UUID(int=number)}/retry", json={}).status_code == 202
        assert status_of_queue_job(live, number) == "todo"
        problem(client.post(f"/api/jobs/{UUID(int=number)}/retry", json={}), 404, "not-found")
    live.service.database.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'none'")


@pytest.mark.parametrize("status", ["todo", "doing"])
def test_the_second_of_two_who_retry_a_queued_job_at_once_finds_none(live: LiveService, admin: Client, status: str):
    number = failed_queue_job(live, "chores")
    database = live.service.database
    with ThreadPoolExecutor(1) as pool, database.transaction() as first:
        first.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (number,))
        if status == "doing":
            first.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", (number,))
        second = pool.submit(admin.post, f"/api/jobs/{UUID(int=number)}/retry", json={})
        [pid] = first.execute("SELECT pg_backend_pid()").fetchall()[0]
        waits = "SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        eventually(lambda: database.row(waits, (pid,)) is not None)
    problem(second.result(), 404, "not-found")
    assert status_of_queue_job(live, number) == status
    database.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'none'")


def test_a_failed_job_is_not_put_beside_one_that_waits_in_its_place(live: LiveService, admin: Client):
    number, lock = failed_queue_job(live, "chores"), f"lock of {uuid7()}"
    database = live.service.database
    database.execute("UPDATE procrastinate_jobs SET queueing_lock = %s WHERE id = %s", (lock, number))
    database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) VALUES ('none', 'chores', %s)", (lock,)
    )
    problem(admin.post(f"/api/jobs/{UUID(int=number)}/retry", json={}), 409, "conflict")
    assert status_of_queue_job(live, number) == "failed"
    database.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'none'")


def test_refunds_that_were_refused_are_asked_for_again_by_managers_alone(
    live: LiveService, owner: Client, workspace: str
):
    ticket = owner.open_ticket()
    ticket.write_draft()
    ticket.publish()
    assert owner.post(f"{ticket.path}/suspend", json={"reason": "Fraud."}).status_code == 200
    assert owner.post(f"{ticket.path}/refund-all", json={"reason": "It was fraud."}).status_code == 202
    live.service.jobs.refund_runs.run_all()
    run = live.service.jobs.refund_runs.progress(UUID(ticket.id))
    assert run is not None
    assert jobs_of(owner) == []
    live.service.database.execute(
        "INSERT INTO refund_run_gifts VALUES (%s, %s, %s)", (run.run_id, uuid7(), GiftOutcome.REFUSED.value)
    )
    [job] = jobs_of(owner)
    assert (job["id"], job["step"], job["error"]["retryable"]) == (str(run.run_id), "refund_all", True)
    with (
        closing(joined_member(live, workspace, MemberRole.CASEWORKER)) as caseworker,
        closing(joined_member(live, workspace, MemberRole.AUDITOR)) as auditor,
    ):
        assert (jobs_of(caseworker), len(jobs_of(auditor))) == ([], 1)
        problem(caseworker.post(f"/api/jobs/{job['id']}/retry", json={}), 404, "not-found")
    assert owner.post(f"/api/jobs/{job['id']}/retry", json={}).status_code == 202
    newest = live.service.jobs.refund_runs.progress(UUID(ticket.id))
    assert newest is not None
    assert newest.run_id != run.run_id
    reasons = [run.reason for run in live.service.aggregates.tickets.get(UUID(ticket.id)).refund_runs.values()]
    assert reasons == ["It was fraud."] * 2
    assert jobs_of(owner) == []


def test_the_staff_retry_a_failed_job_on_its_page(
    live: LiveService, owner: Client, owner_address: Contact, work: JobRunner
):
    with closing(browser_of(live, owner_address)) as browser:
        assert "Nothing has failed." in browser.get("/desk/jobs").text
        failed_ticket(owner, work, displayName="Ada Lovelace")
        failed_ticket(owner, work, NO_SPEECH)
        page = browser.get("/desk/jobs").text
        assert ("Ada Lovelace" in page, "It took too long." in page) == (True, True)
        assert "Nobody is heard speaking" in page
        # The second one would fail again.
        assert page.count('action="/desk/jobs/') == 1
        [job] = [job for job in jobs_of(owner) if job["error"]["retryable"]]
        [final] = [job for job in jobs_of(owner) if not job["error"]["retryable"]]
        retried = browser.post(f"/desk/jobs/{job['id']}/retry")
        assert (retried.status_code, retried.headers["location"]) == (303, "/desk/jobs?done=retried")
        for id, status in ((job["id"], 404), (final["id"], 409)):
            answer = browser.post(f"/desk/jobs/{id}/retry")
            assert (answer.status_code, 'id="error-summary"' in answer.text) == (status, True)


def test_auditors_see_failed_jobs_masked_and_without_the_button(
    live: LiveService, workspace: str, owner: Client, work: JobRunner
):
    failed_ticket(owner, work, displayName="Ada Lovelace")
    email = new_address()
    joined_member(live, workspace, MemberRole.AUDITOR, email).close()
    with closing(browser_of(live, email)) as auditor:
        page = auditor.get("/desk/jobs").text
        assert ("It took too long." in page, "Ada" in page, "/retry" in page) == (True, False, False)


def test_operators_see_the_failed_jobs_of_all_workspaces_without_personal_texts(
    live: LiveService, workspace: str, owner: Client, work: JobRunner
):
    ticket = failed_ticket(owner, work, displayName="Ada Lovelace")
    with closing(browser_with_key(live, Role.ADMIN)) as administrator:
        page = administrator.get("/desk/jobs").text
        assert (workspace in page, f"/audit/{ticket.id}" in page, "Ada" in page) == (True, True, False)
        [job] = jobs_of(owner)
        assert administrator.post(f"/desk/jobs/{job['id']}/retry").status_code == 303
    with closing(browser_with_key(live, Role.AUDITOR)) as auditor:
        assert "/retry" not in auditor.get("/desk/jobs").text
    assert jobs_of(owner) == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("no_speech", "no_speech"),
        ("transcriber_busy", "unavailable"),
        ("drafter_unavailable", "unavailable"),
        ("drafter_unusable_answer", "unavailable"),
        ("internal_error", "other"),
        ("a_code_of_a_later_version", "other"),
    ],
)
def test_the_code_of_a_failure_becomes_a_sentence_for_the_staff(code: str, fault: str):
    assert fault_of(code) == fault

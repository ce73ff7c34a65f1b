"""All gifts of a suspended page are refunded in one act: each once, and never one in dispute."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from adapters.ids import uuid7
from adapters.payments.refund_runs import RefundRuns
from domain.events import DisputeOpened
from domain.members import MemberRole
from domain.values import STRIPE, Money, Role, StripeReport
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.contract import problem
from tests.members import joined_member

REASON = {"reason": "It was fraud."}


@pytest.fixture(autouse=True)
def _no_run_of_another_test_waits(live: LiveService) -> None:
    """Complete the runs that other tests began, so that a test counts and stops its own run alone."""
    live.service.jobs.refund_runs.run_all()


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


@pytest.fixture
def own(live: LiveService, workspace: str) -> Ticket:
    """Return a published ticket of the workspace."""
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as opener:
        ticket = opener.open_ticket()
    ticket.write_draft()
    ticket.publish()
    return ticket


def suspend(owner: Client, ticket: Ticket) -> None:
    assert owner.post(f"{ticket.path}/suspend", json={"reason": "Fraud."}).status_code == 200


def refund_all(owner: Client, ticket: Ticket) -> dict[str, Any]:
    answer = owner.post(f"{ticket.path}/refund-all", json=REASON)
    assert answer.status_code == 202, answer.text
    progress: dict[str, Any] = answer.json()
    return progress


def dispute(live: LiveService, ticket: Ticket, donation: str) -> None:
    fields: dict[str, Any] = {"dispute_id": "dp_1", "amount": Money(5_000, "USD"), "state": "needs_response"}
    live.service.aggregates.donations.change(
        UUID(ticket.id),
        UUID(donation),
        lambda gift: gift.record(STRIPE, DisputeOpened, report=StripeReport("evt_dispute", 1), **fields),
    )


def refund_requests(ticket: Ticket) -> list[dict[str, Any]]:
    entries = ticket.get("/history", params={"limit": 100}).json()["events"]
    return [entry for entry in entries if entry["type"] == "RefundRequested"]


def test_every_gift_is_refunded_once_as_the_act_of_the_member(live: LiveService, owner: Client, own: Ticket):
    donate_in_sandbox(live, own)
    donate_in_sandbox(live, own, 20, "EUR")
    disputed = donate_in_sandbox(live, own, 30)
    dispute(live, own, disputed)
    suspend(owner, own)
    begun = refund_all(owner, own)
    assert (begun["state"], begun["waiting"], begun["requested"]) == ("running", 3, 0)
    assert refund_all(owner, own)["requestedAt"] == begun["requestedAt"]
    assert live.service.jobs.refund_runs.run_all() == 1
    wait_until_delivered(live)
    done = owner.get(f"{own.path}/refund-all").json()
    assert (done["state"], done["waiting"], done["requested"], done["disputed"]) == ("done", 0, 2, 1)
    assert done["skipped"] == [{"donationId": disputed, "outcome": "disputed"}]
    assert done["totals"] == [
        {"currency": "EUR", "beforeMinor": 2_000, "nowMinor": 0},
        {"currency": "USD", "beforeMinor": 8_000, "nowMinor": 3_000},
    ]
    [me] = [member["memberId"] for member in owner.get("/api/me").json()["workspaces"]]
    assert [entry["actor"] for entry in refund_requests(own)] == [f"member:{me}"] * 2
    assert [entry["data"]["reason"] for entry in refund_requests(own)] == [REASON["reason"]] * 2


def test_a_run_goes_on_where_an_ended_process_left_it(live: LiveService, owner: Client, own: Ticket):
    for _ in range(2):
        donate_in_sandbox(live, own)
    suspend(owner, own)
    refund_all(owner, own)
    service = live.service
    stopped = RefundRuns(service.database, service.commands.refund_runs, 0)
    stopped.pause = lambda seconds: True  # type: ignore[method-assign]
    assert stopped.run_all() == 0
    assert owner.get(f"{own.path}/refund-all").json()["requested"] == 1
    # A process that was killed before it noted the result asks for the same refund again.
    service.database.execute("DELETE FROM refund_run_gifts")
    assert RefundRuns(service.database, service.commands.refund_runs, 0).run_all() == 1
    wait_until_delivered(live)
    assert len(refund_requests(own)) == 2
    assert owner.get(f"{own.path}/refund-all").json()["totals"][0]["nowMinor"] == 0


def test_a_gift_after_a_run_is_refunded_by_the_next_run(live: LiveService, owner: Client, own: Ticket):
    donate_in_sandbox(live, own)
    suspend(owner, own)
    refund_all(owner, own)
    live.service.jobs.refund_runs.run_all()
    wait_until_delivered(live)
    again = refund_all(owner, own)
    assert (again["state"], again["waiting"]) == ("running", 1)
    live.service.jobs.refund_runs.run_all()
    done = owner.get(f"{own.path}/refund-all").json()
    assert (done["requested"], done["nothingLeft"]) == (0, 1)
    assert len(refund_requests(own)) == 1


def test_only_the_gifts_of_a_suspended_page_are_refunded_at_once(owner: Client, own: Ticket):
    problem(owner.post(f"{own.path}/refund-all", json=REASON), 409, "conflict")
    problem(owner.get(f"{own.path}/refund-all"), 404, "not-found")


def test_an_erased_persons_gifts_are_refunded_without_the_reason(live: LiveService, owner: Client, own: Ticket):
    donate_in_sandbox(live, own)
    suspend(owner, own)
    refund_all(owner, own)
    own.http.delete(own.path)
    assert live.service.jobs.refund_runs.run_all() == 1
    assert owner.get(f"{own.path}/refund-all").json()["requested"] == 1


# Single refunds by members.


def test_a_manager_refunds_a_gift_of_the_own_workspace_alone(live: LiveService, owner: Client, own: Ticket):
    donation = donate_in_sandbox(live, own)
    path = f"/admin/donations/{donation}/refund"
    with (
        joined_member(live, "w-another", MemberRole.OWNER) as stranger,
        joined_member(live, owner.get("/api/me").json()["workspace"], MemberRole.ACCOUNTANT) as accountant,
    ):
        problem(stranger.post(path, json=REASON), 404, "not-found")
        problem(accountant.post(path, json=REASON), 403, "forbidden")
    assert owner.post(path, json=REASON | {"amount": 10}).status_code == 202
    [me] = [member["memberId"] for member in owner.get("/api/me").json()["workspaces"]]
    assert [entry["actor"] for entry in refund_requests(own)] == [f"member:{me}"]


def test_an_accountant_asks_and_another_person_approves(live: LiveService, owner: Client, own: Ticket):
    donation = donate_in_sandbox(live, own)
    path = f"/api/donations/{donation}/refund-requests"
    with (
        joined_member(live, "w-another", MemberRole.OWNER) as stranger,
        joined_member(live, owner.get("/api/me").json()["workspace"], MemberRole.ACCOUNTANT) as accountant,
    ):
        problem(stranger.post(path, json=REASON), 404, "not-found")
        answer = accountant.post(path, json=REASON | {"amount": 10})
        assert (answer.status_code, answer.json()["state"], answer.json()["amountMinor"]) == (201, "open", 1_000)
        problem(accountant.post(f"{path}/{answer.json()['id']}/approve", json={}), 403, "forbidden")
        declined = accountant.post(path, json=REASON)
        listed = accountant.get(path, params={"limit": 1}).json()
        assert (len(listed["refundRequests"]), listed["nextCursor"] is not None) == (1, True)
    assert refund_requests(own) == []
    assert owner.post(f"{path}/{declined.json()['id']}/decline", json={}).json()["state"] == "declined"
    problem(owner.post(f"{path}/{declined.json()['id']}/approve", json={}), 409, "conflict")
    for _ in range(2):
        assert owner.post(f"{path}/{answer.json()['id']}/approve", json={}).json()["state"] == "approved"
    assert len(refund_requests(own)) == 1
    wait_until_delivered(live)
    assert own.get("/donations").json()["donations"][0]["amountRefundedMinor"] == 1_000


def test_nobody_approves_the_own_request(live: LiveService, owner: Client, own: Ticket):
    path = f"/api/donations/{donate_in_sandbox(live, own)}/refund-requests"
    request = owner.post(path, json=REASON).json()
    problem(owner.post(f"{path}/{request['id']}/approve", json={}), 409, "conflict")
    with joined_member(live, owner.get("/api/me").json()["workspace"], MemberRole.ADMIN) as manager:
        assert manager.post(f"{path}/{request['id']}/approve", json={}).status_code == 202


def test_each_act_of_a_member_on_a_ticket_is_in_the_history_as_that_of_the_member(live: LiveService, own: Ticket):
    workspace = live.service.aggregates.tickets.get(UUID(own.id)).workspace
    acts: list[tuple[MemberRole, str, str, dict[str, Any], str]] = [
        (MemberRole.CASEWORKER, "PATCH", "/draft", {"title": "A roof for Ada"}, "DraftEdited"),
        (MemberRole.CASEWORKER, "POST", "/unpublish", {}, "Unpublished"),
        (MemberRole.CASEWORKER, "POST", "/publish", {}, "Published"),
        (MemberRole.ADMIN, "POST", "/suspend", {"reason": "A question."}, "TicketSuspended"),
        (MemberRole.ADMIN, "POST", "/reinstate", {}, "TicketReinstated"),
    ]
    for role, method, subpath, body, kind in acts:
        with joined_member(live, workspace, role) as member:
            assert member.request(method, own.path + subpath, json=body).status_code == 200
            [me] = [each["memberId"] for each in member.get("/api/me").json()["workspaces"]]
        entries = own.get("/history", params={"limit": 100}).json()["events"]
        actors = [entry["actor"] for entry in entries if entry["type"] == kind]
        assert f"member:{me}" in actors

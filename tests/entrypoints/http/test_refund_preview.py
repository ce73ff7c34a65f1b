"""Before a refund, the staff see what would go back, what would be left, and what the page would have raised."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.conftest import donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.contract import pointers, problem
from tests.members import joined_member


def preview(caller: Client, donation: str, **query: str) -> Any:
    answer = caller.get(f"/api/donations/{donation}/refund-preview", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def accountant(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.ACCOUNTANT)


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


def test_the_preview_says_what_the_refund_then_does(
    live: LiveService, owner: Client, accountant: Client, admin: Client
):
    ticket = owner.open_ticket()
    ticket.write_draft(goalAmount="60", currency="USD")
    donation = donate_in_sandbox(live, ticket, 50)
    donate_in_sandbox(live, ticket, 20)
    planned = preview(accountant, donation, amount="12.50")
    names = ("allowed", "refusal", "amountMinor", "leftMinor", "refundableMinor", "pageTotalMinor", "fallsBelowGoal")
    assert [planned[name] for name in names] == [True, None, 1250, 3750, 5000, 7000, True]
    assert (planned["pageTotalAfterMinor"], planned["goalAmountMinor"], planned["left"]) == (5750, 6000, 37.5)
    assert [part["amountMinor"] for part in planned["parts"]] == [1250]
    assert preview(accountant, donation, amount="5")["fallsBelowGoal"] is False
    assert preview(owner, donation)["amountMinor"] == 5000
    order = {"amount": "12.50", "reason": "asked for"}
    assert admin.post(f"/admin/donations/{donation}/refund", json=order).status_code == 202
    wait_until_delivered(live)
    after = preview(admin, donation)
    assert (after["refundableMinor"], after["pageTotalMinor"]) == (planned["leftMinor"], planned["pageTotalAfterMinor"])
    with live.service.database.reading() as cursor:
        cursor.execute(
            "SELECT sum(fee)::bigint, min(currency) FROM read.fee_ledger WHERE donation_id = %s", (donation,)
        )
        assert cursor.fetchone() == (after["feesKeptMinor"], after["feesCurrency"])


def test_a_preview_of_what_is_not_allowed_says_why(live: LiveService, owner: Client, admin: Client):
    ticket = owner.open_ticket()
    unpaid, paid = ticket.pay(5)["donationId"], donate_in_sandbox(live, ticket, 10)
    for donation, amount, reason in ((unpaid, "5", "not paid"), (paid, "10.01", "No more can be refunded")):
        planned = preview(owner, donation, amount=amount)
        assert (planned["allowed"], planned["parts"]) == (False, [])
        assert reason in planned["refusal"]
        assert planned["pageTotalAfterMinor"] == planned["pageTotalMinor"]
        assert live.service.aggregates.donations.get(UUID(ticket.id), UUID(donation)).gift.requests == {}
        order = {"amount": amount, "reason": "asked for"}
        refused = problem(admin.post(f"/admin/donations/{donation}/refund", json=order), 409, "conflict")
        assert refused["detail"] == planned["refusal"]


@pytest.mark.parametrize("amount", ["0", "x", "1.001", "-1"])
def test_amounts_that_cannot_be_refunded_are_refused(live: LiveService, owner: Client, amount: str):
    donation = donate_in_sandbox(live, owner.open_ticket(), 10)
    assert pointers(owner.get(f"/api/donations/{donation}/refund-preview", params={"amount": amount})) == ["/amount"]


def test_donations_of_other_workspaces_are_unknown(live: LiveService, owner: Client, admin: Client, workspace: str):
    donation = donate_in_sandbox(live, owner.open_ticket(), 10)
    other = joined_member(live, f"{workspace}-other", MemberRole.OWNER)
    address = f"/api/donations/{donation}/refund-preview"
    problem(other.get(address), 404, "not-found")
    assert other.get("/api/donations").json()["donations"] == []
    program = live.client_with_key(Role.CLIENT, "donations:read", workspace=workspace)
    problem(program.get(address), 403, "forbidden")

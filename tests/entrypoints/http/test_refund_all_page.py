"""The page on which managers pay all gifts of a suspended page back."""

from __future__ import annotations

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Contact, Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_refund_all import dispute, refund_requests
from tests.members import joined_member, new_address

CONFIRMED = {"word": "Refund ", "reason": "It was fraud."}


@pytest.fixture(autouse=True)
def _no_run_of_another_test_waits(live: LiveService) -> None:
    live.service.jobs.refund_runs.run_all()


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Client:
    joined_member(live, workspace, MemberRole.OWNER, owner_address)
    return browser_of(live, owner_address)


@pytest.fixture
def own(live: LiveService, workspace: str) -> Ticket:
    """Return a published ticket of the workspace."""
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=workspace) as opener:
        ticket = opener.open_ticket()
    ticket.write_draft()
    ticket.publish()
    return ticket


def page_of(ticket: Ticket) -> str:
    return f"/desk/tickets/{ticket.id}/refund-all"


def suspend(owner: Client, ticket: Ticket) -> None:
    assert owner.post(f"/desk/tickets/{ticket.id}/suspend", data={"reason": "Fraud."}).status_code == 303


def test_the_page_says_what_would_be_paid_back_and_what_not(live: LiveService, owner: Client, own: Ticket):
    donate_in_sandbox(live, own)
    donate_in_sandbox(live, own, 1_500, "JPY")
    dispute(live, own, donate_in_sandbox(live, own, 30))
    before = owner.get(page_of(own)).text
    assert "Only the gifts of a suspended page" in before
    assert "<form method=" not in before.split("<main")[1]
    suspend(owner, own)
    assert page_of(own) in owner.get(f"/desk/tickets/{own.id}").text
    page = owner.get(page_of(own)).text
    assert all(part in page for part in ("1 gift", "$50.00", "¥1,500", "A dispute is open", 'name="word"'))
    assert refund_requests(own) == []


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"word": "", "reason": "Fraud."}, 'href="#word"'),
        ({"word": "", "reason": ""}, 'href="#reason"'),
        ({"word": "refunds", "reason": "Fraud."}, 'href="#word"'),
        ({"word": "refund", "reason": " "}, 'href="#reason"'),
        ({"word": "refund", "reason": "x" * 501}, 'href="#reason"'),
    ],
)
def test_nothing_is_paid_back_without_the_word_and_a_reason(
    live: LiveService, owner: Client, own: Ticket, form: dict[str, str], fault: str
):
    donate_in_sandbox(live, own)
    suspend(owner, own)
    refused = owner.post(page_of(own), data=form)
    assert (refused.status_code, fault in refused.text) == (422, True)
    assert owner.get(f"{own.path}/refund-all").status_code == 404


def test_the_progress_is_shown_with_what_failed_and_what_is_left_is_tried_again(
    live: LiveService, owner: Client, own: Ticket
):
    donate_in_sandbox(live, own)
    disputed = donate_in_sandbox(live, own, 30)
    dispute(live, own, disputed)
    suspend(owner, own)
    begun = owner.post(page_of(own), data=CONFIRMED)
    assert (begun.status_code, begun.headers["location"]) == (303, page_of(own)), begun.text
    running = owner.get(page_of(own)).text
    assert all(part in running for part in ("0 of 2 gifts", "Show how far it is now", 'http-equiv="refresh"'))
    assert 'name="word"' not in running
    live.service.jobs.refund_runs.run_all()
    wait_until_delivered(live)
    done = owner.get(page_of(own)).text
    assert all(
        part in done for part in ("2 of 2 gifts", "The last refund of all gifts is finished", f"/desk/gifts/{disputed}")
    )
    assert 'http-equiv="refresh"' not in done
    assert len(refund_requests(own)) == 1
    # A gift that came in a checkout that was still open is left for another run.
    donate_in_sandbox_later(live, owner, own)
    again = owner.get(page_of(own)).text
    assert "Pay back what is left" in again
    assert owner.post(page_of(own), data=CONFIRMED).status_code == 303
    live.service.jobs.refund_runs.run_all()
    assert len(refund_requests(own)) == 2


def donate_in_sandbox_later(live: LiveService, owner: Client, own: Ticket) -> None:
    assert owner.post(f"/desk/tickets/{own.id}/reinstate").status_code == 303
    donate_in_sandbox(live, own)
    suspend(owner, own)


def test_a_page_that_is_not_suspended_keeps_its_gifts(live: LiveService, owner: Client, own: Ticket):
    donate_in_sandbox(live, own)
    assert owner.post(page_of(own), data=CONFIRMED).status_code == 409
    assert refund_requests(own) == []


def test_those_with_rights_over_money_see_the_progress_and_only_managers_begin_it(
    live: LiveService, owner: Client, own: Ticket, workspace: str
):
    donate_in_sandbox(live, own)
    suspend(owner, own)
    assert owner.post(page_of(own), data=CONFIRMED).status_code == 303
    for role, statuses in (
        (MemberRole.ACCOUNTANT, (200, 403)),
        (MemberRole.AUDITOR, (200, 403)),
        (MemberRole.CASEWORKER, (403, 403)),
    ):
        address = new_address()
        joined_member(live, workspace, role, address)
        member = browser_of(live, address)
        assert (member.get(page_of(own)).status_code, member.post(page_of(own), data=CONFIRMED).status_code) == statuses
    stranger_address = new_address()
    joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER, stranger_address)
    assert browser_of(live, stranger_address).get(page_of(own)).status_code == 404

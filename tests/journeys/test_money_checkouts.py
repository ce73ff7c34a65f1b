"""A checkout is recorded before Stripe is called, fulfilled before the webhook, and completed after a crash."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.payments.pending_calls import PendingCallRetrier
from domain.donations import Donation
from domain.errors import RefusedError
from domain.ports import CheckoutRequest
from domain.values import SYSTEM, Money, Role
from tests.client import WAIT_SECONDS, LiveService, eventually
from tests.journeys.money_service import live, silent
from tests.money import pending_calls

__all__ = ["live", "silent"]


def test_a_donor_who_returns_before_the_webhook_sees_the_gift(silent: LiveService):
    live = silent
    assert live.service.payments.sandbox is not None
    ticket = live.client().open_ticket()
    page = ticket.publish()
    checkout = ticket.pay(25)
    session = live.service.payments.sandbox.pay(checkout["checkoutSessionId"])
    return_url = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
    assert return_url == f"{page}?thanks&session_id={session['id']}"

    with live.client() as donor:
        for _ in range(3):
            assert donor.get(return_url).status_code == 200
        assert donor.get(f"{page}?thanks&session_id=cs_nobody").status_code == 200
    eventually(lambda: ticket.get("/donations/total").json()["totalMinor"] == 2_500)

    live.service.payments.sandbox.start()
    assert live.service.payments.sandbox.wait_delivered(WAIT_SECONDS)
    live.applied()
    total = ticket.get("/donations/total").json()
    assert (total["totalMinor"], total["counts"]) == (2_500, total["counts"] | {"paid": 1, "total": 1})


def test_a_donor_who_cancels_returns_to_the_page_without_thanks(live: LiveService):
    assert live.service.payments.sandbox is not None
    ticket = live.client().open_ticket()
    page = ticket.publish()
    session = live.service.payments.sandbox.session(ticket.pay(25)["checkoutSessionId"])
    assert session is not None
    assert session["cancel_url"] == f"{page}?cancelled"


def test_a_checkout_that_stripe_refuses_is_recorded_as_failed(live: LiveService):
    ticket = live.client().open_ticket()
    refused = ticket.post("/create-payment", {"amount": 5, "currency": "XCG"})
    assert refused.status_code == 422, refused.text
    [donation] = ticket.get("/donations").json()["donations"]
    assert donation["status"] == "FAILED"
    types = [event["type"] for event in ticket.get("/history").json()["events"]]
    assert types[-2:] == ["CheckoutRequested", "CheckoutRefused"]


def requested(live: LiveService, ticket: Any) -> UUID:
    """Record a donation whose process died before it called Stripe."""
    donation = uuid4()
    gift = Donation.request_checkout(SYSTEM, UUID(ticket.id), donation, Money(2_500, "USD"), "Gift")
    live.service.aggregates.donations.add(gift)
    return donation


def test_a_checkout_left_unopened_by_a_crash_is_opened(live: LiveService):
    ticket = live.client().open_ticket()
    donation = requested(live, ticket)
    service = live.service
    call_retrier = PendingCallRetrier(service.database, pending_calls(service), retry_after_seconds=0)
    eventually(lambda: call_retrier.retry_all() or _session(ticket))
    [row] = ticket.get("/donations").json()["donations"]
    assert (row["id"], row["status"]) == (str(donation), "CREATED")
    assert call_retrier.retry_all() == 0


def test_no_checkout_is_opened_for_a_ticket_that_was_erased_meanwhile(live: LiveService):
    ticket = live.client().open_ticket()
    donation = requested(live, ticket)
    service = live.service
    service.commands.tickets.erase(SYSTEM, UUID(ticket.id))
    now = datetime.now(UTC)
    pending_calls(service).complete(UUID(ticket.id), donation, pending_since=now, now=now)
    assert service.aggregates.donations.get(UUID(ticket.id), donation).gift.status == "FAILED"


@pytest.mark.parametrize("close", ["unpublish", "suspend", "erase"])
def test_nobody_can_pay_after_the_page_was_taken_down(live: LiveService, close: str):
    ticket = live.client().open_ticket()
    page = ticket.publish()
    sandbox = live.service.payments.sandbox
    assert sandbox is not None
    given_out = ticket.pay(25)["checkoutSessionId"]
    on_the_page = live.client().post(page, data={"amount": "25"}).headers["location"].rpartition("/")[2]
    tickets, id = live.service.commands.tickets, UUID(ticket.id)
    if close == "suspend":
        tickets.suspend(SYSTEM, id, "It looks like fraud.")
    else:
        getattr(tickets, close)(SYSTEM, id)
    live.service.jobs.checkout_expirer.wake()
    for session_id in (given_out, on_the_page):
        eventually(lambda session_id=session_id: sandbox.session(session_id)["status"] == "expired")
        with pytest.raises(RefusedError, match="no longer open"):
            sandbox.pay(session_id)
    assert sandbox.wait_delivered(WAIT_SECONDS)
    live.applied()
    with live.client_with_key(Role.ADMIN) as admin:
        donations = admin.get(f"/api/tickets/{ticket.id}/donations").json()["donations"]
    assert [donation["status"] for donation in donations] == ["EXPIRED", "EXPIRED"]


def test_a_checkout_that_opened_before_a_crash_is_expired_if_its_ticket_was_erased_meanwhile(live: LiveService):
    ticket = live.client().open_ticket()
    donation, service = requested(live, ticket), live.service
    # Stripe opens the checkout, and the process dies before it records that.
    checkout = service.payments.gateway.open(
        CheckoutRequest(UUID(ticket.id), donation, Money(2_500, "USD"), "Gift", "http://a.example", "http://a.example")
    )
    service.commands.tickets.erase(SYSTEM, UUID(ticket.id))
    now = datetime.now(UTC)
    pending_calls(service).complete(UUID(ticket.id), donation, pending_since=now, now=now)
    service.jobs.checkout_expirer.wake()
    sandbox = service.payments.sandbox
    eventually(lambda: sandbox.session(checkout.session_id)["status"] == "expired")


def _session(ticket: Any) -> Any:
    [donation] = ticket.get("/donations").json()["donations"]
    return donation["sessionId"]

"""An admin's refund is made once, within what is left, and completed after a crash."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.payments.pending_calls import PendingCallRetrier
from adapters.stripe_sandbox import DisputeOutcome
from domain.values import SYSTEM, Money, Role
from projections import donation_ledger
from tests.client import WAIT_SECONDS, LiveService, eventually
from tests.journeys.money_service import live, silent
from tests.money import pending_calls

__all__ = ["live", "silent"]


class PaidDonation:
    """A paid donation of 100 dollars, and the administrator who may refund it."""

    def __init__(self, live: LiveService) -> None:
        self.live = live
        assert live.service.payments.sandbox is not None
        self.sandbox = live.service.payments.sandbox
        self.ticket = live.client().open_ticket()
        self.checkout = self.ticket.pay(100)
        self.sandbox.pay(self.checkout["checkoutSessionId"])
        self.admin = live.client_with_key(Role.ADMIN)
        self.settle()

    @property
    def path(self) -> str:
        return f"/admin/donations/{self.checkout['donationId']}/refund"

    def settle(self) -> None:
        assert self.sandbox.wait_delivered(WAIT_SECONDS)
        self.live.applied()

    def refund(self, amount: Any = None, **headers: str) -> Any:
        refund_request = {"reason": "the donor asked"} | ({} if amount is None else {"amount": amount})
        return self.admin.post(self.path, json=refund_request, headers=headers)

    def donation(self) -> dict[str, Any]:
        [donation] = self.ticket.get("/donations").json()["donations"]
        return dict(donation)

    def events(self) -> list[str]:
        return [event["type"] for event in self.ticket.get("/history", params={"limit": 100}).json()["events"]]


@pytest.fixture
def paid_donation(live: LiveService) -> PaidDonation:
    return PaidDonation(live)


def test_a_part_of_a_donation_and_then_the_rest_is_refunded(paid_donation: PaidDonation):
    answer = paid_donation.refund(30)
    assert answer.status_code == 202
    assert (answer.json()["amountRefundedMinor"], answer.json()["status"]) == (3_000, "PAID")
    assert paid_donation.refund().status_code == 202
    paid_donation.settle()
    donation = paid_donation.donation()
    assert (donation["status"], donation["amountRefundedMinor"], donation["netMinor"]) == ("REFUNDED", 10_000, 0)
    types = paid_donation.events()
    # The request is recorded before Stripe's answer and before the webhook, whichever of these came first.
    assert types.index("RefundRequested") < min(types.index("RefundAccepted"), types.index("Refunded"))
    assert types.count("Refunded") == 2


def test_an_amount_above_the_rest_or_without_a_meaning_is_not_refunded(paid_donation: PaidDonation):
    for amount, status in ((100.01, 409), (0, 422), (-5, 422), ("1.001", 422), ("x", 422)):
        assert paid_donation.refund(amount).status_code == status, amount
    assert paid_donation.donation()["amountRefundedMinor"] == 0
    assert "RefundRequested" not in paid_donation.events()


def test_nothing_is_refunded_twice_or_while_a_dispute_is_open(paid_donation: PaidDonation):
    dispute = paid_donation.sandbox.dispute(paid_donation.checkout["checkoutSessionId"])
    paid_donation.settle()
    refused = paid_donation.refund(10)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    paid_donation.sandbox.close_dispute(dispute["id"], DisputeOutcome.WON)
    paid_donation.settle()
    assert paid_donation.refund().status_code == 202
    assert paid_donation.refund().status_code == 409


def test_a_donation_to_an_erased_person_can_be_refunded(paid_donation: PaidDonation):
    assert paid_donation.ticket.http.delete(paid_donation.ticket.path).status_code == 202
    answer = paid_donation.refund(30)
    assert (answer.status_code, answer.json()["donor"]) == (202, "Anonymous")
    paid_donation.settle()
    with paid_donation.live.service.database.transaction() as cursor:
        row = donation_ledger.donation(cursor, UUID(paid_donation.checkout["donationId"]))
    assert row is not None
    assert row["refunded"] == 3_000


def test_simultaneous_refunds_never_exceed_the_rest_of_a_donation(paid_donation: PaidDonation):
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(paid_donation.refund(30).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paid_donation.settle()
    assert sorted(statuses) == [202] * 3 + [409] * 5
    assert paid_donation.donation()["amountRefundedMinor"] == 9_000


def test_a_repeated_refund_request_is_one_refund(paid_donation: PaidDonation):
    key = {"Idempotency-Key": "refund-1"}
    first, repeated = paid_donation.refund(30, **key), paid_donation.refund(30, **key)
    assert (first.status_code, repeated.status_code, repeated.headers["Idempotency-Replayed"]) == (202, 202, "true")
    paid_donation.settle()
    assert paid_donation.donation()["amountRefundedMinor"] == 3_000


def test_only_an_administrator_can_refund(paid_donation: PaidDonation, live: LiveService):
    refund_request = {"reason": "please"}
    assert live.client().post(paid_donation.path, json=refund_request).status_code == 401
    assert paid_donation.ticket.http.post(paid_donation.path, json=refund_request).status_code == 403
    assert live.client_with_key(Role.AUDITOR).post(paid_donation.path, json=refund_request).status_code == 403
    assert paid_donation.admin.post(f"/admin/donations/{uuid4()}/refund", json=refund_request).status_code == 404
    assert paid_donation.admin.post("/admin/donations/x/refund", json=refund_request).status_code == 404
    assert paid_donation.admin.post(paid_donation.path, json={}).status_code == 422


@pytest.mark.parametrize("stripe_has_it", [False, True])
def test_a_refund_left_open_by_a_crash_is_finished_once(paid_donation: PaidDonation, stripe_has_it: bool):
    service = paid_donation.live.service
    ticket, donation = UUID(paid_donation.ticket.id), UUID(paid_donation.checkout["donationId"])
    request = uuid4()
    service.aggregates.donations.change(
        ticket, donation, lambda d: d.request_refund(SYSTEM, request, Money(4_000, "USD"), "a crash comes")
    )
    if stripe_has_it:
        intent = service.aggregates.donations.get(ticket, donation).gift.requests[request].payment_intent_id
        service.payments.gateway.refund(
            intent, Money(4_000, "USD"), f"refund-{request}", {"refundRequestId": str(request)}
        )
    call_retrier = PendingCallRetrier(service.database, pending_calls(service), retry_after_seconds=0)
    eventually(lambda: call_retrier.retry_all() or True)
    eventually(
        lambda: (
            (call_retrier.retry_all() or True)
            and not service.aggregates.donations.get(ticket, donation).gift.open_requests
        )
    )
    paid_donation.settle()
    assert paid_donation.donation()["amountRefundedMinor"] == 4_000
    assert paid_donation.events().count("Refunded") == 1


def test_a_refund_request_too_old_to_repeat_is_looked_up_and_refused(paid_donation: PaidDonation):
    service = paid_donation.live.service
    ticket, donation, request = UUID(paid_donation.ticket.id), UUID(paid_donation.checkout["donationId"]), uuid4()
    service.aggregates.donations.change(ticket, donation, lambda d: d.request_refund(SYSTEM, request, None, "long ago"))
    now = datetime.now(UTC)
    pending_calls(service).complete(ticket, donation, pending_since=now - timedelta(days=2), now=now)
    gift = service.aggregates.donations.get(ticket, donation).gift
    assert (gift.open_requests, gift.refundable) == ([], 10_000)


def test_a_refund_that_stripe_refuses_is_recorded_and_reserves_nothing(
    paid_donation: PaidDonation, silent: LiveService
):
    service = silent.service
    paid_donation.sandbox.dispute(paid_donation.checkout["checkoutSessionId"])  # while no webhook about it has arrived
    answer = paid_donation.refund(10)
    assert answer.status_code == 409
    assert "RefundRefused" in paid_donation.events()
    gift = service.aggregates.donations.get(
        UUID(paid_donation.ticket.id), UUID(paid_donation.checkout["donationId"])
    ).gift
    assert gift.refundable == 10_000

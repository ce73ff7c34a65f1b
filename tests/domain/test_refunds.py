"""Giving money back: the intention first, then Stripe, then its answer; and whatever was left open is finished once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.commands.refunds import RefundCommands
from domain.donations import Donation, donation_stream
from domain.errors import InvalidError, RefusedError, UnavailableError
from domain.events import PaymentReceived, RefundAccepted, Refunded, RefundRefused, RefundRequested
from domain.ports import RefundOrder, ReportedRefund
from domain.values import SYSTEM, Actor, Money, Role, StripeReport
from tests.fakes.stores import MemoryDonations

TICKET, DONATION, REQUEST = UUID(int=1), UUID(int=2), UUID(int=3)
ADMIN = Actor(Role.ADMIN, "key")

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass
class FakeRefunds:
    """Makes each refund once, as Stripe does while it remembers the key; or is away, or refuses."""

    fault: Exception | None = None
    made: dict[UUID, ReportedRefund] = field(default_factory=dict)
    asked: int = 0

    def create(self, order: RefundOrder) -> ReportedRefund:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        told = ReportedRefund(f"re_{len(self.made)}", order.amount, "succeeded", 50, "ch")
        return self.made.setdefault(order.request_id, told)

    def find(self, order: RefundOrder, since: datetime) -> ReportedRefund | None:
        return self.made.get(order.request_id)


@pytest.fixture
def donations() -> MemoryDonations:
    stored = MemoryDonations()
    donation = Donation.request_checkout(SYSTEM, TICKET, DONATION, Money(10_000, "USD"), None)
    told: dict[str, Any] = {"payment_intent_id": "pi", "amount": Money(10_000, "USD"), "report": StripeReport("e", 1)}
    donation.record(SYSTEM, PaymentReceived, **told)
    stored.add(donation)
    return stored


def refund(commands: RefundCommands, amount: int | None = 4_000) -> None:
    money = None if amount is None else Money(amount, "USD")
    commands.request(ADMIN, TICKET, DONATION, REQUEST, money, "asked for")


def story(donations: MemoryDonations) -> list[type]:
    return [type(event) for event in donations.streams.events[donation_stream(TICKET, DONATION)]][2:]


def test_the_request_is_recorded_before_the_answer(donations):
    refund(RefundCommands(donations, FakeRefunds()))
    assert story(donations) == [RefundRequested, RefundAccepted, Refunded]
    gift = donations.get(TICKET, DONATION).gift
    assert (gift.refunded, gift.left) == (4_000, 6_000)


def test_while_stripe_is_away_the_request_stays_open_and_is_finished_later(donations):
    refunds = FakeRefunds(UnavailableError("away"))
    commands = RefundCommands(donations, refunds)
    refund(commands)
    assert story(donations) == [RefundRequested]
    refunds.fault = None
    for _ in range(2):
        commands.retry(TICKET, DONATION, REQUEST, requested_at=NOW, now=NOW)
    assert story(donations) == [RefundRequested, RefundAccepted, Refunded]
    assert refunds.asked == 2


def test_a_refund_whose_answer_was_lost_is_found_at_stripe_and_not_repeated(donations):
    refunds = FakeRefunds(UnavailableError("away"))
    commands = RefundCommands(donations, refunds)
    refund(commands)
    refunds.made[REQUEST] = ReportedRefund("re_made", Money(4_000, "USD"), "pending", 50, "ch")
    commands.retry(TICKET, DONATION, REQUEST, requested_at=NOW - timedelta(days=3), now=NOW)
    assert donations.get(TICKET, DONATION).gift.requests[REQUEST].refund_id == "re_made"
    assert refunds.asked == 1


def test_a_request_older_than_stripes_idempotency_keys_is_never_repeated(donations):
    refunds = FakeRefunds(UnavailableError("away"))
    commands = RefundCommands(donations, refunds)
    refund(commands)
    refunds.fault = None
    with pytest.raises(RefusedError):
        commands.retry(TICKET, DONATION, REQUEST, requested_at=NOW - timedelta(hours=24), now=NOW)
    assert (refunds.asked, refunds.made) == (1, {})
    assert donations.get(TICKET, DONATION).gift.left == 10_000


@pytest.mark.parametrize("fault", [RefusedError("no"), InvalidError("too small", "/amount")])
def test_a_refused_refund_is_recorded_and_reserves_no_money(donations, fault):
    with pytest.raises(type(fault)):
        refund(RefundCommands(donations, FakeRefunds(fault)))
    assert story(donations) == [RefundRequested, RefundRefused]
    assert donations.get(TICKET, DONATION).gift.left == 10_000


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_needs_a_positive_amount(donations, amount):
    with pytest.raises(InvalidError):
        refund(RefundCommands(donations, FakeRefunds()), amount)
    assert story(donations) == []

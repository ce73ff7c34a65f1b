"""A refund is recorded before Stripe is called, and a request that was left open is completed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.commands.refunds import RefundCommands, SecondPersonNeededError
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
    """Makes each refund once, as Stripe does while it remembers the idempotency key. Raises `fault` if it is set."""

    fault: Exception | None = None
    refunds: dict[UUID, ReportedRefund] = field(default_factory=dict)
    calls: int = 0

    def create(self, order: RefundOrder) -> ReportedRefund:
        self.calls += 1
        if self.fault is not None:
            raise self.fault
        reported = ReportedRefund(f"re_{len(self.refunds)}", order.amount, "succeeded", 50, "ch")
        return self.refunds.setdefault(order.request_id, reported)

    def find(self, order: RefundOrder, since: datetime) -> ReportedRefund | None:
        return self.refunds.get(order.request_id)


@pytest.fixture
def donations() -> MemoryDonations:
    stored = MemoryDonations()
    donation = Donation.request_checkout(SYSTEM, TICKET, DONATION, Money(10_000, "USD"), None)
    fields: dict[str, Any] = {"payment_intent_id": "pi", "amount": Money(10_000, "USD"), "report": StripeReport("e", 1)}
    donation.record(SYSTEM, PaymentReceived, **fields)
    stored.add(donation)
    return stored


def refund(commands: RefundCommands, amount: int | None = 4_000) -> None:
    money = None if amount is None else Money(amount, "USD")
    commands.request(ADMIN, TICKET, DONATION, REQUEST, money, "asked for")


def test_a_refund_has_only_the_decimals_that_stripe_refunds(donations):
    refunds = FakeRefunds()
    for amount in (Money(150, "UGX"), Money(1_005, "KWD")):
        with pytest.raises(InvalidError):
            RefundCommands(donations, refunds).request(ADMIN, TICKET, DONATION, REQUEST, amount, None)
    assert (refunds.calls, event_types(donations)) == (0, [])


def event_types(donations: MemoryDonations) -> list[type]:
    return [type(event) for event in donations.streams.events[donation_stream(TICKET, DONATION)]][2:]


def test_the_request_is_recorded_before_the_answer(donations):
    refund(RefundCommands(donations, FakeRefunds()))
    assert event_types(donations) == [RefundRequested, RefundAccepted, Refunded]
    gift = donations.get(TICKET, DONATION).gift
    assert (gift.refunded, gift.refundable) == (4_000, 6_000)


def test_a_request_stays_open_while_stripe_is_unavailable_and_is_completed_later(donations):
    refunds = FakeRefunds(UnavailableError("away"))
    commands = RefundCommands(donations, refunds)
    refund(commands)
    assert event_types(donations) == [RefundRequested]
    refunds.fault = None
    for _ in range(2):
        commands.retry(TICKET, DONATION, REQUEST, requested_at=NOW, now=NOW)
    assert event_types(donations) == [RefundRequested, RefundAccepted, Refunded]
    assert refunds.calls == 2


def test_a_refund_whose_answer_was_lost_is_found_at_stripe_and_not_repeated(donations):
    refunds = FakeRefunds(UnavailableError("away"))
    commands = RefundCommands(donations, refunds)
    refund(commands)
    refunds.refunds[REQUEST] = ReportedRefund("re_made", Money(4_000, "USD"), "pending", 50, "ch")
    commands.retry(TICKET, DONATION, REQUEST, requested_at=NOW - timedelta(days=3), now=NOW)
    assert donations.get(TICKET, DONATION).gift.requests[REQUEST].refund_id == "re_made"
    assert refunds.calls == 1


def test_a_request_older_than_stripes_idempotency_keys_is_never_repeated(donations):
    refunds = FakeRefunds(UnavailableError("away"))
    commands = RefundCommands(donations, refunds)
    refund(commands)
    refunds.fault = None
    with pytest.raises(RefusedError):
        commands.retry(TICKET, DONATION, REQUEST, requested_at=NOW - timedelta(hours=24), now=NOW)
    assert (refunds.calls, refunds.refunds) == (1, {})
    assert donations.get(TICKET, DONATION).gift.refundable == 10_000


@pytest.mark.parametrize("fault", [RefusedError("no"), InvalidError("too small", "/amount")])
def test_a_refused_refund_is_recorded_and_reserves_no_money(donations, fault):
    with pytest.raises(type(fault)):
        refund(RefundCommands(donations, FakeRefunds(fault)))
    assert event_types(donations) == [RefundRequested, RefundRefused]
    assert donations.get(TICKET, DONATION).gift.refundable == 10_000


@pytest.fixture
def paid_twice(donations: MemoryDonations) -> MemoryDonations:
    fields: dict[str, Any] = {
        "payment_intent_id": "pi_2",
        "amount": Money(10_000, "USD"),
        "report": StripeReport("f", 2),
    }
    donations.change(TICKET, DONATION, lambda donation: donation.record(SYSTEM, PaymentReceived, **fields))
    return donations


def refunded_intents(donations: MemoryDonations) -> list[tuple[str, int]]:
    refunds = donations.get(TICKET, DONATION).gift.refunds.values()
    return sorted((str(refund.payment_intent_id), refund.amount) for refund in refunds)


def test_a_donation_that_was_paid_twice_is_given_back_whole(paid_twice):
    commands = RefundCommands(paid_twice, FakeRefunds())
    for _ in range(2):
        refund(commands, None)
    assert refunded_intents(paid_twice) == [("pi", 10_000), ("pi_2", 10_000)]
    gift = paid_twice.get(TICKET, DONATION).gift
    assert (gift.refunded, gift.net, gift.status, gift.open_requests) == (20_000, 0, "REFUNDED", [])


def test_the_parts_of_a_refund_that_stay_open_are_completed_later(paid_twice):
    refunds = FakeRefunds(UnavailableError("away"))
    commands = RefundCommands(paid_twice, refunds)
    refund(commands, None)
    refunds.fault = None
    for request_id in paid_twice.get(TICKET, DONATION).gift.open_requests:
        commands.retry(TICKET, DONATION, request_id, requested_at=NOW, now=NOW)
    assert refunded_intents(paid_twice) == [("pi", 10_000), ("pi_2", 10_000)]


def test_a_refused_part_of_a_refund_leaves_the_other_part_refunded(paid_twice):
    class RefusingOne(FakeRefunds):
        def create(self, order: RefundOrder) -> ReportedRefund:
            if order.payment_intent_id == "pi_2":
                raise RefusedError("This payment has been refunded completely.")
            return super().create(order)

    with pytest.raises(RefusedError, match=r"Only a part was refunded; .* refunded completely"):
        refund(RefundCommands(paid_twice, RefusingOne()), None)
    assert refunded_intents(paid_twice) == [("pi", 10_000)]
    assert paid_twice.get(TICKET, DONATION).gift.refundable == 10_000


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_needs_a_positive_amount(donations, amount):
    with pytest.raises(InvalidError):
        refund(RefundCommands(donations, FakeRefunds()), amount)
    assert event_types(donations) == []


def test_above_the_limit_one_person_does_not_refund_alone(donations):
    commands = RefundCommands(donations, FakeRefunds(), Decimal(50))
    refund(commands, 4_000)
    with pytest.raises(SecondPersonNeededError):
        commands.request(ADMIN, TICKET, DONATION, UUID(int=8), Money(2_000, "USD"), None)
    refund(commands, 4_000)
    proposal = UUID(int=9)
    commands.propose(ADMIN, TICKET, DONATION, proposal, Money(2_000, "USD"), None)
    with pytest.raises(RefusedError, match="Another person"):
        commands.approve(ADMIN, TICKET, DONATION, proposal)
    commands.approve(Actor(Role.MEMBER, "another"), TICKET, DONATION, proposal)
    assert donations.get(TICKET, DONATION).gift.refunded == 6_000

"""Receipts have numbers: 1, 2, 3 and so on for each workspace and year, and one at most for each donation."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands.receipts import ReceiptCommands
from domain.donations import Donation
from domain.errors import RefusedError
from domain.events import ReceiptNumbered
from domain.organisations import Organisation, ReceiptNumber
from domain.values import STRIPE, SYSTEM
from tests.domain.donation_facts import TICKET, captured, usd
from tests.fakes.outside import FakeSettings
from tests.fakes.stores import MemoryDonations, MemoryReceiptNumbers

SHELTER = Organisation(legal_name="Shelter e.V.")
IN_2026 = datetime(2026, 7, 1, tzinfo=UTC)


def receipts() -> ReceiptCommands:
    donations = MemoryDonations()
    settings = FakeSettings({"shelter": SHELTER, "kitchen": Organisation(legal_name="Kitchen")})
    return ReceiptCommands(donations, settings, MemoryReceiptNumbers(donations))


def gift(commands: ReceiptCommands, number: int, *, paid: bool = True) -> UUID:
    donation = Donation.request_checkout(SYSTEM, TICKET, UUID(int=number), usd(10_000), None)
    if paid:
        kind, fields = captured(intent=f"pi_{number}")
        donation.record(STRIPE, kind, **fields)
    commands.donations.add(donation)
    return donation.donation_id


def issue(
    commands: ReceiptCommands, number: int, workspace: str = "shelter", dated: datetime = IN_2026
) -> ReceiptNumber | None:
    return commands.issue(SYSTEM, workspace, TICKET, UUID(int=number), dated=dated)[0].receipt_number


def test_a_receipt_keeps_its_number_however_often_it_is_made():
    commands = receipts()
    for number in (10, 11):
        gift(commands, number)
    assert [issue(commands, number) for number in (10, 11, 10)] == [
        ReceiptNumber(2026, 1),
        ReceiptNumber(2026, 2),
        ReceiptNumber(2026, 1),
    ]
    assert issue(commands, 10, dated=IN_2026 + timedelta(days=365)) == ReceiptNumber(2026, 1)
    assert str(ReceiptNumber(2026, 1)) == "2026-00001"


def test_a_year_ends_at_midnight_utc():
    commands = receipts()
    gift(commands, 10)
    kiritimati = timezone(timedelta(hours=14))
    assert issue(commands, 10, dated=datetime(2027, 1, 1, 13, 59, tzinfo=kiritimati)) == ReceiptNumber(2026, 1)


def test_a_workspace_without_an_organisation_numbers_no_receipts():
    commands = receipts()
    gift(commands, 10)
    assert issue(commands, 10, "public") is None


def test_a_donation_that_was_not_paid_gets_no_number():
    commands = receipts()
    gift(commands, 10, paid=False)
    with pytest.raises(RefusedError, match="not paid"):
        issue(commands, 10)


@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.integers(2025, 2027)),
        max_size=30,
    )
)
def test_the_numbers_of_a_workspace_and_year_are_1_to_n_and_each_gift_has_one_at_most(acts: list[tuple[int, int]]):
    commands = receipts()
    workspaces = {number: ("shelter", "kitchen", "public")[number % 3] for number in range(1, 9)}
    for number in workspaces:
        gift(commands, number, paid=number != 8)
    for number, year in acts:
        try:
            issue(commands, number, workspaces[number], datetime(year, 3, 1, tzinfo=UTC))
        except RefusedError:
            assert number == 8
    given_numbers = defaultdict(list)
    assert isinstance(commands.donations, MemoryDonations)
    for stream in commands.donations.streams.events.values():
        numbered = [event for event in stream if isinstance(event, ReceiptNumbered)]
        assert len(numbered) <= 1
        for event in numbered:
            given_numbers[event.workspace, event.year].append(event.number)
    assert all(sorted(numbers) == list(range(1, len(numbers) + 1)) for numbers in given_numbers.values())
    assert "public" not in {workspace for workspace, _ in given_numbers}

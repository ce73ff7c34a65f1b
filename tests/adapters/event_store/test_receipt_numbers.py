"""Receipts are numbered without a gap by many processes at once, and a number that fails is given to another."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.event_store.receipt_numbers import StoredReceiptNumbers
from adapters.postgres.database import Database
from domain.commands.receipts import ReceiptCommands
from domain.donations import Donation
from domain.events import ReceiptNumbered
from domain.organisations import Organisation, ReceiptNumber
from domain.values import STRIPE, SYSTEM
from tests.domain.donation_facts import captured, usd
from tests.fakes.outside import FakeSettings
from tests.fakes.worlds import opened
from tests.stores import Stores

DATED = datetime(2026, 7, 1, tzinfo=UTC)
SETTINGS = FakeSettings({"shelter": Organisation(legal_name="Shelter"), "kitchen": Organisation(legal_name="Kitchen")})


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def receipts(stores: Stores, database: Database) -> ReceiptCommands:
    """Return the commands of one process."""
    return ReceiptCommands(stores.donations, SETTINGS, StoredReceiptNumbers(database))


def ticket_in(stores: Stores, workspace: str) -> UUID:
    ticket = opened(uuid4(), workspace)
    stores.tickets.add(ticket)
    return ticket.id


def gift(stores: Stores, ticket: UUID) -> UUID:
    donation = Donation.request_checkout(SYSTEM, ticket, uuid4(), usd(10_000), None)
    kind, fields = captured(intent=f"pi_{donation.donation_id.hex}")
    donation.record(STRIPE, kind, **fields)
    stores.donations.add(donation)
    return donation.donation_id


def numbers_in(stores: Stores) -> dict[tuple[str, int], list[int]]:
    """Return the numbers that the history has, in its order."""
    numbers = defaultdict(list)
    for entry in stores.log.batch(0, 10_000):
        if entry.topic == ReceiptNumbered.TOPIC:
            event = entry.event(str)
            assert isinstance(event, ReceiptNumbered)
            numbers[event.workspace, event.year].append(event.number)
    return dict(numbers)


def test_simultaneous_receipts_of_several_processes_leave_no_gap(stores: Stores, database: Database):
    tickets = {workspace: ticket_in(stores, workspace) for workspace in ("shelter", "kitchen")}
    gifts = [(workspace, gift(stores, ticket)) for workspace, ticket in tickets.items() for _ in range(10)]
    processes = [receipts(stores, database) for _ in range(4)]

    def make(place: int) -> ReceiptNumber | None:
        workspace, donation = gifts[place % len(gifts)]
        commands = processes[place % len(processes)]
        return commands.issue(SYSTEM, workspace, tickets[workspace], donation, dated=DATED)[0].receipt_number

    with ThreadPoolExecutor(8) as pool:
        # Each gift is asked for three times, by different processes.
        numbers = list(pool.map(make, [place + shift for place in range(len(gifts)) for shift in (0, 7, 13)]))
    assert None not in numbers
    counted = list(range(1, 11))
    assert numbers_in(stores) == {("shelter", 2026): counted, ("kitchen", 2026): counted}


def test_a_number_that_was_given_meanwhile_is_not_given_again(stores: Stores, database: Database):
    ticket = ticket_in(stores, "shelter")
    first, second = gift(stores, ticket), gift(stores, ticket)
    slow, fast = receipts(stores, database), receipts(stores, database)
    chosen: list[ReceiptNumber] = []

    class SlowNumbers(StoredReceiptNumbers):
        """Chooses a number, and lets another process give it to another donation before it is recorded."""

        def next(self, workspace: str, year: int) -> ReceiptNumber:
            number = super().next(workspace, year)
            if not chosen:
                fast.issue(SYSTEM, "shelter", ticket, second, dated=DATED)
            chosen.append(number)
            return number

    slow = ReceiptCommands(slow.donations, SETTINGS, SlowNumbers(database))
    donation, _ = slow.issue(SYSTEM, "shelter", ticket, first, dated=DATED)
    assert chosen == [ReceiptNumber(2026, 1), ReceiptNumber(2026, 2)]
    assert donation.receipt_number == ReceiptNumber(2026, 2)
    assert numbers_in(stores) == {("shelter", 2026): [1, 2]}


def test_a_number_is_given_to_the_next_if_its_event_was_not_recorded(stores: Stores, database: Database):
    ticket = ticket_in(stores, "shelter")
    first, second = gift(stores, ticket), gift(stores, ticket)
    commands = receipts(stores, database)
    database.execute("ALTER TABLE receipt_numbers ADD CONSTRAINT broken CHECK (false)")
    with pytest.raises(Exception, match="broken"):
        commands.issue(SYSTEM, "shelter", ticket, first, dated=DATED)
    database.execute("ALTER TABLE receipt_numbers DROP CONSTRAINT broken")
    assert numbers_in(stores) == {}
    donation, _ = commands.issue(SYSTEM, "shelter", ticket, second, dated=DATED)
    assert donation.receipt_number == ReceiptNumber(2026, 1)


def test_the_table_has_what_the_history_has(stores: Stores, database: Database):
    ticket = ticket_in(stores, "shelter")
    commands = receipts(stores, database)
    gifts = [gift(stores, ticket) for _ in range(3)]
    for donation in gifts:
        commands.issue(SYSTEM, "shelter", ticket, donation, dated=DATED)
    rows = database.rows("SELECT workspace, year, number, ticket_id, donation_id FROM receipt_numbers ORDER BY number")
    assert rows == [("shelter", 2026, number, ticket, donation) for number, donation in enumerate(gifts, 1)]

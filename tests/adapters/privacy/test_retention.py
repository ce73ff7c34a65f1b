"""Retention in a real database is set by workspace, announced by mail, and executed once by many workers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters import contacts
from adapters.jobs import worker as job_worker
from adapters.jobs.worker import Worker
from adapters.privacy.retention import Retention
from domain.commands.retention import RetentionCommands
from domain.errors import InvalidError
from domain.tickets import NewTicket
from domain.values import SYSTEM, Actor, Contact, Role
from entrypoints.composition.service import Service
from tests.client import eventually
from tests.fakes.outside import fake_commands
from tests.money import Ledger

DAY = timedelta(days=1)
HOLDER = Actor(Role.HOLDER)


class RetentionOverYears:
    """A service's retention with a clock that the test moves."""

    def __init__(self, service: Service) -> None:
        self.service, self.ledger = service, Ledger(service)
        self.start = self.clock = datetime.now(UTC)
        self.retention = Retention(
            service.database,
            service.aggregates.retention_periods,
            RetentionCommands(service.commands.tickets),
            now=lambda: self.clock,
        )

    def ticket(self, workspace: str = "public", contact: str = "ada@example.com", actor: Actor = HOLDER) -> UUID:
        id = uuid4()
        kind = contacts.likely_contact(contact).type
        opening = NewTicket(id, workspace, id.hex[:12], Contact(kind, contact), id.hex, "Ada", id.hex)
        self.service.commands.tickets.open(actor, opening)
        self.ledger.follow()
        return id

    def keep_for(self, workspace: str, days: int | None) -> None:
        changes = {"retention": {"ticket_days": days}}
        self.service.commands.workspaces.change_settings(SYSTEM, workspace, changes)

    def run(self, after: timedelta) -> None:
        self.clock = self.start + after
        self.retention.run()
        self.ledger.follow()

    def topics(self, ticket: UUID) -> list[str]:
        return [entry.topic for entry in self.service.history.log.ticket_events(ticket)]

    def mails(self) -> list[str]:
        with self.service.database.connection() as connection:
            return [kind for (kind,) in connection.execute("SELECT kind FROM outbox").fetchall()]


@pytest.fixture
def retention_years(service: Service) -> RetentionOverYears:
    return RetentionOverYears(service)


def test_nothing_is_erased_without_a_retention_period(retention_years: RetentionOverYears):
    ticket = retention_years.ticket()
    retention_years.run(5_000 * DAY)
    assert retention_years.topics(ticket) == ["ticket_opened"]


def test_a_ticket_is_announced_by_mail_and_then_erased_like_any_other(retention_years: RetentionOverYears):
    kept_ticket, other = retention_years.ticket("mine"), retention_years.ticket("other")
    retention_years.keep_for("mine", 90)
    retention_years.run(75 * DAY)
    assert retention_years.topics(kept_ticket) == ["ticket_opened"]
    for day in (77, 80, 90):
        retention_years.run(day * DAY)
    assert retention_years.topics(kept_ticket) == ["ticket_opened", "erasure_announced"]
    assert retention_years.mails() == ["retention_notice"]
    retention_years.run(92 * DAY)
    assert retention_years.topics(kept_ticket) == ["ticket_opened", "erasure_announced", "erased"]
    assert not retention_years.service.history.keys.key_exists(kept_ticket)
    assert retention_years.mails() == []
    retention_years.run(200 * DAY)
    assert retention_years.topics(kept_ticket)[-1] == "erased"
    assert retention_years.topics(other) == ["ticket_opened"]


@pytest.mark.parametrize(("contact", "messages"), [("@ada", []), ("+14155552671", ["retention_notice"])])
def test_an_erasure_is_announced_to_an_address_or_number_and_otherwise_in_the_history_only(
    retention_years: RetentionOverYears, contact: str, messages: list[str]
):
    ticket = retention_years.ticket(contact=contact)
    retention_years.keep_for("public", 30)
    retention_years.run(17 * DAY)
    assert (retention_years.topics(ticket)[-1], retention_years.mails()) == ("erasure_announced", messages)


def test_events_of_stripe_and_the_system_do_not_delay_an_erasure_nor_does_an_open_payment(
    retention_years: RetentionOverYears,
):
    ticket = retention_years.ticket()
    payment = retention_years.ledger.payment(ticket)
    retention_years.ledger.take(payment.completed())
    retention_years.keep_for("public", 30)
    retention_years.run(17 * DAY)
    assert retention_years.topics(ticket)[-1] == "erasure_announced"
    retention_years.run(32 * DAY)
    assert retention_years.topics(ticket)[-1] == "erased"
    assert retention_years.ledger.totals(ticket) == {"USD": (10_000, 0, 10_000)}


def test_a_note_of_the_staff_does_not_count_as_use_of_a_ticket(retention_years: RetentionOverYears):
    # Of this ticket no person has done anything yet.
    ticket, commands = retention_years.ticket("mine", actor=SYSTEM), retention_years.service.commands
    retention_years.keep_for("mine", 90)
    commands.desk.add_note(Actor(Role.ADMIN), ticket, uuid4(), "Call back.")
    retention_years.run(80 * DAY)
    assert retention_years.topics(ticket) == ["ticket_opened", "desk_opened", "note_added"]
    commands.tickets.rename(HOLDER, ticket, "Ada Lovelace")
    retention_years.run(80 * DAY)
    assert retention_years.topics(ticket)[-1] == "erasure_announced"


def test_a_period_can_be_changed_and_removed(retention_years: RetentionOverYears):
    retention_years.keep_for("mine", 30)
    retention_years.keep_for("mine", 60)
    assert retention_years.service.aggregates.retention_periods.ticket_periods() == {"mine": 60}
    retention_years.keep_for("mine", None)
    assert retention_years.service.aggregates.retention_periods.ticket_periods() == {}
    for days in (0, -1, 40_000):
        with pytest.raises(InvalidError):
            retention_years.keep_for("mine", days)


def test_many_tickets_are_reviewed_in_batches(retention_years: RetentionOverYears, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.privacy.retention.BATCH", 2)
    tickets = [retention_years.ticket() for _ in range(5)]
    retention_years.keep_for("public", 30)
    retention_years.run(17 * DAY)
    assert {retention_years.topics(ticket)[-1] for ticket in tickets} == {"erasure_announced"}


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_pages_together_list_the_tickets_whose_erasure_the_review_announces(
    retention_years: RetentionOverYears, monkeypatch: pytest.MonkeyPatch, limit: int
):
    monkeypatch.setattr("adapters.privacy.retention.BATCH", 3)
    tickets = [retention_years.ticket("mine") for _ in range(10)]
    retention_years.ticket("other")
    retention_years.keep_for("mine", 60)
    day = datetime.now(UTC) - retention_years.start + 46 * DAY
    commands = retention_years.service.commands
    used, noted, erased = tickets[:4], tickets[5], tickets[6]
    for ticket in used:
        commands.tickets.rename(HOLDER, ticket, "Ada Lovelace")
    commands.desk.add_note(Actor(Role.ADMIN), noted, uuid4(), "Call back.")
    commands.tickets.erase(HOLDER, erased)
    retention_years.ledger.follow()
    retention_years.clock = retention_years.start + day
    listed: list[UUID] = []
    page, end = retention_years.retention.due_erasures("mine", limit)
    while end:
        listed += [due.ticket_id for due in page]
        page, end = retention_years.retention.due_erasures("mine", limit, end)
    listed += [due.ticket_id for due in page]
    retention_years.run(day)
    announced = [ticket for ticket in tickets if retention_years.topics(ticket)[-1] == "erasure_announced"]
    # What the staff note is no use of a ticket.
    assert listed == announced == [tickets[4], noted, *tickets[7:]]


def test_one_of_several_workers_runs_the_periodic_tasks_and_a_failing_one_stops_no_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(job_worker, "POLL_SECONDS", 0.1)
    executed: list[str] = []

    def broken() -> None:
        raise ValueError("ada@example.com")

    def chore(name: str) -> Callable[[], None]:
        return lambda: executed.append(name)

    # Due once a year and last a minute ago: a worker catches up with tasks of the last ten minutes when it starts.
    due = datetime.now(UTC) - timedelta(minutes=1)
    workers = [
        Worker(
            service.url,
            service.database,
            fake_commands(),
            chores=[broken, chore(name)],
            chores_at=f"{due.minute} {due.hour} {due.day} {due.month} *",
        )
        for name in ("first", "second")
    ]
    for worker in workers:
        worker.start()

    def count(rows: str) -> int:
        with service.database.connection() as connection:
            [(number,)] = connection.execute(f"SELECT count(*) FROM {rows}".encode()).fetchall()
        return int(number)

    # Each worker is registered once for each of its three queues.
    eventually(lambda: executed and count("procrastinate_workers") == 2 * 3)
    eventually(lambda: count("procrastinate_jobs WHERE status IN ('todo', 'doing')") == 0)
    for worker in workers:
        worker.stop()
    assert len(executed) == 1
    assert count("procrastinate_jobs WHERE status = 'failed'") == 0

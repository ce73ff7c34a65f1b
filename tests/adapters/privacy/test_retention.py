"""Retention in a real database: by workspace, told by mail, and done once however many workers there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.jobs import worker as job_worker
from adapters.jobs.worker import Worker
from adapters.privacy.retention import Retention
from domain.commands.retention import RetentionCommands
from domain.errors import InvalidError
from domain.tickets import NewTicket
from domain.values import Actor, Contact, ContactType, Role
from entrypoints.composition.service import Service
from tests.client import eventually
from tests.fakes.outside import fake_commands
from tests.money import Ledger

DAY = timedelta(days=1)
HOLDER = Actor(Role.HOLDER)


class Years:
    """Retention on a service whose clock the test moves."""

    def __init__(self, service: Service) -> None:
        self.service, self.ledger = service, Ledger(service)
        self.start = self.clock = datetime.now(UTC)
        self.retention = Retention(
            service.database, RetentionCommands(service.commands.tickets), now=lambda: self.clock
        )

    def ticket(self, workspace: str = "public", contact: str = "ada@example.com", actor: Actor = HOLDER) -> UUID:
        id = uuid4()
        kind = ContactType.EMAIL if "@" in contact else ContactType.PHONE
        opening = NewTicket(id, workspace, id.hex[:12], Contact(kind, contact), id.hex, "Ada", id.hex)
        self.service.commands.tickets.open(actor, opening)
        self.ledger.follow()
        return id

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
def years(service: Service) -> Years:
    return Years(service)


def test_nothing_is_erased_without_a_retention_period(years: Years):
    ticket = years.ticket()
    years.run(5_000 * DAY)
    assert years.topics(ticket) == ["ticket_opened"]


def test_a_ticket_is_announced_by_mail_and_then_erased_like_any_other(years: Years):
    mine, other = years.ticket("mine"), years.ticket("other")
    years.retention.keep_for("mine", 90)
    years.run(75 * DAY)
    assert years.topics(mine) == ["ticket_opened"]
    for day in (77, 80, 90):
        years.run(day * DAY)
    assert years.topics(mine) == ["ticket_opened", "erasure_announced"]
    assert years.mails() == ["retention_notice"]
    years.run(92 * DAY)
    assert years.topics(mine) == ["ticket_opened", "erasure_announced", "erased"]
    assert not years.service.history.keys.key_exists(mine)
    assert years.mails() == []
    years.run(200 * DAY)
    assert years.topics(mine)[-1] == "erased"
    assert years.topics(other) == ["ticket_opened"]


def test_without_an_address_an_erasure_is_announced_in_the_history_only(years: Years):
    ticket = years.ticket(contact="+14155552671")
    years.retention.keep_for("public", 30)
    years.run(17 * DAY)
    assert (years.topics(ticket)[-1], years.mails()) == ("erasure_announced", [])


def test_events_of_stripe_and_the_system_do_not_delay_an_erasure_nor_does_an_open_payment(years: Years):
    ticket = years.ticket()
    payment = years.ledger.payment(ticket)
    years.ledger.take(payment.succeeded())
    years.retention.keep_for("public", 30)
    years.run(17 * DAY)
    assert years.topics(ticket)[-1] == "erasure_announced"
    years.run(32 * DAY)
    assert years.topics(ticket)[-1] == "erased"
    assert years.ledger.totals(ticket) == {"USD": (10_000, 0, 10_000)}


def test_a_period_can_be_changed_and_taken_back(years: Years):
    years.retention.keep_for("mine", 30)
    years.retention.keep_for("mine", 60)
    assert years.retention.periods() == {"mine": 60}
    years.retention.keep_for("mine", None)
    assert years.retention.periods() == {}
    for days in (0, -1, 40_000):
        with pytest.raises(InvalidError):
            years.retention.keep_for("mine", days)


def test_many_tickets_are_reviewed_in_batches(years: Years, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.privacy.retention.BATCH", 2)
    tickets = [years.ticket() for _ in range(5)]
    years.retention.keep_for("public", 30)
    years.run(17 * DAY)
    assert {years.topics(ticket)[-1] for ticket in tickets} == {"erasure_announced"}


def test_one_of_several_workers_runs_the_chores_and_a_failing_chore_stops_no_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(job_worker, "POLL_SECONDS", 0.1)
    done: list[str] = []

    def broken() -> None:
        raise ValueError("ada@example.com")

    def chore(name: str) -> Callable[[], None]:
        return lambda: done.append(name)

    # Once in the year, a minute ago: what was due in the last ten minutes is caught up with at the start.
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

    eventually(lambda: done and count("procrastinate_workers") == 2)
    eventually(lambda: count("procrastinate_jobs WHERE status IN ('todo', 'doing')") == 0)
    for worker in workers:
        worker.stop()
    assert len(done) == 1
    assert count("procrastinate_jobs WHERE status = 'failed'") == 0

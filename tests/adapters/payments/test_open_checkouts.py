"""The checkouts of a ticket that is taken down are expired at Stripe, also after a crash and while Stripe is away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.payments.open_checkouts import CheckoutExpirer
from adapters.postgres import migrations
from adapters.postgres.database import connect
from domain.consent import Consent
from domain.errors import NotFoundError, RefusedError
from domain.values import SYSTEM, ConsentScope, DonationStatus, Money
from entrypoints.composition.service import Service
from tests.fakes.outside import FakeCheckouts
from tests.money import Ledger

FIFTY = Money(5_000, "USD")
IN_AN_HOUR = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)


class Till:
    """The service's checkouts with a fake Stripe, and one published ticket."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.stripe = FakeCheckouts(expires_at=IN_AN_HOUR)
        self.commands = replace(service.commands.checkouts, checkouts=self.stripe)
        self.expirer = CheckoutExpirer(service.database, self.commands.expire)
        self.ticket = Ledger(service).ticket()
        tickets = service.commands.tickets
        draft = {"title": "A roof", "story": "It fell in.", "goal_amount": 1_500, "beneficiary": "Ada"}
        tickets.edit_draft(SYSTEM, self.ticket, draft)
        tickets.publish(SYSTEM, self.ticket, consent=True)

    def open(self) -> UUID:
        donation_id = uuid4()
        self.commands.open(SYSTEM, self.ticket, donation_id, FIFTY, None, "https://stories.example/d/roof")
        return donation_id

    def status(self, donation_id: UUID) -> DonationStatus:
        return self.service.aggregates.donations.get(self.ticket, donation_id).gift.status

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        with self.service.database.connection() as connection:
            return connection.execute(f"SELECT {columns} FROM open_checkouts ORDER BY session_id".encode()).fetchall()

    def set_rows(self, assignment: str) -> None:
        self.service.database.execute(f"UPDATE open_checkouts SET {assignment}", ())


@pytest.fixture
def till(service: Service) -> Till:
    return Till(service)


def end_consent(till: Till) -> None:
    """Limit the consent to the story to a time that is over."""
    past, tickets = int(datetime.now(UTC).timestamp()) - 1, till.service.commands.tickets
    tickets.give_consent(SYSTEM, till.ticket, Consent((ConsentScope.STORY,), valid_until=past))
    tickets.end_consents(till.ticket, datetime.now(UTC))


CLOSINGS: dict[str, Callable[[Till], None]] = {
    "suspended": lambda till: till.service.commands.tickets.suspend(SYSTEM, till.ticket, "It looks like fraud."),
    "consent withdrawn": lambda till: till.service.commands.tickets.withdraw_consent(
        SYSTEM, till.ticket, [ConsentScope.STORY]
    ),
    "consent ended": end_consent,
    "unpublished": lambda till: till.service.commands.tickets.unpublish(SYSTEM, till.ticket),
    "erased": lambda till: till.service.commands.tickets.erase(SYSTEM, till.ticket),
}
closings = pytest.mark.parametrize("close", CLOSINGS.values(), ids=CLOSINGS)
suspend = CLOSINGS["suspended"]


@closings
def test_all_open_checkouts_of_a_ticket_that_is_taken_down_are_expired(till: Till, close: Callable[[Till], None]):
    donations = [till.open() for _ in range(3)]
    assert till.rows("ticket_id, state, expires_at") == [(till.ticket, "open", IN_AN_HOUR)] * 3
    till.expirer.run_all()
    assert len(till.stripe.open_sessions) == 3
    close(till)
    till.expirer.run_all()
    assert till.stripe.open_sessions == set()
    assert [till.status(donation) for donation in donations] == [DonationStatus.EXPIRED] * 3
    assert till.rows("*") == []


def test_checkouts_of_other_tickets_stay_open(till: Till):
    other = Till(till.service)
    other.open()
    suspend(till)
    other.expirer.run_all()
    assert len(other.stripe.open_sessions) == 1


@closings
def test_a_checkout_that_opens_while_its_ticket_is_taken_down_is_expired(till: Till, close: Callable[[Till], None]):
    till.stripe.meanwhile = lambda: close(till)
    with pytest.raises((RefusedError, NotFoundError)):
        till.open()
    assert till.rows("state") == [("expiring",)]
    till.expirer.run_all()
    assert till.stripe.open_sessions == set()


def test_a_later_checkout_of_a_reinstated_ticket_stays_open(till: Till):
    till.open()
    suspend(till)
    till.service.commands.tickets.reinstate(SYSTEM, till.ticket)
    till.open()
    till.expirer.run_all()
    assert (len(till.stripe.open_sessions), till.rows("state")) == (1, [("open",)])


def test_nothing_is_requested_if_the_suspension_is_not_recorded(till: Till, monkeypatch: pytest.MonkeyPatch):
    till.open()

    def crash(*_: object) -> None:
        raise SystemExit

    monkeypatch.setitem(vars(till.service.mail.outbox), "queue", crash)
    with pytest.raises(SystemExit):
        suspend(till)
    assert till.rows("state") == [("open",)]
    assert not till.service.aggregates.tickets.get(till.ticket).lifecycle.suspended


def test_a_checkout_is_expired_again_and_again_while_stripe_is_away(till: Till):
    donation = till.open()
    suspend(till)
    till.stripe.away = True
    for attempts in (1, 2, 3):
        till.expirer.run_all()
        assert till.rows("state, attempts, error") == [("expiring", attempts, "UnavailableError")]
        assert not till.expirer.expire_one()
        till.set_rows("next_attempt_at = now()")
    till.stripe.away = False
    till.expirer.run_all()
    assert (till.status(donation), till.rows("*")) == (DonationStatus.EXPIRED, [])


def test_a_process_that_dies_after_the_call_to_stripe_leaves_the_checkout_to_another_one(till: Till):
    donation = till.open()
    suspend(till)

    def expire_and_die(*_: object) -> None:
        till.stripe.expire(f"cs_{donation.hex}")
        raise SystemExit

    with pytest.raises(SystemExit):
        CheckoutExpirer(till.service.database, expire_and_die).expire_one()
    assert not till.expirer.expire_one()
    till.set_rows("next_attempt_at = now()")
    till.expirer.run_all()
    assert (till.status(donation), till.rows("*")) == (DonationStatus.EXPIRED, [])


def test_a_checkout_that_stripe_does_not_have_is_done(till: Till, monkeypatch: pytest.MonkeyPatch):
    def unknown(_: str) -> bool:
        raise NotFoundError("Stripe has no object with this id.")

    monkeypatch.setattr(till.stripe, "expire", unknown)
    donation = till.open()
    suspend(till)
    till.expirer.run_all()
    assert (till.status(donation), till.rows("*")) == (DonationStatus.CREATED, [])


def test_checkouts_that_have_expired_by_themselves_are_forgotten(till: Till):
    till.open()
    till.expirer.purge()
    assert len(till.rows("*")) == 1
    till.set_rows("expires_at = now() - interval '2 hours'")
    till.expirer.purge()
    assert till.rows("*") == []


def migrate_again(url: str) -> None:
    """Apply the step with the table of open checkouts to a history that exists."""
    with connect(url) as connection:
        [step] = [name for name, _ in migrations.steps() if name.endswith("_open_checkouts")]
        connection.execute("DROP TABLE open_checkouts")
        connection.execute("DELETE FROM schema_steps WHERE name = %s", (step,))
        assert migrations.migrate(connection) == [step]


def test_checkouts_that_an_older_version_opened_are_known_after_the_migration(migrated_url: str, till: Till):
    donation = till.open()
    [row] = till.rows("session_id, ticket_id, donation_id, expires_at, state")
    migrate_again(migrated_url)
    assert till.rows("session_id, ticket_id, donation_id, expires_at, state") == [row]
    suspend(till)
    till.expirer.run_all()
    assert till.status(donation) is DonationStatus.EXPIRED


@pytest.mark.parametrize("closing", ["unpublished", "erased"])
def test_the_migration_has_checkouts_expired_that_an_older_version_left_open(
    migrated_url: str, till: Till, closing: str
):
    till.open()
    CLOSINGS[closing](till)
    migrate_again(migrated_url)
    assert till.rows("state") == [("expiring",)]
    till.expirer.run_all()
    assert till.stripe.open_sessions == set()

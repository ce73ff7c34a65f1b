"""Old bodies of applied events are dropped; their facts, and the addresses that mails still need, stay."""

from __future__ import annotations

import time

import pytest

from adapters.payments import old_bodies
from adapters.payments.old_bodies import OldBodies
from domain.errors import NotFoundError
from entrypoints.composition.service import Service
from tests.fakes.mailbox import files
from tests.money import Ledger
from tests.stripe_events import Payment, event

DAYS = 90


@pytest.fixture
def ledger(service: Service) -> Ledger:
    return Ledger(service)


def test_the_body_of_an_applied_event_goes_after_the_days_and_its_facts_stay(ledger: Ledger):
    payment = without_address(ledger)
    ledger.take(payment.completed())
    grow_old(ledger, DAYS + 1)
    bodies(ledger).drop()
    assert sizes(ledger) == [0]
    assert (list(ledger.inbox().values()), ledger.row(payment)["paid"]) == (["applied"], 10_000)
    [row] = ledger.service.database.rows("SELECT event_id, body, ticket_id, donation_stream FROM stripe_inbox")
    with pytest.raises(NotFoundError):
        ledger.service.payments.inbox.open_body(*row)


def test_an_event_whose_body_was_dropped_is_recognised_when_it_is_delivered_again(ledger: Ledger):
    payment = without_address(ledger)
    completed = payment.completed()
    ledger.take(completed)
    grow_old(ledger, DAYS + 1)
    bodies(ledger).drop()
    recorded = ledger.events(payment)
    ledger.take(completed)
    assert (sizes(ledger), ledger.events(payment)) == ([0], recorded)


def test_a_younger_body_stays(ledger: Ledger):
    ledger.take(without_address(ledger).completed())
    grow_old(ledger, DAYS - 1)
    bodies(ledger).drop()
    assert 0 not in sizes(ledger)


def test_the_bodies_of_events_that_are_still_to_be_applied_stay(ledger: Ledger):
    payment = ledger.payment()
    dead = event("charge.succeeded", payment.charge(amount_captured="x"))
    ledger.take(payment.refunded(1_000), dead)
    ledger.deliver(payment.failed())
    assert sorted(ledger.inbox().values()) == ["dead", "held", "received"]
    grow_old(ledger, 10 * DAYS)
    bodies(ledger).drop()
    assert 0 not in sizes(ledger)


def test_a_donor_gets_the_mail_about_a_refund_after_old_bodies_were_dropped(ledger: Ledger):
    payment, now = ledger.payment(), int(time.time())
    ledger.take(payment.completed(now), payment.charged(now))
    ledger.service.payments.donor_emails.run_all()
    grow_old(ledger, DAYS + 1)
    bodies(ledger).drop()
    assert sorted(size > 0 for size in sizes(ledger)) == [False, True]
    ledger.take(event("refund.updated", payment.refund(1_000, created=now), now))
    ledger.service.payments.donor_emails.run_all()
    ledger.service.mail.sender.run_all()
    assert [mail["To"] for mail in files(ledger.service.settings.outbox)] == ["grace@example.com"] * 2


def test_bodies_are_dropped_in_small_batches_and_a_later_call_goes_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(old_bodies, "BATCH", 2)
    monkeypatch.setattr(old_bodies, "MOST_AT_ONCE", 4)
    ledger.take(*(without_address(ledger).completed() for _ in range(5)))
    grow_old(ledger, DAYS + 1)
    old = bodies(ledger)
    old.drop()
    assert sorted(size > 0 for size in sizes(ledger)) == [False] * 4 + [True]
    old.drop()
    assert sizes(ledger) == [0] * 5


def without_address(ledger: Ledger) -> Payment:
    payment = ledger.payment()
    payment.details |= {"email": None}
    return payment


def bodies(ledger: Ledger) -> OldBodies:
    return OldBodies(ledger.service.database, DAYS)


def grow_old(ledger: Ledger, days: int) -> None:
    ledger.service.database.execute(
        "UPDATE stripe_inbox SET received_at = received_at - make_interval(days => %s)", (days,)
    )


def sizes(ledger: Ledger) -> list[int]:
    return [size for (size,) in ledger.service.database.rows("SELECT length(body) FROM stripe_inbox")]

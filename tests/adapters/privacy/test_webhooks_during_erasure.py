"""The money of a webhook is recorded, however an erasure and the applier meet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from adapters.encryption import ticket_keys
from adapters.event_store.history import SealingMapper
from adapters.payments.applier import Applier
from domain.values import SYSTEM
from entrypoints.composition.service import Service
from tests.client import WAIT_SECONDS, eventually
from tests.money import Ledger
from tests.stripe_events import Payment, event

# What is left after 60 of 100 were refunded.
TOTALS = {"USD": (10_000, 6_000, 4_000)}


@pytest.fixture
def ledger(service: Service) -> Ledger:
    return Ledger(service)


@pytest.fixture
def payment(ledger: Ledger) -> Payment:
    return ledger.payment()


def early_refund(payment: Payment) -> dict[str, Any]:
    """Return an event with personal data that is held until the payment is known."""
    charge = payment.charge(amount_refunded=6_000, metadata=payment.metadata)
    return event("charge.refunded", charge)


def ticket_of(service: Service, event_id: str) -> UUID | None:
    """Return the ticket whose key sealed the event's body."""
    row = service.database.row("SELECT ticket_id FROM stripe_inbox WHERE event_id = %s", (event_id,))
    assert row is not None
    return row[0]


def is_waiting_for_lock(service: Service) -> bool:
    """Return True if a connection to the service's database waits for a lock that another one holds."""
    query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return service.database.row(query) is not None


def erase_with(ledger: Ledger, payment: Payment, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Erase the payment's ticket, and act after the unapplied webhooks were redacted and before it is recorded."""
    erasure = ledger.service.commands.tickets.erasure
    prepare = erasure.prepare

    def prepare_and_act(ticket_id: UUID) -> None:
        prepare(ticket_id)
        act()

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "prepare", prepare_and_act)
        ledger.service.commands.tickets.erase(SYSTEM, payment.ticket_id)


def assert_applied_with_the_donor(ledger: Ledger, payment: Payment) -> None:
    ledger.take(payment.completed())
    assert set(ledger.inbox().values()) == {"applied"}
    assert ledger.totals(payment.ticket_id) == TOTALS
    assert ledger.view(payment).donor == "Hopper"


def test_an_event_that_is_held_just_before_the_erasure_is_recorded_is_applied_later(
    ledger: Ledger, payment: Payment, monkeypatch: pytest.MonkeyPatch
):
    refund = early_refund(payment)
    ledger.deliver(refund)

    def hold() -> None:
        ledger.service.payments.applier.apply_all()
        assert ticket_of(ledger.service, refund["id"]) == payment.ticket_id

    erase_with(ledger, payment, monkeypatch, hold)
    assert ticket_of(ledger.service, refund["id"]) is None
    assert_applied_with_the_donor(ledger, payment)


def test_an_event_is_not_held_under_a_destroyed_key_that_its_process_still_caches(
    ledger: Ledger, payment: Payment, make_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ticket_keys, "CACHE_SECONDS", 3_600)
    other = make_service()
    other.history.keys.get(payment.ticket_id)
    ledger.service.commands.tickets.erase(SYSTEM, payment.ticket_id)
    refund = early_refund(payment)
    ledger.deliver(refund)
    other.payments.applier.apply_all()
    assert ticket_of(ledger.service, refund["id"]) is None
    assert_applied_with_the_donor(ledger, payment)


def test_an_erasure_waits_for_an_applier_that_has_claimed_an_event_of_its_ticket(
    ledger: Ledger, payment: Payment, monkeypatch: pytest.MonkeyPatch
):
    refund = early_refund(payment)
    ledger.take(refund)
    assert ticket_of(ledger.service, refund["id"]) == payment.ticket_id
    ledger.deliver(payment.completed())
    # The refund is due again and still sealed with the ticket's key, so the applier claims both.
    ledger.service.database.execute("UPDATE stripe_inbox SET state = 'received', waits_for = '{}'")
    service = ledger.service

    class ErasedMeanwhile(SealingMapper):
        """Begins to record the erasure just before the applier appends its events."""

        erasing: threading.Thread | None = None

        def to_stored_event(self, domain_event: Any) -> Any:
            if self.erasing is None:
                self.erasing = threading.Thread(
                    daemon=True,
                    target=service.commands.tickets.store.change,
                    args=(payment.ticket_id, lambda ticket: ticket.erase(SYSTEM)),
                )
                self.erasing.start()
                eventually(lambda: is_waiting_for_lock(service))
            return super().to_stored_event(domain_event)

    mapper = ErasedMeanwhile(service.history.cipher)
    Applier(service.database, service.payments.inbox, mapper, str, lambda _: None).apply_all()
    assert mapper.erasing is not None
    mapper.erasing.join(WAIT_SECONDS)
    assert not service.history.keys.key_exists(payment.ticket_id)
    ledger.follow()
    assert set(ledger.inbox().values()) == {"applied"}
    assert ledger.totals(payment.ticket_id) == TOTALS

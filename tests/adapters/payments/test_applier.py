"""The applier applies each event once, in whatever order events arrive, and no event delays others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_store.history import SealingMapper
from adapters.payments import inbox
from adapters.payments.applier import Applier
from adapters.postgres.database import Database
from adapters.stripe_sandbox.simulation import scenario
from domain.values import SYSTEM
from entrypoints.composition.simulation_runner import SimulationRunner
from entrypoints.presentation.responses import rfc3339
from tests.examples import examples
from tests.money import Ledger
from tests.stripe_events import Payment, event, thin


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def applier(service: Any, **replacements: Any) -> Applier:
    """Return an applier for the service's inbox; `replacements` replace its usual arguments."""
    usual: dict[str, Any] = {
        "database": service.database,
        "inbox": service.payments.inbox,
        "mapper": SealingMapper(service.history.cipher),
        "hash_email": str,
        "on_recorded": lambda position: None,
    }
    return Applier(**(usual | replacements))


def test_an_event_is_applied_once_however_often_it_is_delivered(ledger):
    payment = ledger.payment()
    stripe_event = payment.completed()
    ledger.take(stripe_event, stripe_event)
    ledger.take(stripe_event)
    assert ledger.row(payment)["paid"] == 10_000
    assert ledger.events(payment).count("payment_received") == 1


def test_an_event_before_its_payment_is_held_and_applied_when_the_link_appears(ledger):
    payment = ledger.payment()
    refund = payment.refunded(3_000)
    ledger.take(refund)
    assert ledger.inbox()[refund["id"]] == "held"
    ledger.take(payment.completed())
    assert ledger.inbox()[refund["id"]] == "applied"
    assert (ledger.row(payment)["refunded"], ledger.row(payment)["net"]) == (3_000, 7_000)


def test_links_are_found_over_a_chain_of_unknown_objects(ledger):
    payment = ledger.payment()
    dispute = payment.withdrawn()
    dispute["data"]["object"]["payment_intent"] = None
    ledger.take(dispute)
    ledger.take(event("charge.succeeded", payment.charge(metadata={})))
    assert set(ledger.inbox().values()) == {"held"}
    ledger.take(payment.completed())
    assert set(ledger.inbox().values()) == {"applied"}
    assert (ledger.row(payment)["disputed"], ledger.row(payment)["status"]) == (10_000, "DISPUTED")


def test_metadata_of_a_refund_moves_no_money_to_another_donation(ledger):
    payment, other = ledger.payment(), ledger.payment()
    refund = payment.refunded(3_000)
    refund["data"]["object"]["metadata"] = other.metadata
    ledger.take(refund, payment.completed(), other.completed())
    assert (ledger.row(payment)["refunded"], ledger.row(other)["refunded"]) == (3_000, 0)


def test_metadata_that_is_edited_later_moves_no_money(ledger):
    payment, other = ledger.payment(), ledger.payment()
    ledger.take(payment.completed())
    ledger.take(
        event("charge.updated", payment.charge(metadata=other.metadata)),
        event("payment_intent.succeeded", payment.intent(metadata=other.metadata)),
    )
    assert (ledger.row(payment)["paid"], ledger.row(other)["paid"]) == (10_000, 0)


def test_metadata_that_names_no_donation_of_ours_links_nothing(ledger):
    payment = ledger.payment()
    stranger, mismatched = Payment(uuid4()), Payment(uuid4(), donation_id=payment.donation_id)
    mismatched.charge_id = "ch_mismatched"
    ledger.take(stranger.completed(), event("charge.succeeded", mismatched.charge(metadata=mismatched.metadata)))
    assert set(ledger.inbox().values()) == {"held"}
    # The same intent with the right name now. The wrong name had no lasting effect.
    ledger.take(payment.completed())
    assert ledger.row(payment)["paid"] == 10_000
    assert sorted(ledger.inbox().values()) == ["applied", "applied", "held"]


def test_a_payment_in_another_currency_than_the_donations_is_a_dead_letter(ledger):
    payment = ledger.payment(currency="usd")
    wrong = event("checkout.session.completed", payment.session(currency="jpy"))
    ledger.take(wrong)
    [letter] = ledger.service.payments.dead_letters.list()
    assert (letter.id, letter.error) == (wrong["id"], "malformed: currency differs from the donation's")
    assert ledger.row(payment)["paid"] == 0


def test_a_malformed_event_is_a_dead_letter_and_delays_no_other(ledger):
    payment = ledger.payment()
    poisoned = event("payment_intent.succeeded", payment.intent(amount_received="all"))
    ledger.take(poisoned, payment.completed())
    assert ledger.row(payment)["status"] == "PAID"
    [letter] = ledger.service.payments.dead_letters.list()
    assert letter.error == "malformed: amount_received"


def test_an_event_that_cannot_be_applied_is_retried_later_and_delays_no_other(ledger):
    payment, other = ledger.payment(), ledger.payment()
    payment.details["email"] = "poison@example.com"
    poisoned, healthy = payment.completed(), ledger.service.payments.applier

    def hash_email(email: str) -> str:
        if email == "poison@example.com":
            raise RuntimeError("a fault of ours")
        return email

    ledger.service.payments.applier = applier(ledger.service, hash_email=hash_email)
    ledger.take(poisoned, other.completed())
    assert (ledger.row(payment)["paid"], ledger.row(other)["paid"]) == (0, 10_000)
    assert inbox_health(ledger).waiting == 1
    with ledger.service.database.connection() as connection:
        for _ in range(7):
            connection.execute("UPDATE stripe_inbox SET next_attempt_at = now()  WHERE state = 'received'")
            ledger.settle()
    [letter] = ledger.service.payments.dead_letters.list()
    assert (letter.id, letter.attempts, letter.error) == (poisoned["id"], 8, "RuntimeError")

    ledger.service.payments.applier = healthy
    assert ledger.service.payments.dead_letters.retry([poisoned["id"]]) == 1
    ledger.settle()
    assert ledger.row(payment)["paid"] == 10_000
    assert ledger.service.payments.dead_letters.list() == []


def inbox_health(ledger: Ledger) -> inbox.InboxHealth:
    with ledger.service.database.reading() as cursor:
        return inbox.health(cursor)


def test_an_event_held_for_three_days_is_listed_as_unmatched(ledger):
    payment = ledger.payment()
    ledger.take(payment.refunded(3_000))
    assert ledger.service.payments.dead_letters.list() == []
    with ledger.service.database.connection() as connection:
        connection.execute("UPDATE stripe_inbox SET received_at = now() - interval '73 hours'")
    [letter] = ledger.service.payments.dead_letters.list()
    assert letter.error == "unmatched"
    assert inbox_health(ledger).dead_letters == 1
    ledger.take(payment.completed())
    assert ledger.service.payments.dead_letters.list() == []


def test_text_that_the_database_cannot_store_is_dropped_or_makes_a_dead_letter(ledger):
    payment = ledger.payment()
    nul = {"name": "Ada \u0000Love\u0000lace", "email": "a\u0000@b.c", "address": {"country": "U\u0000"}}
    completed_event = event(
        "charge.succeeded", payment.charge(billing_details=nul, description="\u0000", metadata=payment.metadata)
    )
    ledger.take(payment.completed(), completed_event)
    ledger.take(event("checkout.session.expired", payment.session(id="cs_\u0000")))
    assert ledger.view(payment).donor == "lace"
    assert sorted(ledger.inbox().values()) == ["applied", "applied", "dead"]


def test_money_for_an_erased_ticket_is_recorded_with_its_donor(ledger):
    payment = ledger.payment()
    ledger.service.commands.tickets.erase(SYSTEM, payment.ticket_id)
    ledger.take(payment.completed(), payment.charged(), payment.refunded(3_000))
    row = ledger.row(payment)
    assert (row["status"], row["paid"], row["refunded"]) == ("PAID", 10_000, 3_000)
    assert ledger.view(payment).donor == "Hopper"
    assert set(ledger.inbox().values()) == {"applied"}


def test_erasing_a_ticket_makes_the_bodies_of_its_events_unreadable(ledger):
    payment = ledger.payment()
    ledger.take(payment.completed())
    rows = _bodies(ledger)
    ledger.service.payments.inbox.open_body(*rows[0])
    ledger.service.commands.tickets.erase(SYSTEM, payment.ticket_id)
    for row in rows:
        with pytest.raises(Exception, match="no key"):
            ledger.service.payments.inbox.open_body(*row)
    assert ledger.view(payment).donor == "Hopper"


def test_no_table_contains_a_donors_data_in_plain_text(ledger):
    payment, unknown = ledger.payment(), Payment(uuid4())
    poisoned = event("charge.succeeded", payment.charge(amount_captured="x"))
    ledger.take(payment.completed(), payment.charged(), unknown.completed(), poisoned)
    assert sorted(ledger.inbox().values()) == ["applied", "applied", "dead", "held"]
    ledger.deliver(payment.charged())
    assert ledger.view(payment).donor == "Hopper"
    with ledger.service.database.connection() as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(f'SELECT encode(t::text::bytea, $$escape$$) FROM {schema}."{table}" t').fetchall()
            text = "".join(str(row) for row in rows)
            bodies = b"".join(body for _, body, *_ in _bodies(ledger)) if table == "stripe_inbox" else b""
            for canary in ("Hopper", "Brewster", "Grace@", "grace@"):
                assert canary not in text, (table, canary)
                assert canary.encode() not in bodies
    states = [bytes(entry.state) for entry in ledger.service.history.log.ticket_events(payment.ticket_id)]
    assert not any(b"Hopper" in state or b"example.com" in state for state in states)


def _bodies(ledger: Ledger) -> list[tuple[Any, ...]]:
    with ledger.service.database.connection() as connection:
        rows = connection.execute("SELECT event_id, body, ticket_id, donation_stream FROM stripe_inbox").fetchall()
    return [(id, bytes(body), *owners) for id, body, *owners in rows]


def test_a_retried_event_can_be_read_after_its_ticket_was_known(ledger):
    payment = ledger.payment()
    wrong = event("checkout.session.completed", payment.session(currency="jpy"))
    ledger.take(payment.completed(), wrong)
    assert ledger.service.payments.dead_letters.retry() == 1
    ledger.settle()
    assert [letter.id for letter in ledger.service.payments.dead_letters.list()] == [wrong["id"]]


def test_concurrent_appliers_apply_each_event_once(ledger, make_service):
    payments = [ledger.payment() for _ in range(12)]
    stripe_events = [t for p in payments for t in (p.completed(), p.charged(), p.refunded(1_000), p.succeeded())]
    Random(1).shuffle(stripe_events)
    ledger.deliver(*stripe_events)
    services = [make_service() for _ in range(3)]
    threads = [
        threading.Thread(target=s.payments.applier.apply_batch, args=(n,)) for s in services for n in (3, 5, 2, 200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.settle()
    assert {(ledger.row(p)["paid"], ledger.row(p)["refunded"]) for p in payments} == {(10_000, 1_000)}
    assert {ledger.events(p).count("payment_received") for p in payments} == {1}


def test_an_event_is_applied_although_another_process_writes_to_its_donation(ledger):
    payment = ledger.payment()
    ledger.deliver(payment.completed())

    class ConflictingMapper(SealingMapper):
        """Lets another process write to the donation just before the first event is stored."""

        has_written = False

        def to_stored_event(self, domain_event: Any) -> Any:
            if not self.has_written:
                self.has_written = True
                names = payment.ticket_id, payment.donation_id
                ledger.service.aggregates.donations.change(
                    *names, lambda d: d.open_checkout(SYSTEM, "cs_other", 1, False)
                )
            return super().to_stored_event(domain_event)

    ledger.service.payments.applier = applier(ledger.service, mapper=ConflictingMapper(ledger.service.history.cipher))
    ledger.settle()
    assert ledger.row(payment)["status"] == "PAID"
    assert ledger.events(payment) == ["checkout_requested", "checkout_opened", "checkout_opened", "payment_received"]


# Thin events and balance transactions.


def test_the_object_of_a_thin_event_is_retrieved_and_applied(ledger):
    payment = ledger.payment()
    # Without a charge, because the event has its own time.
    ledger.stripe = {payment.intent_id: payment.intent()}.__getitem__
    stripe_event = thin("v1.payment_intent.succeeded", payment.intent_id, "payment_intent")
    ledger.take(payment.chosen_delayed())
    ledger.deliver(stripe_event)
    ledger.service.payments.applier.apply_all()
    assert ledger.inbox()[stripe_event["id"]] == "held"
    ledger.settle()
    assert (ledger.inbox()[stripe_event["id"]], ledger.row(payment)["paid"]) == ("applied", 10_000)


def test_a_thin_event_about_an_object_of_the_other_mode_has_no_effect(ledger):
    payment = ledger.payment()
    ledger.stripe = {payment.intent_id: payment.intent(livemode=True)}.__getitem__
    ledger.take(thin("v1.payment_intent.succeeded", payment.intent_id, "payment_intent"))
    assert ledger.row(payment)["paid"] == 0


def test_a_fee_is_retrieved_once_and_recorded_apart_from_the_donation(ledger):
    payment = ledger.payment()
    retrieved_ids = []

    def stripe(id: str) -> dict[str, Any]:
        retrieved_ids.append(id)
        return payment.transaction("1", 9_100, 350, currency="eur", id=id)

    ledger.stripe = stripe
    ledger.take(payment.completed(), payment.charged())
    for at in (1, 2, 3):
        ledger.take(event("charge.updated", payment.charge(balance_transaction="txn_fee"), 1_780_000_000 + at))
    assert retrieved_ids == ["txn_fee"]
    [fee] = ledger.fees(payment)
    assert (fee["gross"], fee["fee"], fee["net"], fee["currency"]) == (9_100, 350, 8_750, "EUR")
    assert ledger.totals(payment.ticket_id) == {"USD": (10_000, 0, 10_000)}


def test_a_retrieval_stays_pending_while_stripe_is_unavailable(ledger):
    payment = ledger.payment()
    ledger.take(payment.completed(), event("charge.updated", payment.charge(balance_transaction="txn_fee")))
    assert (ledger.inbox()["txn_fee"], ledger.row(payment)["paid"]) == ("held", 10_000)
    ledger.stripe = {"txn_fee": payment.transaction("1", 10_000, 350, id="txn_fee")}.__getitem__
    with ledger.service.database.connection() as connection:
        connection.execute("UPDATE stripe_inbox SET next_attempt_at = now() WHERE pending_object_id IS NOT NULL")
    ledger.settle()
    assert [fee["fee"] for fee in ledger.fees(payment)] == [350]


# Fulfilment of paid checkouts.


def test_a_checkout_is_fulfilled_once_by_return_page_reconciler_and_webhook_together(ledger):
    payment = ledger.payment()
    stripe_objects = [payment.session(), payment.intent(), payment.charge(created=1_780_000_007)]
    ledger.stripe = {stripe_object["id"]: stripe_object for stripe_object in stripe_objects}.__getitem__
    for _ in range(3):
        ledger.retrievals.request(payment.session_id)  # by the return page
        for stripe_object in stripe_objects:  # by the reconciler
            ledger.service.payments.inbox.accept_retrieved(stripe_object, ledger.retriever.time_of(stripe_object))
        ledger.settle()
    assert rfc3339(ledger.view(payment).paid_at) == "2026-05-28T20:26:47Z"
    before = ledger.events(payment)
    ledger.retrievals.request(payment.session_id)
    ledger.settle()
    assert ledger.events(payment) == before
    ledger.take(payment.completed(1_780_000_008))
    row = ledger.row(payment)
    assert (row["paid"], row["charge_id"], row["status"]) == (10_000, payment.charge_id, "PAID")
    assert ledger.events(payment).count("payment_received") == 1


# Crashes.


class Crash(Exception):
    """The end of the process."""


class CrashingDatabase:
    """Raises `Crash` after a number of statements, so that everything uncommitted is lost."""

    def __init__(self, database: Database, statements: int) -> None:
        self._database = database
        self._remaining = statements
        self.connection = database.connection

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._database.transaction() as cursor:
            yield _CrashingCursor(cursor, self._tick)
            self._tick()

    def _tick(self) -> None:
        self._remaining -= 1
        if self._remaining < 0:
            raise Crash


class _CrashingCursor:
    def __init__(self, cursor: Any, tick: Any) -> None:
        self._cursor = cursor
        self._tick = tick

    def execute(self, *args: Any, **more: Any) -> Any:
        self._tick()
        return self._cursor.execute(*args, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class CrashingApplier(Applier):
    """An applier whose process dies at the first error and records no failure."""

    def _record_failure(self, event_id: str, attempts: int, error: Exception) -> None:
        raise Crash


def crash_once(service: Any, statements: int) -> None:
    """Apply events in a process that crashes after a number of statements."""
    database: Any = CrashingDatabase(service.database, statements)
    crashing_applier = CrashingApplier(
        database, service.payments.inbox, SealingMapper(service.history.cipher), str, lambda position: None
    )
    with suppress(Crash):
        crashing_applier.apply_batch()


@examples(4)
@given(seed=st.integers(0, 10**6), crashes=st.lists(st.integers(0, 12), max_size=12), random=st.randoms())
def test_crashes_between_any_two_steps_leave_the_ledger_of_the_oracle(service, seed, crashes, random):
    runner = SimulationRunner(service, scenario.build(seed, 4, uuid4().hex))
    runner.open()
    deliveries = runner.scenario.deliveries(random)
    for number, stripe_event in enumerate(deliveries):
        runner.deliver(stripe_event)
        if crashes and number % 9 == 0:
            crash_once(service, crashes.pop())
    for statements in crashes:
        crash_once(service, statements)
    runner.settle()
    assert runner.differences() == []


@examples(3)
@given(seed=st.integers(0, 10**6), random=st.randoms())
def test_simultaneous_deliveries_and_appliers_leave_the_ledger_of_the_oracle(service, seed, random):
    runner = SimulationRunner(service, scenario.build(seed, 4, uuid4().hex))
    runner.open()
    deliveries = runner.scenario.deliveries(random)

    def deliver(share: list[dict[str, Any]]) -> None:
        for number, stripe_event in enumerate(share):
            runner.deliver(stripe_event)
            if number % 2:
                service.payments.applier.apply_batch(3)

    threads = [threading.Thread(target=deliver, args=(deliveries[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runner.settle()
    assert runner.differences() == []


def test_the_inbox_stores_an_event_as_it_was_sent(ledger):
    payment = ledger.payment()
    stripe_event = payment.completed()
    ledger.deliver(stripe_event)
    [row] = _bodies(ledger)
    assert json.loads(ledger.service.payments.inbox.open_body(*row)) == stripe_event


def test_a_held_charge_of_an_erased_person_still_gives_the_same_refunded_sum(ledger):
    payment = ledger.payment()
    # 60 of 100 were captured and given back.
    charge = payment.charge(amount_captured=6_000, amount_refunded=6_000, refunded=True, metadata=payment.metadata)
    ledger.take(event("charge.refunded", charge))
    ledger.service.commands.tickets.erase(SYSTEM, payment.ticket_id)
    ledger.take(event("checkout.session.completed", payment.session(amount_total=6_000)))
    assert (ledger.row(payment)["paid"], ledger.row(payment)["refunded"]) == (6_000, 6_000)


def test_a_held_event_without_personal_data_is_not_sealed_with_the_key_that_an_erasure_destroys(ledger):
    payment = ledger.payment()
    ledger.take(event("charge.refunded", payment.charge(amount_refunded=100, metadata=payment.metadata)))
    [(_, _, ticket, _)] = _bodies(ledger)
    assert ticket == payment.ticket_id
    inbox = ledger.service.payments.inbox
    inbox.redact_unapplied(payment.ticket_id)
    [(id, sealed_body, ticket, _)] = _bodies(ledger)
    assert ticket is None
    # An applier tries it again before the key is destroyed.
    with ledger.service.database.transaction() as cursor:
        keys = inbox.keys_of(cursor, [payment.ticket_id], [])
    body = inbox.open_body(id, sealed_body)
    ticket, _, sealed_body = inbox.reseal_body(id, "held", body, payment.ticket_id, None, keys)
    assert (ticket, json.loads(inbox.open_body(id, sealed_body))["type"]) == (None, "charge.refunded")


def test_a_requested_retrieval_reads_the_facts_although_only_the_links_were_asked_for_before(ledger):
    payment = ledger.payment()
    ledger.stripe = lambda id: payment.session() if id == payment.session_id else payment.intent(latest_charge=None)
    with ledger.service.database.transaction() as cursor:
        ledger.service.payments.inbox.add_retrievals(cursor, {payment.session_id: 1}, repeat=True, only_links=True)
    ledger.retrievals.request(payment.session_id)
    with ledger.service.database.transaction() as cursor:
        ledger.service.payments.inbox.add_retrievals(cursor, {payment.session_id: 1}, repeat=True, only_links=True)
    ledger.settle()
    assert ledger.row(payment)["paid"] == 10_000


def test_a_retrieval_requested_during_the_call_for_the_links_reads_the_facts(ledger):
    payment = ledger.payment()

    def stripe(id: str) -> dict[str, Any]:
        if id == payment.session_id and not requested:
            requested.append(id)
            ledger.retrievals.request(id)
        return payment.session() if id == payment.session_id else payment.intent(latest_charge=None)

    requested: list[str] = []
    ledger.stripe = stripe
    with ledger.service.database.transaction() as cursor:
        ledger.service.payments.inbox.add_retrievals(cursor, {payment.session_id: 1}, repeat=True, only_links=True)
    ledger.settle()
    assert ledger.row(payment)["paid"] == 10_000

"""Events of other business on the same Stripe account move no money, leave no body, and end in no dead letter."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from adapters.observability.gauges import Gauges
from adapters.payments import inbox
from domain.errors import NotFoundError
from tests.money import Ledger
from tests.stripe_events import DAY, Payment, event, thin

NO_CHECKOUT = inbox.NO_CHECKOUT
Event = dict[str, Any]


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def shop(payment: Payment | None = None) -> Payment:
    """Return a payment that another program on the same Stripe account takes, without metadata of ours."""
    payment = payment or Payment(uuid4())
    payment.metadata = {"order": "4711"}
    return payment


def subscription_payment(payment: Payment) -> list[Event]:
    """Return the events about one payment of a subscription in the order in which Stripe usually sends them."""
    return [payment.charged(), payment.succeeded(), event("charge.updated", payment.charge())]


def stripe_with(*stripe_objects: Event) -> Any:
    """Return a Stripe that has these objects only."""
    by_id = {stripe_object["id"]: stripe_object for stripe_object in stripe_objects}

    def retrieve(id: str) -> Event:
        if id not in by_id:
            raise NotFoundError(id)
        return by_id[id]

    return retrieve


def bodies(ledger: Ledger) -> list[bytes]:
    with ledger.service.database.connection() as connection:
        return [bytes(body) for (body,) in connection.execute("SELECT body FROM stripe_inbox").fetchall()]


def let_days_pass(ledger: Ledger, days: int = 4) -> None:
    with ledger.service.database.connection() as connection:
        connection.execute("UPDATE stripe_inbox SET received_at = received_at - make_interval(days => %s)", (days,))


def health(ledger: Ledger) -> inbox.InboxHealth:
    with ledger.service.database.transaction() as cursor:
        return inbox.health(cursor)


def errors(ledger: Ledger) -> list[str | None]:
    return [letter.error for letter in ledger.service.payments.dead_letters.list()]


def test_payments_of_a_subscription_are_ignored_without_asking_stripe(ledger):
    events = [stripe_event for _ in range(30) for stripe_event in subscription_payment(shop())]
    ledger.take(*events)
    assert set(ledger.inbox().values()) == {"ignored"}
    assert set(bodies(ledger)) == {b""}
    let_days_pass(ledger)
    assert ledger.service.payments.dead_letters.list() == []
    assert health(ledger).dead_letters == 0


@pytest.mark.parametrize("reverse", [False, True])
def test_later_events_of_a_payment_of_other_business_are_ignored_in_every_order(ledger, reverse):
    payment = shop()
    events = [
        *subscription_payment(payment),
        payment.refunded(3_000),
        payment.refund_total(3_000),
        payment.withdrawn(),
        payment.closed("lost"),
    ]
    for stripe_event in reversed(events) if reverse else events:
        ledger.take(stripe_event)
    assert set(ledger.inbox().values()) == {"ignored"}
    assert set(bodies(ledger)) == {b""}


def test_stripe_is_asked_once_about_a_refund_whose_payment_we_never_saw(ledger):
    payment, requested_ids = shop(), []

    def stripe(id: str) -> Event:
        requested_ids.append(id)
        return payment.intent(latest_charge=None)

    ledger.stripe = stripe
    ledger.take(payment.refunded(3_000), payment.refund_total(3_000))
    assert (set(ledger.inbox().values()), requested_ids) == ({"held"}, [])
    ledger.ask()
    ledger.ask()
    assert (set(ledger.inbox().values()), requested_ids) == ({"ignored"}, [payment.intent_id])
    ledger.take(payment.refunded(2_000, number=2))
    ledger.ask()
    assert (set(ledger.inbox().values()), len(requested_ids)) == ({"ignored"}, 1)


def test_an_event_about_a_payment_that_stripe_does_not_know_stays_held(ledger):
    refund = Payment(uuid4()).refunded(3_000)
    ledger.take(refund)
    ledger.ask()
    with ledger.service.database.connection() as connection:
        for _ in range(3):
            connection.execute("UPDATE stripe_inbox SET next_attempt_at = now()")
            ledger.settle()
    assert sorted(ledger.inbox().values()) == ["held", "ignored"]
    let_days_pass(ledger)
    assert [letter.id for letter in ledger.service.payments.dead_letters.list()] == [refund["id"]]


def test_a_refund_of_ours_finds_its_donation_by_asking_stripe(ledger):
    payment = ledger.payment()
    ledger.stripe = stripe_with(payment.intent(), payment.session())
    ledger.take(payment.succeeded(), payment.refunded(3_000))
    ledger.ask()
    assert (ledger.row(payment)["paid"], ledger.row(payment)["refunded"]) == (10_000, 3_000)


def test_events_of_another_account_are_ignored_and_counted(ledger):
    from adapters.observability.counters import webhooks_ignored

    count = webhooks_ignored.labels("other_account")
    payment, before = ledger.payment(), count._value.get()
    ledger.take(
        payment.completed() | {"account": "acct_1other"},
        thin("v1.payment_intent.succeeded", payment.intent_id, "payment_intent") | {"context": "acct_1other"},
    )
    assert set(ledger.inbox().values()) == {"ignored"}
    assert (set(bodies(ledger)), ledger.row(payment)["paid"]) == ({b""}, 0)
    assert count._value.get() == before + 2


def test_dead_letters_are_counted_alike_in_list_health_and_metrics(ledger):
    payment = ledger.payment()
    ledger.take(payment.refunded(3_000), event("payment_intent.succeeded", payment.intent(amount_received="all")))
    let_days_pass(ledger)
    listed = len(ledger.service.payments.dead_letters.list())
    assert (listed, health(ledger).dead_letters) == (2, 2)
    [metric] = [m for m in Gauges(ledger.service.database, 24)._read() if m.name == "storyledger_inbox_events"]
    counted = {sample.labels["state"]: sample.value for sample in metric.samples}
    assert (counted["dead"], counted["held"]) == (2, 0)


# What belongs to which donation.


@pytest.mark.parametrize("reverse", [False, True])
def test_a_checkout_that_we_opened_is_its_donations_whatever_the_metadata_says(ledger, reverse):
    payment, other = ledger.payment(), ledger.payment()
    payment.metadata = other.metadata
    events = [payment.completed(), payment.succeeded(), payment.charged()]
    for stripe_event in reversed(events) if reverse else events:
        ledger.take(stripe_event)
    assert (ledger.row(payment)["paid"], ledger.row(other)["paid"]) == (10_000, 0)
    assert set(ledger.inbox().values()) == {"applied"}


def test_facts_that_were_ignored_are_retrieved_when_their_payment_turns_out_to_be_ours(ledger):
    payment = shop(ledger.payment())
    ledger.stripe = stripe_with(payment.intent(), payment.charge())
    ledger.take(payment.succeeded(), payment.charged())
    assert set(ledger.inbox().values()) == {"ignored"}
    ledger.take(payment.completed())
    row = ledger.row(payment)
    assert (row["paid"], row["charge_id"]) == (10_000, payment.charge_id)


def test_a_payment_that_lost_its_metadata_gives_the_same_ledger_whenever_its_checkout_is_reported(ledger):
    def outcome(place: int, *, is_recorded: bool = True, reverse: bool = False) -> tuple[object, ...]:
        payment = shop(Payment(ledger.ticket()))
        if is_recorded:
            ledger.record_checkout(payment)
        session = payment.session()
        refund, dispute = payment.refund(3_000), payment.dispute("lost", (-7_000,), 7_000)
        charge = payment.charge(amount_refunded=3_000)
        ledger.stripe = stripe_with(session, payment.intent(), charge, refund, dispute)
        events = [
            payment.succeeded(),
            payment.charged(),
            event("refund.created", refund | {"payment_intent": None}, DAY + 60),
            payment.refund_total(3_000),
            event("charge.dispute.funds_withdrawn", dispute, DAY + 91),
            event("charge.dispute.closed", dispute, DAY + 92),
        ]
        events = events[::-1] if reverse else events
        for stripe_event in [*events[:place], payment.completed(), *events[place:]]:
            ledger.take(stripe_event)
        ledger.ask()
        if not is_recorded:
            ledger.record_checkout(payment)
            ledger.settle()
        row = ledger.row(payment)
        entries = ledger.service.aggregates.donations.get(payment.ticket_id, payment.donation_id).gift.entries()
        money = row["paid"], row["refunded"], row["disputed"], row["status"], row["paid_at"], row["refunded_at"]
        return money, sorted((entry.kind, entry.part, entry.amount, entry.at) for entry in entries)

    known_first = outcome(0)
    assert known_first[0][:4] == (10_000, 3_000, 7_000, "DISPUTED")
    for place, reverse in ((3, False), (3, True), (6, False)):
        assert outcome(place, reverse=reverse) == known_first
    assert outcome(6, is_recorded=False) == known_first


def test_an_intent_with_copied_metadata_moves_no_money_without_a_persons_word(ledger):
    payment = ledger.payment()
    copied = Payment(payment.ticket_id, 7_000, donation_id=payment.donation_id)
    copied.intent_id, copied.charge_id = "pi_copied", "ch_copied"
    ledger.stripe = stripe_with(payment.session())
    ledger.take(payment.completed(), copied.succeeded(), copied.charged(metadata=copied.metadata))
    ledger.ask()
    assert ledger.row(payment)["paid"] == 10_000
    assert errors(ledger) == [NO_CHECKOUT, NO_CHECKOUT]
    [first, _] = ledger.service.payments.dead_letters.list()
    assert ledger.service.payments.dead_letters.accept([first.id], "admin:7") == 1
    ledger.settle()
    assert (ledger.row(payment)["paid"], errors(ledger)) == (17_000, [])
    history = ledger.service.history.log.ticket_events(payment.ticket_id)
    assert "admin:7" in {str(entry.event().actor) for entry in history}


def test_a_dead_letter_of_other_business_can_be_dismissed(ledger):
    stranger = Payment(uuid4())
    ledger.take(stranger.completed())
    let_days_pass(ledger)
    [letter] = ledger.service.payments.dead_letters.list()
    assert ledger.service.payments.dead_letters.dismiss([letter.id]) == 1
    assert (set(ledger.inbox().values()), set(bodies(ledger)), errors(ledger)) == ({"ignored"}, {b""}, [])


# More and less than was asked for.


def test_more_than_was_asked_for_is_a_dead_letter_with_both_figures(ledger):
    payment = ledger.payment()
    ledger.take(event("checkout.session.completed", payment.session(amount_total=15_000)), payment.refunded(15_000))
    assert (ledger.row(payment)["paid"], ledger.row(payment)["refunded"]) == (0, 0)
    assert errors(ledger) == ["captured 150.00 USD instead of 100.00 USD"]
    ledger.service.payments.dead_letters.accept(None, "system")
    ledger.take(event("payment_intent.succeeded", payment.intent(amount_received=15_000)))
    assert (ledger.row(payment)["paid"], ledger.row(payment)["refunded"], errors(ledger)) == (15_000, 15_000, [])


def test_less_than_was_asked_for_counts_as_what_was_captured_and_is_marked(ledger):
    payment, whole = ledger.payment(), ledger.payment()
    ledger.take(event("checkout.session.completed", payment.session(amount_total=4_000)), whole.completed())
    assert (ledger.row(payment)["paid"], ledger.row(payment)["status"]) == (4_000, "PAID")
    assert (ledger.view(payment).paid_in_part, ledger.view(whole).paid_in_part) == (True, False)


# A checkout that we did not open, or that was refused.


def test_a_refund_of_a_refused_checkout_stays_held_after_stripe_was_asked(ledger):
    payment = ledger.payment()
    session, intent = payment.session(amount_total=15_000), payment.intent(amount_received=15_000)
    ledger.stripe = stripe_with(session, intent, payment.charge(amount=15_000, amount_captured=15_000))
    refund = payment.refunded(15_000)
    ledger.take(event("checkout.session.completed", session), refund, event("payment_intent.succeeded", intent))
    ledger.ask()
    assert (ledger.row(payment)["paid"], ledger.row(payment)["refunded"]) == (0, 0)
    assert ledger.inbox()[refund["id"]] == "held"
    ledger.service.payments.dead_letters.accept(None, "system")
    ledger.settle()
    assert (ledger.row(payment)["paid"], ledger.row(payment)["refunded"], errors(ledger)) == (15_000, 15_000, [])


def test_a_refused_checkout_does_not_tell_that_its_payment_has_none(ledger):
    payment = ledger.payment()
    ledger.take(event("payment_intent.succeeded", payment.intent(amount_received=15_000)))
    ledger.take(event("checkout.session.completed", payment.session(amount_total=15_000)))
    assert errors(ledger) == ["captured 150.00 USD instead of 100.00 USD"]

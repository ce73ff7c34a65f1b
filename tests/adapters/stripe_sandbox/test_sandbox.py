"""The sandbox makes the changes of payments that Stripe makes, and sends Stripe's events about them."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from adapters.stripe_sandbox import DisputeOutcome, Outcome, Payer, RefundOutcome, Sandbox, StripeRefusal, ensure_schema
from domain.values import Money
from tests.adapters.payments.test_gateway import LONG_AGO, gift
from tests.client import eventually
from tests.examples import examples
from tests.fakes.sandbox_world import SECRET

ADA = Payer("Ada Lovelace", "ada@example.com", "GB")
PAID = ["charge.succeeded", "payment_intent.succeeded", "checkout.session.completed", "charge.updated"]


@pytest.fixture
def sandbox(world) -> Sandbox:
    return world.sandbox


@pytest.fixture
def session(world) -> str:
    return world.gateway.open(gift()).session_id


@pytest.fixture
def new_events(world):
    """Return a function that returns the events since its last call, oldest first."""
    seen_count = 0

    def since_last() -> list[dict]:
        nonlocal seen_count
        events = list(world.gateway.objects("evt", LONG_AGO))[::-1]
        new, seen_count = events[seen_count:], len(events)
        return new

    return since_last


def types(events: list[dict]) -> list[str]:
    return [event["type"] for event in events]


def test_the_events_of_a_payment_come_in_stripes_order(sandbox, session, new_events):
    sandbox.pay(session, Outcome.PAID, ADA)
    assert types(new_events()) == PAID


def test_an_event_has_stripes_shape(sandbox, session, new_events):
    sandbox.pay(session)
    for event in new_events():
        assert event["id"].startswith("evt_")
        assert (event["object"], event["livemode"], event["api_version"]) == ("event", False, "2026-10-28.endive")
        assert isinstance(event["created"], int)
        assert event["data"]["object"]["object"] == ".".join(event["type"].split(".")[:-1])


def test_an_event_holds_its_object_as_of_the_time_of_the_event(sandbox, session, new_events):
    sandbox.pay(session, Outcome.PAID, ADA)
    succeeded, intent, completed, updated = (event["data"] for event in new_events())
    assert succeeded["object"]["balance_transaction"] is None
    assert updated["object"]["balance_transaction"].startswith("txn_")
    assert updated["previous_attributes"] == {"balance_transaction": None}
    assert intent["object"]["amount_received"] == 5000
    assert intent["object"]["latest_charge"] == succeeded["object"]["id"]
    assert completed["object"]["payment_intent"] == intent["object"]["id"]
    assert (completed["object"]["status"], completed["object"]["payment_status"]) == ("complete", "paid")


def test_the_payer_is_on_charge_and_session(sandbox, session, new_events):
    sandbox.pay(session, Outcome.PAID, ADA)
    charge, _, completed, _ = (event["data"]["object"] for event in new_events())
    for details in (charge["billing_details"], completed["customer_details"]):
        assert (details["name"], details["email"], details["address"]["country"]) == (
            "Ada Lovelace",
            "ada@example.com",
            "GB",
        )


def test_a_declined_attempt_leaves_the_checkout_open_and_the_next_may_succeed(sandbox, session, new_events):
    first = sandbox.pay(session, Outcome.DECLINED, ADA)
    assert first["status"] == "open"
    failed, intent = new_events()
    assert types([failed, intent]) == ["charge.failed", "payment_intent.payment_failed"]
    assert intent["data"]["object"]["last_payment_error"]["code"] == "card_declined"
    paid = sandbox.pay(session, Outcome.PAID, ADA)
    assert types(new_events()) == PAID
    assert paid["payment_intent"] == intent["data"]["object"]["id"]


def test_a_delayed_payment_completes_unpaid_and_succeeds_later(sandbox, session, new_events):
    pending = sandbox.pay(session, Outcome.PAID_LATER, ADA)
    assert (pending["status"], pending["payment_status"]) == ("complete", "unpaid")
    assert types(new_events()) == ["payment_intent.processing", "checkout.session.completed"]
    assert sandbox.settle(session)["payment_status"] == "paid"
    assert types(new_events()) == [*PAID[:2], "checkout.session.async_payment_succeeded", "charge.updated"]


def test_a_delayed_payment_may_fail_later(sandbox, session, new_events):
    sandbox.pay(session, Outcome.FAILED_LATER, ADA)
    new_events()
    assert sandbox.settle(session, False)["payment_status"] == "unpaid"
    assert types(new_events()) == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]


def test_delayed_steps_happen_without_a_further_call(world, session):
    other = world.gateway.open(gift()).session_id
    world.sandbox.pay(session, Outcome.PAID_LATER)
    world.sandbox.pay(other, Outcome.FAILED_LATER)
    world.sandbox.start()
    eventually(lambda: "checkout.session.async_payment_failed" in world.receiver.types)
    assert world.gateway.retrieve(session)["payment_status"] == "paid"
    assert world.gateway.retrieve(other)["payment_status"] == "unpaid"


def test_an_unpaid_checkout_expires_and_its_intent_is_canceled(sandbox, session, new_events):
    sandbox.pay(session, Outcome.DECLINED)
    new_events()
    assert sandbox.expire(session)["status"] == "expired"
    assert types(new_events()) == ["payment_intent.canceled", "checkout.session.expired"]


def test_a_checkout_expires_by_itself_after_its_day(world, session):
    tomorrow = world.another_sandbox(clock=lambda: time.time() + 86_500)
    with pytest.raises(StripeRefusal):
        tomorrow.pay(session)
    tomorrow.run_due_steps()
    assert world.gateway.retrieve(session)["status"] == "expired"


def test_a_paid_checkout_is_neither_paid_again_nor_expired(sandbox, session, new_events):
    sandbox.pay(session)
    new_events()
    for act in (sandbox.pay, sandbox.expire, sandbox.settle):
        with pytest.raises(StripeRefusal):
            act(session)
    assert new_events() == []


def test_twenty_simultaneous_payments_of_one_checkout_pay_once(sandbox, session, new_events):
    def attempt(_: int) -> bool:
        try:
            sandbox.pay(session)
        except StripeRefusal:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(attempt, range(20))) == 1
    assert types(new_events()) == PAID


def test_the_events_of_a_partial_refund_have_the_charges_new_total(sandbox, session, new_events):
    sandbox.pay(session)
    new_events()
    refund = sandbox.refund(session, 2000)
    created, refunded, updated, charge_updated = new_events()
    assert types([created, refunded, updated, charge_updated]) == [
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "charge.refund.updated",
    ]
    charge = refunded["data"]["object"]
    assert (charge["amount_refunded"], charge["refunded"]) == (2000, False)
    assert refunded["data"]["previous_attributes"] == {"amount_refunded": 0}
    assert created["data"]["object"]["status"] == "succeeded"
    assert created["data"]["object"]["id"] == refund["id"]


def test_a_pending_refund_succeeds_later(sandbox, session, new_events):
    sandbox.pay(session)
    refund = sandbox.refund(session, outcome=RefundOutcome.PENDING)
    assert types(new_events())[4:] == ["refund.created", "charge.refunded"]
    assert sandbox.finish_refund(refund["id"], True)["status"] == "succeeded"
    assert types(new_events()) == ["refund.updated", "charge.refund.updated"]


@pytest.mark.parametrize("outcome", [RefundOutcome.PENDING, RefundOutcome.SUCCEEDED])
def test_a_failed_or_canceled_refund_does_not_count(world, sandbox, session, new_events, outcome):
    sandbox.pay(session)
    refund = sandbox.refund(session, 2000, outcome)
    new_events()
    failed = sandbox.finish_refund(refund["id"], False)
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert types(new_events()) == ["refund.failed", "refund.updated", "charge.refund.updated"]
    charge = world.gateway.retrieve(failed["charge"])
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    reversal = world.gateway.retrieve(failed["failure_balance_transaction"])
    assert (reversal["type"], reversal["amount"]) == ("refund_failure", 2000)
    with pytest.raises(StripeRefusal):
        sandbox.finish_refund(refund["id"], True)


def test_a_failing_refund_succeeds_first_and_fails_by_itself(world, session):
    world.sandbox.pay(session)
    refund = world.sandbox.refund(session, outcome=RefundOutcome.FAILING)
    assert refund["status"] == "succeeded"
    world.sandbox.start()
    eventually(lambda: world.receiver.types.count("charge.refund.updated") == 2)
    assert world.gateway.retrieve(refund["id"])["status"] == "failed"


def test_a_bank_accounts_refund_by_the_api_is_pending_first(world, session):
    world.sandbox.pay(session, Outcome.PAID_LATER)
    intent = world.sandbox.settle(session)["payment_intent"]
    refund = world.gateway.refund(intent, Money(5000, "USD"), "r1", {})
    assert (refund["status"], refund["id"][:4]) == ("pending", "pyr_")


def test_a_dispute_withdraws_the_money_and_winning_it_reinstates_the_money(sandbox, session, new_events):
    sandbox.pay(session)
    new_events()
    dispute = sandbox.dispute(session)
    created, withdrawn = new_events()
    assert types([created, withdrawn]) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    [out] = withdrawn["data"]["object"]["balance_transactions"]
    assert (out["amount"], out["fee"], out["net"], out["reporting_category"]) == (-5000, 1500, -6500, "dispute")
    sandbox.close_dispute(dispute["id"], DisputeOutcome.WON)
    updated, closed, reinstated = new_events()
    assert types([updated, closed, reinstated]) == [
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
    assert [event["data"]["object"]["status"] for event in (updated, closed, reinstated)] == [
        "under_review",
        "won",
        "won",
    ]
    assert [entry["amount"] for entry in reinstated["data"]["object"]["balance_transactions"]] == [-5000, 5000]


def test_a_lost_dispute_reinstates_nothing(sandbox, session, new_events):
    sandbox.pay(session)
    dispute = sandbox.dispute(session, 3000)
    new_events()
    sandbox.close_dispute(dispute["id"], DisputeOutcome.LOST)
    [closed] = new_events()
    assert (closed["type"], closed["data"]["object"]["status"]) == ("charge.dispute.closed", "lost")


def test_less_may_be_reinstated_than_was_withdrawn(sandbox, session, new_events):
    sandbox.pay(session)
    dispute = sandbox.dispute(session)
    sandbox.close_dispute(dispute["id"], DisputeOutcome.WON, reinstated=4000)
    assert [entry["amount"] for entry in new_events()[-1]["data"]["object"]["balance_transactions"]] == [-5000, 4000]


def test_an_inquiry_moves_no_money_and_closes(sandbox, session, new_events):
    sandbox.pay(session)
    new_events()
    inquiry = sandbox.dispute(session, inquiry=True)
    assert sandbox.refund(session, 100)["status"] == "succeeded"
    sandbox.close_dispute(inquiry["id"], DisputeOutcome.WARNING_CLOSED)
    first, *_, last = new_events()
    assert (first["type"], first["data"]["object"]["status"]) == ("charge.dispute.created", "warning_needs_response")
    assert (last["type"], last["data"]["object"]["status"]) == ("charge.dispute.closed", "warning_closed")
    assert last["data"]["object"]["balance_transactions"] == []


def test_an_inquiry_may_become_a_dispute(sandbox, session, new_events):
    sandbox.pay(session)
    inquiry = sandbox.dispute(session, inquiry=True)
    new_events()
    sandbox.escalate(inquiry["id"])
    assert types(new_events()) == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]


def test_a_refunded_charge_may_be_disputed_for_all_of_it(sandbox, session, new_events):
    sandbox.pay(session)
    sandbox.refund(session, 1500)
    assert sandbox.dispute(session, 5000)["amount"] == 5000


def test_an_impossible_act_is_refused_and_sends_no_event(sandbox, session, new_events):
    for act in (
        lambda: sandbox.refund(session),
        lambda: sandbox.dispute(session),
        lambda: sandbox.settle(session),
        lambda: sandbox.pay("cs_test_unknown"),
        lambda: sandbox.finish_refund(session, True),
        lambda: sandbox.escalate(session),
        lambda: sandbox.close_dispute("dp_1", DisputeOutcome.WON),
        lambda: sandbox.set_delivery_faults(repeats=1000),
    ):
        with pytest.raises(StripeRefusal):
            act()
    sandbox.pay(session)
    new_events()
    for amount in (0, -1, 5001, 10**30):
        with pytest.raises(StripeRefusal):
            sandbox.refund(session, amount)
        with pytest.raises(StripeRefusal):
            sandbox.dispute(session, amount)
    dispute = sandbox.dispute(session)
    new_events()
    for act in (
        lambda: sandbox.dispute(session),
        lambda: sandbox.refund(session),
        lambda: sandbox.escalate(dispute["id"]),
        lambda: sandbox.close_dispute(dispute["id"], DisputeOutcome.WARNING_CLOSED),
        lambda: sandbox.close_dispute(dispute["id"], DisputeOutcome.WON, reinstated=5001),
    ):
        with pytest.raises(StripeRefusal):
            act()
    assert new_events() == []


def test_a_payment_is_found_by_any_of_its_ids(sandbox, session):
    paid = sandbox.pay(session)
    refund = sandbox.refund(paid["payment_intent"], 100)
    assert sandbox.refund(refund["charge"], 100)["payment_intent"] == paid["payment_intent"]


@pytest.mark.parametrize(
    ("minor", "currency", "fee"), [(5000, "USD", 175), (1000, "JPY", 59), (50_000, "KWD", 1750), (50, "USD", 31)]
)
def test_the_fee_is_some_percent_and_a_little_more(world, minor, currency, fee):
    session = world.sandbox.pay(world.gateway.open(gift(minor, currency)).session_id)
    charge = world.gateway.retrieve(world.gateway.retrieve(session["payment_intent"])["latest_charge"])
    booked = world.gateway.retrieve(charge["balance_transaction"])
    assert (booked["fee"], booked["net"]) == (fee, minor - fee)


def test_the_schema_can_be_created_by_several_processes_at_once(database_url):
    def make(_: int) -> None:
        with psycopg.connect(database_url) as connection:
            ensure_schema(connection)

    with ThreadPoolExecutor(6) as threads:
        assert len(list(threads.map(make, range(6)))) == 6
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM sandbox.habits").fetchone() == (1,)


def test_a_sandbox_refuses_a_live_key(world):
    with pytest.raises(ValueError, match="sk_test_"):
        Sandbox(world.pool.connection, "http://127.0.0.1:1", "http://127.0.0.1:1/", SECRET, "sk_live_1")


def test_every_event_is_accepted_by_the_library_and_the_verifier(world, session):
    world.sandbox.pay(session)
    world.arrive()
    for event in world.receiver.events:
        payload = json.loads(event.body)
        library_event = stripe.Event.construct_from(payload, None).to_dict()
        assert library_event["data"]["object"]["id"] == payload["data"]["object"]["id"]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["refund", "arrives", "fails", "dispute", "inquiry", "escalate", "won", "lost", "warning_closed"]
        ),
        st.integers(1, 5000),
    ),
    max_size=10,
)


@given(ACTS)
@examples(4)
def test_the_sandbox_balance_always_equals_its_objects(world, acts):
    sandbox = world.sandbox
    session = sandbox.pay(world.gateway.open(gift()).session_id)["id"]
    for name, amount in acts:
        [payment] = [row for row in sandbox.overview(100)["payments"] if row["session"]["id"] == session]
        refund = payment["refunds"][-1]["id"] if payment["refunds"] else "re_none"
        dispute = payment["disputes"][-1]["id"] if payment["disputes"] else "dp_none"
        with suppress(StripeRefusal):
            match name:
                case "refund":
                    sandbox.refund(session, amount, RefundOutcome.PENDING if amount % 2 else RefundOutcome.SUCCEEDED)
                case "arrives" | "fails":
                    sandbox.finish_refund(refund, name == "arrives")
                case "dispute" | "inquiry":
                    sandbox.dispute(session, amount, name == "inquiry")
                case "escalate":
                    sandbox.escalate(dispute)
                case outcome:
                    sandbox.close_dispute(dispute, DisputeOutcome(outcome))
    [payment] = [row for row in sandbox.overview(100)["payments"] if row["session"]["id"] == session]
    [charge] = payment["charges"]
    live = sum(refund["amount"] for refund in payment["refunds"] if refund["status"] in ("pending", "succeeded"))
    withdrawn_amount = -sum(
        entry["amount"] for dispute in payment["disputes"] for entry in dispute["balance_transactions"]
    )
    ids = {charge["id"], *(item["id"] for item in payment["refunds"] + payment["disputes"])}
    booked = [entry for entry in world.gateway.objects("txn", LONG_AGO) if entry["source"] in ids]
    assert charge["amount_refunded"] == live <= 5000
    assert sum(entry["amount"] for entry in booked) == 5000 - live - withdrawn_amount

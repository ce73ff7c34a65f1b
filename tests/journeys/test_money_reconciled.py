"""Reconciliation finds and applies undelivered events, and compares all amounts to the minor unit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.stripe_sandbox import DisputeOutcome, RefundOutcome
from adapters.stripe_sandbox.checkout import Outcome
from tests.client import WAIT_SECONDS, LiveService
from tests.commands import run_here
from tests.stripe_events import event

LONG_AGO = datetime.now(UTC) - timedelta(days=29)
Row = dict[str, Any]


def reconciled(live: LiveService) -> tuple[int, int, list[Row]]:
    outcome = live.service.payments.reconciler.reconcile(LONG_AGO)
    live.applied()
    return outcome.matched, outcome.repaired, outcome.unmatched


def eventful(live: LiveService) -> Any:
    """Make donations with all kinds of events, none of which is delivered."""
    assert live.service.payments.sandbox is not None
    sandbox = live.service.payments.sandbox
    sandbox.close()
    ticket = live.client().open_ticket()
    paid, refunded, failing, lost_dispute, won_dispute, late, unpaid = (
        ticket.pay(100)["checkoutSessionId"] for _ in range(7)
    )
    for session in (paid, refunded, failing, lost_dispute, won_dispute):
        sandbox.pay(session)
    sandbox.pay(late, Outcome.PAID_LATER)
    sandbox.refund(refunded, 3_000)
    sandbox.finish_refund(sandbox.refund(failing, 10_000, RefundOutcome.PENDING)["id"], False)
    sandbox.close_dispute(sandbox.dispute(lost_dispute)["id"], DisputeOutcome.LOST)
    sandbox.close_dispute(sandbox.dispute(won_dispute)["id"], DisputeOutcome.WON, 6_000)
    sandbox.expire(unpaid)
    return ticket


def test_reconciliation_finds_and_applies_undelivered_events_and_missing_fees(live: LiveService):
    ticket = eventful(live)
    assert ticket.get("/donations/total").json()["totalMinor"] == 0
    assert reconciled(live) == (0, 7, [])
    total = ticket.get("/donations/total").json()
    assert total["breakdown"] | {} == total["breakdown"] | {
        "paidMinor": 50_000,
        "refundedMinor": 3_000,
        "disputedMinor": 14_000,
        "netMinor": 33_000,
    }
    assert total["counts"] == {
        "created": 1,
        "paid": 4,
        "refunded": 0,
        "disputed": 1,
        "failed": 0,
        "expired": 1,
        "total": 7,
    }
    with live.service.database.connection() as connection:
        fees = connection.execute("SELECT count(*), sum(net + fee - gross) FROM read.fee_ledger").fetchone()
    # Those that no event named were retrieved: of five charges, a refund, a failed one and its return, two withdrawals
    # and a reinstatement.
    assert fees == (11, 0)
    assert reconciled(live) == (7, 0, [])


def test_reconciliation_reads_events_that_stripe_no_longer_lists_from_the_objects(live: LiveService):
    ticket = eventful(live)
    with live.service.database.connection() as connection:
        connection.execute("TRUNCATE sandbox.deliveries, sandbox.events")
    assert reconciled(live) == (0, 7, [])
    total = ticket.get("/donations/total").json()
    assert (total["totalMinor"], total["counts"]["expired"], total["counts"]["disputed"]) == (33_000, 1, 1)
    assert reconciled(live) == (7, 0, [])


def test_reconciliation_matches_a_held_event_by_asking_stripe_for_its_payment(live: LiveService):
    assert live.service.payments.sandbox is not None
    live.service.payments.sandbox.close()
    ticket = live.client().open_ticket()
    session = live.service.payments.sandbox.pay(ticket.pay(100)["checkoutSessionId"])
    intent = session["payment_intent"]
    refund = {"id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": "pending", "created": 5}
    live.webhook(event("refund.created", refund | {"payment_intent": intent}))
    with live.service.database.connection() as connection:
        connection.execute("TRUNCATE sandbox.deliveries, sandbox.events")
    reconciled(live)
    [donation] = ticket.get("/donations").json()["donations"]
    assert (donation["status"], donation["amountRefundedMinor"]) == ("PAID", 500)


def test_reconciliation_names_unmatched_objects_and_exits_with_1(live: LiveService, migrated_url: str):
    assert run(live, migrated_url) == (0, {"matched": 0, "repaired": 0, "unmatched": []})
    refund = {"id": "re_x", "object": "refund", "amount": 5, "currency": "usd", "status": "pending", "charge": "ch_x"}
    refund_event = event("refund.created", refund)
    live.webhook(refund_event)
    live.applied()
    status, answer = run(live, migrated_url)
    [unmatched] = answer["unmatched"]
    assert (status, unmatched["id"], unmatched["type"]) == (1, refund_event["id"], "refund.created")


def test_a_donation_with_more_than_stripe_captured_is_unmatched(live: LiveService):
    assert live.service.payments.sandbox is not None
    ticket = live.client().open_ticket()
    session = live.service.payments.sandbox.pay(ticket.pay(100)["checkoutSessionId"])
    assert live.service.payments.sandbox.wait_delivered(WAIT_SECONDS)
    phantom = {"id": "re_phantom", "object": "refund", "amount": 500, "currency": "usd", "status": "succeeded"}
    live.webhook(event("refund.created", phantom | {"payment_intent": session["payment_intent"]}))
    live.applied()
    matched, repaired, [unmatched] = reconciled(live)
    assert (matched, repaired, unmatched["reason"]) == (0, 0, "refunded: 5.00 USD here, 0.00 USD at Stripe")


def run(live: LiveService, url: str) -> tuple[int, Any]:
    process = run_here(
        "reconcile", "--json", database_url=url, data_dir=live.settings.data_dir, port=live.settings.port
    )
    return process.returncode, json.loads(process.stdout)


@pytest.mark.parametrize("arguments", [("--since", "yesterday"), ("--since",)])
def test_an_invalid_time_is_a_usage_error(arguments: tuple[str, ...]):
    assert run_here("reconcile", *arguments).returncode == 2

"""The examples of the specification, each in every order of its events."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from tests.money import Ledger
from tests.stripe_events import Payment

Events = list[dict[str, Any]]
MAX_ORDERS, SAMPLED_ORDERS = 24, 12


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def orders(count: int) -> list[tuple[int, ...]]:
    """Return all orders of so many events, or always the same few if there are more than MAX_ORDERS."""
    all_orders = list(permutations(range(count)))
    return all_orders if len(all_orders) <= MAX_ORDERS else Random(count).sample(all_orders, SAMPLED_ORDERS)


def outcomes_of(ledger: Ledger, events_of: Callable[[list[Payment]], Events], *amounts: tuple[int, str]) -> list[Any]:
    """Deliver and apply the events one at a time in every order, each on a new ticket; return tickets and payments."""
    outcomes, deliveries = [], []
    count = len(events_of([Payment(uuid4(), amount, currency) for amount, currency in amounts]))
    for order in orders(count):
        ticket = ledger.ticket()
        payments = [ledger.payment(ticket, amount, currency) for amount, currency in amounts]
        events = events_of(payments)
        deliveries.append([events[index] for index in order])
        outcomes.append((ticket, payments))
    ledger.take_in_turns(deliveries)
    return outcomes


def test_1_four_gifts_of_which_one_is_wholly_refunded(ledger):
    def events_of(p: list[Payment]) -> Events:
        return [*(payment.completed() for payment in p), p[1].refunded(10_000)]

    for ticket, payments in outcomes_of(
        ledger, events_of, (5_000, "usd"), (10_000, "usd"), (7_500, "usd"), (12_500, "usd")
    ):
        assert ledger.totals(ticket) == {"USD": (35_000, 10_000, 25_000)}
        assert [ledger.row(p)["status"] for p in payments] == ["PAID", "REFUNDED", "PAID", "PAID"]


def test_2_four_gifts_of_which_one_is_partly_refunded(ledger):
    def events_of(p: list[Payment]) -> Events:
        return [*(payment.completed() for payment in p), p[1].refunded(3_000), p[1].refund_total(3_000)]

    for ticket, payments in outcomes_of(
        ledger, events_of, (5_000, "usd"), (10_000, "usd"), (7_500, "usd"), (12_500, "usd")
    ):
        assert ledger.totals(ticket) == {"USD": (35_000, 3_000, 32_000)}
        assert ledger.row(payments[1])["status"] == "PAID"


def test_3_two_refunds_of_which_the_second_fails(ledger):
    def events_of(p: list[Payment]) -> Events:
        failed = p[0].refunded(7_000, "failed", 2, "refund.failed")
        return [p[0].completed(), p[0].refunded(3_000), p[0].refunded(7_000, "succeeded", 2), failed]

    for _, [payment] in outcomes_of(ledger, events_of, (10_000, "usd")):
        row = ledger.row(payment)
        assert (row["refunded"], row["status"]) == (3_000, "PAID")


def test_4_a_dispute_that_is_won_leaves_everything_as_it_was(ledger):
    def events_of(p: list[Payment]) -> Events:
        return [p[0].completed(), p[0].disputed(), p[0].withdrawn(), p[0].closed("won"), p[0].reinstated()]

    for _, [payment] in outcomes_of(ledger, events_of, (10_000, "usd")):
        row = ledger.row(payment)
        assert (row["net"], row["status"], row["dispute_status"]) == (10_000, "PAID", "won")


def test_4_a_dispute_that_is_lost_takes_the_money(ledger):
    def events_of(p: list[Payment]) -> Events:
        return [p[0].completed(), p[1].completed(), p[1].disputed(), p[1].withdrawn(), p[1].closed("lost")]

    for ticket, payments in outcomes_of(ledger, events_of, (5_000, "usd"), (10_000, "usd")):
        assert ledger.totals(ticket)["USD"] == (15_000, 0, 5_000)
        assert ledger.row(payments[1])["status"] == "DISPUTED"


def test_5_a_refund_and_then_a_lost_dispute_of_the_whole_make_a_debt(ledger):
    def events_of(p: list[Payment]) -> Events:
        return [p[0].completed(), p[0].refunded(3_000), p[0].withdrawn(), p[0].closed("lost")]

    for ticket, _ in outcomes_of(ledger, events_of, (10_000, "usd")):
        assert ledger.totals(ticket) == {"USD": (10_000, 3_000, -3_000)}


def test_6_a_paid_donation_neither_expires_nor_fails(ledger):
    def events_of(p: list[Payment]) -> Events:
        return [p[0].completed(), p[0].expired(), p[1].completed(), p[1].succeeded(), p[1].failed()]

    for _, payments in outcomes_of(ledger, events_of, (10_000, "usd"), (10_000, "usd")):
        assert [ledger.row(p)["status"] for p in payments] == ["PAID", "PAID"]


def test_7_two_currencies_have_two_totals(ledger):
    def events_of(p: list[Payment]) -> Events:
        return [p[0].completed(), p[1].completed()]

    for ticket, _ in outcomes_of(ledger, events_of, (1_000, "usd"), (1_000, "jpy")):
        assert ledger.totals(ticket) == {"USD": (1_000, 0, 1_000), "JPY": (1_000, 0, 1_000)}


def test_8_a_delayed_payment_waits_and_is_paid_in_the_end(ledger):
    for _, [payment] in outcomes_of(ledger, lambda p: [p[0].chosen_delayed()], (10_000, "usd")):
        assert (ledger.row(payment)["status"], ledger.row(payment)["pending"]) == ("CREATED", True)

    for _, [payment] in outcomes_of(ledger, lambda p: [p[0].chosen_delayed(), p[0].came_late()], (10_000, "usd")):
        assert (ledger.row(payment)["status"], ledger.row(payment)["pending"]) == ("PAID", False)

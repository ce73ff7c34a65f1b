"""A scenario has everything in it that Stripe does to a ledger."""

from __future__ import annotations

from adapters.stripe_sandbox.simulation import scenario


def test_every_scenario_has_all_kinds_of_other_business_and_of_metadata():
    for seed in range(10):
        assert all(scenario.build(seed).counts().values()), seed


def test_scenarios_have_disputes_whose_money_comes_back_at_another_rate_in_part_and_in_full():
    shares = set()
    for seed in range(10):
        for dispute in scenario.build(seed).objects.values():
            moved = dispute.get("balance_transactions", ())
            rates = [t["exchange_rate"] for t in moved if t["reporting_category"].startswith("dispute")]
            if len(set(rates)) == 2:
                # What came back, divided by what it would have been without a change of the rate.
                shares.add(round(moved[-1]["amount"] / rates[-1] / dispute["amount"], 1) >= 1)
    assert shares == {True, False}


def test_the_same_seed_with_another_name_gives_the_same_events_with_other_ids():
    first, second = scenario.build(7, 20), scenario.build(7, 20, "second")
    assert [event["type"] for event in first.events] == [event["type"] for event in second.events]
    assert first.objects.keys().isdisjoint(second.objects)

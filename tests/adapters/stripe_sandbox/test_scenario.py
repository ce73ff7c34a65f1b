"""A scenario has everything in it that Stripe does to a ledger."""

from __future__ import annotations

from adapters.stripe_sandbox.simulation import scenario


def test_every_scenario_has_all_kinds_of_other_business_and_of_metadata():
    for seed in range(10):
        assert all(scenario.build(seed).counts().values()), seed


def test_the_same_seed_with_another_name_gives_the_same_events_with_other_ids():
    first, second = scenario.build(7, 20), scenario.build(7, 20, "second")
    assert [event["type"] for event in first.events] == [event["type"] for event in second.events]
    assert first.objects.keys().isdisjoint(second.objects)

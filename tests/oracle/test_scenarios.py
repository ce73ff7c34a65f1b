"""The ledger of random scenarios, delivered shuffled and repeated, equals the oracle to the minor unit."""

from __future__ import annotations

import os
from random import Random

import pytest

from adapters.stripe_sandbox.simulation import scenario
from entrypoints.composition.simulation_runner import SimulationRunner

SCENARIOS = int(os.environ.get("SOAK_SCENARIOS", "200"))


def play(service, seed: int, donations: int, order: int) -> list[str]:
    """Play the scenario of a seed in a random order, and return the differences in the end."""
    runner = SimulationRunner(service, scenario.build(seed, donations, f"order {order}"))
    runner.play(Random(f"{seed} {order}"))
    return runner.differences()


# In the suite each seed is delivered in one order, in a soak run in three.
@pytest.mark.parametrize(
    ("seed", "order"),
    [
        pytest.param(seed, order, marks=() if order == seed - 1 else pytest.mark.soak)
        for seed in (1, 2, 3)
        for order in range(3)
    ],
)
def test_a_scenario_delivered_in_any_order_has_the_ledger_of_the_oracle(service, seed, order):
    assert play(service, seed, 25, order) == []


@pytest.mark.soak
def test_many_scenarios_delivered_in_any_order_have_the_ledger_of_the_oracle(service):
    for seed in range(SCENARIOS):
        for order in range(3):
            assert play(service, 1_000 + seed, 50, order) == [], f"seed {1_000 + seed}, order {order}"

"""Random worlds of donations, shuffled and repeated, equal the oracle to the minor unit."""

from __future__ import annotations

import os
from random import Random

import pytest

from adapters.stripe_sandbox.simulation import world
from entrypoints.composition.simulation_runner import SimulationRunner

WORLDS = int(os.environ.get("SOAK_WORLDS", "200"))


def play(service, seed: int, donations: int, order: int) -> list[str]:
    """Play the world of a seed in an order of its own, a part at a time; what differs in the end."""
    random = Random(f"{seed} {order}")
    runner = SimulationRunner(service, world.build(seed, donations, f"order {order}"))
    runner.open()
    for event in runner.world.deliveries(random):
        runner.deliver(event)
        if random.random() < 0.02:
            service.payments.applier.apply_batch(random.choice((1, 7, 200)))
    runner.settle()
    return runner.differences()


@pytest.mark.parametrize("order", range(3))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_simulated_world_has_the_ledger_of_the_oracle_in_every_order(service, seed, order):
    assert play(service, seed, 25, order) == []


@pytest.mark.soak
def test_many_simulated_worlds_have_the_ledger_of_the_oracle_in_every_order(service):
    for seed in range(WORLDS):
        for order in range(3):
            assert play(service, 1_000 + seed, 50, order) == [], f"seed {1_000 + seed}, order {order}"

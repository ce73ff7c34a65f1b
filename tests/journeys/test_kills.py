"""Whatever is killed whenever: what was acknowledged is there once, nothing is stuck, and all of it can be proved."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from tests.journeys.harness.killing import DATABASE, EVERYTHING, SERVICE, Killer
from tests.journeys.harness.load import Client, Moments
from tests.journeys.harness.reckoning import Reckoning
from tests.journeys.harness.standing import APART, PROJECTIONS, WEB, WHOLE, WORKER, Standing

logger = logging.getLogger(__name__)

# Within this each client comes to the end of what it was at.
LAST_SECONDS = 400


def play(
    folder: Path,
    seed: int,
    clients: int,
    transcriptions: int,
    kills: dict[str, int],
    parts: tuple[str, ...] = (WHOLE,),
) -> list[str]:
    """What is wrong after so many kills under load."""
    standing, moments = Standing(folder, parts), Moments()
    try:
        load = [Client(standing, moments, seed * 100 + number, transcriptions) for number in range(clients)]
        killer = Killer(standing, moments, seed, kills)
        for client in load:
            client.start()
        killer.work()
        for client in load:
            client.end()
        for client in load:
            client.join(LAST_SECONDS)
        assert [client.fault for client in load if client.fault or client.is_alive()] == []
        asked = sum((client.asked for client in load), Counter[str]())
        again = sum(client.again for client in load)
        promises = sum(asked.values())
        logger.info("kills %s, %d promises %s, asked again %d", dict(killer.done), promises, dict(asked), again)
        with Reckoning(standing, load) as reckoning:
            if any(name.endswith("at rebuild") for name in killer.done):
                # Whoever asked for one that was killed asks again, and it goes on.
                standing.run("rebuild-projections")
            reckoning.settled()
            faults = reckoning.faults()
            reckoning.recomputed()
        return faults
    finally:
        standing.stop()


def test_a_few_kills_of_each_part_and_of_all_at_once_lose_and_double_nothing(tmp_path: Path):
    kills = {WEB: 1, WORKER: 1, PROJECTIONS: 1, DATABASE: 1, EVERYTHING: 1}
    assert play(tmp_path, seed=7, clients=3, transcriptions=1, kills=kills, parts=APART) == []


@pytest.mark.soak
def test_thirty_kills_of_the_service_and_ten_of_its_database_lose_and_double_nothing(tmp_path: Path):
    assert play(tmp_path, seed=11, clients=6, transcriptions=3, kills={SERVICE: 30, DATABASE: 10}) == []


@pytest.mark.soak
def test_ten_kills_of_each_part_of_the_database_and_of_all_at_once_lose_and_double_nothing(tmp_path: Path):
    kills = dict.fromkeys((WEB, WORKER, PROJECTIONS, DATABASE, EVERYTHING), 10)
    assert play(tmp_path, seed=13, clients=6, transcriptions=3, kills=kills, parts=APART) == []

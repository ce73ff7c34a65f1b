"""After kills under load, every acknowledged act happened once, nothing is stuck, and all events are proved."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from tests.journeys.harness.kills import DATABASE, EVERYTHING, SERVICE, Killer
from tests.journeys.harness.load import Client, Moments
from tests.journeys.harness.promise_check import PromiseCheck
from tests.journeys.harness.running_service import APART, PROJECTIONS, WEB, WHOLE, WORKER, RunningService

logger = logging.getLogger(__name__)

# How long a client may take to finish its last act.
LAST_SECONDS = 400


def play(
    folder: Path,
    seed: int,
    clients: int,
    transcriptions: int,
    kills: dict[str, int],
    parts: tuple[str, ...] = (WHOLE,),
) -> list[str]:
    """Kill as often as `kills` says while the clients work, and return the faults found afterwards."""
    service, moments = RunningService(folder, parts), Moments()
    try:
        load = [Client(service, moments, seed * 100 + number, transcriptions) for number in range(clients)]
        killer = Killer(service, moments, seed, kills)
        for client in load:
            client.start()
        killer.work()
        for client in load:
            client.end()
        for client in load:
            client.join(LAST_SECONDS)
        assert [client.fault for client in load if client.fault or client.is_alive()] == []
        acts = sum((client.acts for client in load), Counter[str]())
        repetitions = sum(client.again for client in load)
        promises = sum(acts.values())
        logger.info("kills %s, %d promises %s, asked again %d", dict(killer.done), promises, dict(acts), repetitions)
        with PromiseCheck(service, load) as check:
            if any(name.endswith("at rebuild") for name in killer.done):
                # A killed rebuild continues when the command is run again.
                service.run("rebuild-projections")
            check.wait_until_settled()
            faults = check.faults()
            check.recompute()
        return faults
    finally:
        service.stop()


def test_kills_of_the_service_and_of_its_database_lose_and_duplicate_nothing(tmp_path: Path):
    assert play(tmp_path, seed=7, clients=2, transcriptions=0, kills={DATABASE: 1, EVERYTHING: 1}) == []


@pytest.mark.soak
def test_thirty_kills_of_the_service_and_ten_of_its_database_lose_and_duplicate_nothing(tmp_path: Path):
    assert play(tmp_path, seed=11, clients=6, transcriptions=3, kills={SERVICE: 30, DATABASE: 10}) == []


@pytest.mark.soak
def test_ten_kills_of_each_process_of_the_database_and_of_all_at_once_lose_and_duplicate_nothing(tmp_path: Path):
    kills = dict.fromkeys((WEB, WORKER, PROJECTIONS, DATABASE, EVERYTHING), 10)
    assert play(tmp_path, seed=13, clients=6, transcriptions=3, kills=kills, parts=APART) == []

"""Kills the service, its processes and its database under load, at random and at interesting moments."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from random import Random

from tests.journeys.harness.load import Moments
from tests.journeys.harness.running_service import RunningService

# Besides these, a victim may be any process of the service by its name.
SERVICE, DATABASE, EVERYTHING = "service", "database", "everything"


class Killer:
    """Kills each victim as often as `kills` says, in an order and at moments that the seed decides."""

    def __init__(self, service: RunningService, moments: Moments, seed: int, kills: dict[str, int]) -> None:
        self._service, self._moments, self._random = service, moments, Random(seed)
        self._plan = [victim for victim, count in kills.items() for _ in range(count)]
        self._random.shuffle(self._plan)
        self.done = Counter[str]()

    def work(self) -> None:
        instants = list(Moments.NAMES)
        self._random.shuffle(instants)
        for number, victim in enumerate(self._plan):
            # Each instant in turn, and in between any.
            name = instants[number // 2 % len(instants)] if number % 2 else "any"
            rebuilding = self._come_to(name)
            self._kill(victim)
            if rebuilding is not None:
                rebuilding.kill()
                rebuilding.wait()
            self.done[f"{victim} at {name}"] += 1

    def _kill(self, victim: str) -> None:
        match victim:
            case "service":
                self._service.kill(*self._service.parts)
            case "database":
                self._service.kill_database()
            case "everything":
                self._service.strike_database()
                self._service.kill(*self._service.parts)
            case part:
                self._service.kill(part)

    def _come_to(self, name: str) -> subprocess.Popen[bytes] | None:
        if name == "rebuild":
            rebuilding = self._service.command("rebuild-projections")
            time.sleep(self._random.uniform(0.5, 2.0))
            return rebuilding
        if name == "any":
            time.sleep(self._random.uniform(0.2, 2.5))
        else:
            self._moments.wait(name, 5)
            time.sleep(self._random.uniform(0.0, 2.0 if name == "process" else 0.05))
        return None

"""How the service is: the watchdog's word counts for every pool, and health has a pool of its own."""

from __future__ import annotations

import threading

from adapters.observability.gauges import Gauges
from adapters.observability.lag import HealthProbe
from adapters.observability.self_test import SelfTest
from adapters.postgres.watchdog import Watchdog
from entrypoints.composition.foundation import Foundation

HEALTH_CONNECTIONS = 1


class Health:
    """Built last: the watchdog guards the pools that there are. `gave_up` says that the database was away too long."""

    def __init__(self, ground: Foundation) -> None:
        # Requests may exhaust theirs.
        self.database = ground.pool("health", HEALTH_CONNECTIONS)
        self.health_probe = HealthProbe(self.database)
        self.gauges = Gauges(self.database)
        self.gave_up = threading.Event()
        self.watchdog = Watchdog(
            ground.url,
            list(ground.pools.values()),
            ground.registry,
            patience_seconds=ground.settings.db_outage_exit_seconds,
            give_up=self.gave_up.set,
        )
        self.self_test = SelfTest(ground.url, ground.secrets.master, registry=ground.registry)

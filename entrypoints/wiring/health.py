"""How the service is: the watchdog's word counts for every pool, and health has a pool of its own."""

from __future__ import annotations

import threading

from adapters.observation.gauges import Gauges
from adapters.self_test import SelfTest
from adapters.standing import Lookout
from adapters.watchdog import Watchdog
from entrypoints.wiring.ground import Ground

HEALTH_CONNECTIONS = 1


class Health:
    """Built last: the watchdog guards the pools that there are. `gave_up` says that the database was away too long."""

    def __init__(self, ground: Ground) -> None:
        # Requests may exhaust theirs.
        self.database = ground.pool("health", HEALTH_CONNECTIONS)
        self.lookout = Lookout(self.database)
        self.gauges = Gauges(self.database)
        self.gave_up = threading.Event()
        self.watchdog = Watchdog(
            ground.url,
            list(ground.pools.values()),
            ground.opened,
            patience_seconds=ground.settings.db_outage_exit_seconds,
            give_up=self.gave_up.set,
        )
        self.self_test = SelfTest(ground.url, ground.secrets.master, opened=ground.opened)

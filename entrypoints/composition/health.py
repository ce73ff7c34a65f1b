"""Watchdog, health probe, gauges and self-test."""

import threading

from adapters.health.lag import HealthProbe
from adapters.health.self_test import SelfTest
from adapters.observability.gauges import Gauges
from adapters.postgres.watchdog import Watchdog
from entrypoints.composition.foundation import Foundation

HEALTH_CONNECTIONS = 1


class Health:
    """Built last, because the watchdog guards all existing pools. `gave_up` is set after too long an outage."""

    def __init__(self, foundation: Foundation) -> None:
        # A pool of its own, because requests may exhaust theirs.
        self.database = foundation.pool("health", HEALTH_CONNECTIONS)
        self.health_probe = HealthProbe(self.database)
        self.gauges = Gauges(self.database, foundation.settings.epoch_hours)
        self.gave_up = threading.Event()
        self.watchdog = Watchdog(
            foundation.url,
            list(foundation.pools.values()),
            foundation.registry,
            patience_seconds=foundation.settings.db_outage_exit_seconds,
            give_up=self.gave_up.set,
        )
        self.self_test = SelfTest(foundation.url, foundation.secrets.master, registry=foundation.registry)

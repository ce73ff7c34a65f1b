"""RebuildJobs in the background, for who asks over HTTP and does not wait."""

from __future__ import annotations

import threading
import time

import structlog

from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry
from adapters.read_models import rebuild
from adapters.read_models.partitions import PartitionWorkerEnded
from projections.model import Projection

# How soon a rebuild that was cut off tries to go on, at first and at most.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

logger = structlog.get_logger()


class RebuildJobs:
    """One rebuild of each projection at a time.

    One that loses its database goes on by itself once that is back; one whose process ends, when it is asked for again.
    """

    def __init__(self, url: str, registry: ConnectionRegistry | None = None) -> None:
        self._url = url
        self._registry = registry
        self._lock = threading.Lock()
        self._running: set[str] = set()

    def begin(self, projection: Projection) -> bool:
        """Start to rebuild; False if that is under way here already."""
        with self._lock:
            if projection.NAME in self._running:
                return False
            self._running.add(projection.NAME)
        threading.Thread(target=self._run, args=(projection,), name=f"rebuild-{projection.NAME}", daemon=True).start()
        return True

    def running(self, name: str) -> bool:
        with self._lock:
            return name in self._running

    def _run(self, projection: Projection) -> None:
        try:
            done = self._rebuilt(projection)
            logger.info("rebuilt", projection=done.name, events=done.events, seconds=round(done.seconds, 3))
        except Exception as error:
            logger.error("rebuild failed", projection=projection.NAME, error=type(error).__name__)
        finally:
            with self._lock:
                self._running.discard(projection.NAME)

    def _rebuilt(self, projection: Projection) -> rebuild.Rebuilt:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return rebuild.rebuild(self._url, projection, lambda *_: None, self._registry)
            except (*CONNECTION_ERRORS, PartitionWorkerEnded) as error:
                logger.warning("rebuild waits", projection=projection.NAME, error=type(error).__name__)
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

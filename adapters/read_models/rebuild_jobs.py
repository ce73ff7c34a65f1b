"""Rebuilds that are requested over HTTP and run in the background."""

import threading

import structlog

from adapters.postgres.background import PAUSE_SECONDS, BackgroundLoop
from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry
from adapters.read_models import rebuild
from adapters.read_models.builds import BuildReplaced
from adapters.worker_process import WorkerEnded
from projections.model import Projection

logger = structlog.get_logger()


class RebuildJobs:
    """Rebuilds the requested projections one after the other.

    A rebuild that loses its database connection continues where it stopped, once the database is available again. A
    rebuild that the end of the process interrupted continues when it is requested again.
    """

    def __init__(self, url: str, registry: ConnectionRegistry | None = None) -> None:
        self._url = url
        self._registry = registry
        self._lock = threading.Lock()
        self._requested: dict[str, Projection] = {}
        self._loop: BackgroundLoop | None = None

    def request(self, projection: Projection) -> bool:
        """Request a rebuild. Return False if one is requested already and not complete."""
        with self._lock:
            if projection.NAME in self._requested:
                return False
            self._requested[projection.NAME] = projection
            if self._loop is None:
                self._loop = BackgroundLoop("rebuilds", self._rebuild_next)
                self._loop.start()
        self._loop.wake()
        return True

    def is_requested(self, name: str) -> bool:
        """Return True if a rebuild of the projection is requested and not complete."""
        with self._lock:
            return name in self._requested

    def _rebuild_next(self) -> float:
        """Rebuild the projection that was requested first. Return the seconds until the next call."""
        with self._lock:
            projection = next(iter(self._requested.values()), None)
        if projection is None:
            return PAUSE_SECONDS
        try:
            report = rebuild.rebuild(self._url, projection, lambda *_: None, self._registry)
            logger.info(
                "projection rebuilt", projection=report.name, events=report.events, seconds=round(report.seconds, 3)
            )
        except (*CONNECTION_ERRORS, WorkerEnded) as error:
            logger.warning("rebuild interrupted", projection=projection.NAME, error=type(error).__name__)
            return PAUSE_SECONDS
        except BuildReplaced:
            # Another process has rebuilt the projection meanwhile, which is what was requested.
            logger.info("rebuild replaced", projection=projection.NAME)
        except Exception as error:
            logger.error("rebuild failed", projection=projection.NAME, error=type(error).__name__)
        with self._lock:
            del self._requested[projection.NAME]
        return 0.0

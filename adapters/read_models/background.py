"""Rebuilds in the background, for who asks over HTTP and does not wait."""

from __future__ import annotations

import threading

import structlog

from adapters.database import Opened
from adapters.read_models import rebuild
from projections.model import Projection

logger = structlog.get_logger()


class Rebuilds:
    """One rebuild of each projection at a time; one that is cut off goes on when it is asked for again."""

    def __init__(self, url: str, opened: Opened | None = None) -> None:
        self._url = url
        self._opened = opened
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
            done = rebuild.rebuild(self._url, projection, lambda *_: None, self._opened)
            logger.info("rebuilt", projection=done.name, events=done.events, seconds=round(done.seconds, 3))
        except Exception as error:
            logger.error("rebuild failed", projection=projection.NAME, error=type(error).__name__)
        finally:
            with self._lock:
                self._running.discard(projection.NAME)

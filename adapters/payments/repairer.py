"""The repairer looks for questions to Stripe that nobody answered, and asks them again."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from adapters.database import AWAY, Database
from domain.errors import DomainError, UnavailableError
from domain.refunding import Repairs
from projections import donation_ledger

# Longer than a request of ours waits for Stripe, so that what is only slow is left alone.
PATIENCE_SECONDS = 90.0
POLL_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 3600.0
MOST_AT_ONCE = 500

logger = structlog.get_logger()


class Repairer:
    """Repairs by hand, or in a thread of its own between `start` and `stop`; any number may, to the same effect."""

    def __init__(self, database: Database, repairs: Repairs, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._database = database
        self._repairs = repairs
        self._patience = timedelta(seconds=patience_seconds)
        self._again: dict[UUID, tuple[float, float]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="repairer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.repair_all()
            except (UnavailableError, *AWAY):
                continue
            except Exception as error:
                logger.error("repairer failed", error=type(error).__name__)

    def repair_all(self) -> int:
        """Take up every donation that waits for an answer; how many were."""
        with self._database.transaction() as cursor:
            rows = donation_ledger.awaiting(cursor, datetime.now(UTC) - self._patience, MOST_AT_ONCE)
        self._again = {row["donation"]: self._again.get(row["donation"], (0.0, 1.0)) for row in rows}
        taken = 0
        for row in rows:
            due, pause = self._again[row["donation"]]
            if due > time.monotonic() or self._stopping.is_set():
                continue
            self._again[row["donation"]] = (time.monotonic() + pause, min(LONGEST_PAUSE_SECONDS, pause * 2))
            taken += 1
            try:
                self._repairs.repair(row["ticket"], row["donation"], row["awaits_since"])
                logger.info("repaired", donation=str(row["donation"]))
            except DomainError as error:
                logger.info("not repaired yet", donation=str(row["donation"]), error=type(error).__name__)
        return taken

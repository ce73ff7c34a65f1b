"""The repairer looks for questions to Stripe that nobody answered, and asks them again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import Database
from domain.errors import DomainError
from domain.refunds import PendingCalls
from projections import donation_ledger

# Longer than a request of ours waits for Stripe, so that what is only slow is left alone.
PATIENCE_SECONDS = 90.0
POLL_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 3600.0
MOST_AT_ONCE = 500

logger = structlog.get_logger()


class PendingCallRetrier(BackgroundLoop):
    """Repairs by hand, or in a thread of its own between `start` and `stop`; any number may, to the same effect."""

    def __init__(self, database: Database, repairs: PendingCalls, patience_seconds: float = PATIENCE_SECONDS) -> None:
        super().__init__("repairer", self._repair_due, first=POLL_SECONDS)
        self._database = database
        self._repairs = repairs
        self._patience = timedelta(seconds=patience_seconds)
        self._again: dict[UUID, tuple[float, float]] = {}

    def _repair_due(self) -> float:
        self.repair_all()
        return POLL_SECONDS

    def repair_all(self) -> int:
        """Take up every donation that waits for an answer; how many were."""
        with self._database.transaction() as cursor:
            rows = donation_ledger.awaiting(cursor, datetime.now(UTC) - self._patience, MOST_AT_ONCE)
        self._again = {row["donation_id"]: self._again.get(row["donation_id"], (0.0, 1.0)) for row in rows}
        taken = 0
        for row in rows:
            due, pause = self._again[row["donation_id"]]
            if due > time.monotonic() or self.stopping:
                continue
            self._again[row["donation_id"]] = (time.monotonic() + pause, min(LONGEST_PAUSE_SECONDS, pause * 2))
            taken += 1
            try:
                self._repairs.repair(row["ticket_id"], row["donation_id"], row["call_pending_since"])
                logger.info("repaired", donation=str(row["donation_id"]))
            except DomainError as error:
                logger.info("not repaired yet", donation=str(row["donation_id"]), error=type(error).__name__)
        return taken

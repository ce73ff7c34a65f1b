"""Retries calls to Stripe whose results are not recorded."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import Database
from domain.commands.pending_calls import PendingCallCommands
from domain.errors import DomainError
from projections import donation_ledger

# How long a call stays pending before it is retried: longer than a request waits for Stripe.
RETRY_AFTER_SECONDS = 90.0
POLL_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 3600.0
MAX_PER_PASS = 500

logger = structlog.get_logger()


class PendingCallRetrier(BackgroundLoop):
    """Retries calls, when called or in its own thread between `start` and `stop`, in any number of processes."""

    def __init__(
        self, database: Database, pending_calls: PendingCallCommands, retry_after_seconds: float = RETRY_AFTER_SECONDS
    ) -> None:
        super().__init__("pending call retrier", self._retry_due, first=POLL_SECONDS)
        self._database = database
        self._pending_calls = pending_calls
        self._retry_after = timedelta(seconds=retry_after_seconds)
        # For each donation the monotonic time of its next retry, and the pause after that.
        self._schedule: dict[UUID, tuple[float, float]] = {}

    def _retry_due(self) -> float:
        self.retry_all()
        return POLL_SECONDS

    def retry_all(self) -> int:
        """Retry the pending calls of each donation whose pause is over; return the number of these donations."""
        with self._database.transaction() as cursor:
            rows = donation_ledger.with_pending_calls(cursor, datetime.now(UTC) - self._retry_after, MAX_PER_PASS)
        self._schedule = {row["donation_id"]: self._schedule.get(row["donation_id"], (0.0, 1.0)) for row in rows}
        count = 0
        for row in rows:
            donation_id = row["donation_id"]
            due, pause = self._schedule[donation_id]
            if due > time.monotonic() or self.stopping:
                continue
            self._schedule[donation_id] = (time.monotonic() + pause, min(LONGEST_PAUSE_SECONDS, pause * 2))
            count += 1
            try:
                self._pending_calls.complete(
                    row["ticket_id"], donation_id, pending_since=row["call_pending_since"], now=datetime.now(UTC)
                )
                logger.info("pending call completed", donation=str(donation_id))
            except DomainError as error:
                logger.info("pending call failed again", donation=str(donation_id), error=type(error).__name__)
        return count

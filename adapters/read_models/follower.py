"""The follower folds new events into the live builds; each event is folded once, however many followers run."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.observability import tracing
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import ConnectionRegistry, connect, uses_pgbouncer, wait_for_notifications
from adapters.read_models import builds, event_batches
from projections.model import Projection, RecordedEvent

BATCH_EVENTS = 2_000
# A notification can be lost with its connection, so the log is polled as well.
POLL_SECONDS = 2.0
# Through PgBouncer there are no notifications: events of other processes are seen by the next poll.
PGBOUNCER_POLL_SECONDS = 0.04
# After a batch the follower waits this long, so that more events share the next transaction. A caller of this process
# that waits for a position ends the wait. A caller of another process cannot end it, so it is short after few events.
GATHER_SECONDS, SHORT_GATHER_SECONDS = 0.1, 0.005
FEW_EVENTS = 20
# How long a failed projection is left out: the first time, and at most.
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0

logger = structlog.get_logger()


@dataclass
class _Failures:
    """A projection's failures since its last success. It is left out until `retry_at`, so that it delays no other."""

    count: int = 0
    retry_at: float = 0.0


class Follower(BackgroundLoop):
    """Follows the event log between `start` and `stop`. Any number of followers may run on any number of machines."""

    def __init__(self, url: str, projections: Sequence[Projection], registry: ConnectionRegistry | None = None) -> None:
        super().__init__("follower", self._follow)
        self._url = url
        self._registry = registry
        self._poll_seconds = PGBOUNCER_POLL_SECONDS if uses_pgbouncer(url) else POLL_SECONDS
        self._projections = projections
        self._connection: Connection[TupleRow] | None = None
        self._listener = BackgroundLoop("follower-listener", self._listen)
        self._listening = ConnectionRegistry()
        self._position_is_awaited = threading.Event()
        self._failures = {projection.NAME: _Failures() for projection in projections}
        self._progress = threading.Condition()
        # The position of each projection, and the lowest of them.
        self._positions = dict.fromkeys(self._failures, 0)
        self._position = 0
        # How many events the last batch had.
        self._folded = 0

    def start(self) -> None:
        super().start()
        if not uses_pgbouncer(self._url):
            self._listener.start()

    def stop(self, seconds: float = 5.0) -> None:
        self._position_is_awaited.set()
        self._listener.request_stop()
        self._listening.disconnect_all()
        super().stop(seconds)
        self._listener.stop(seconds)
        self._disconnect()

    def wait_for(self, position: int, seconds: float) -> bool:
        """Wait at most this long. Return True if this follower has folded all events up to `position`.

        A waiting caller makes the follower fold at once, instead of waiting for more events.
        """
        self._position_is_awaited.set()
        with self._progress:
            return self._progress.wait_for(lambda: self._position >= position, seconds)

    def _follow(self) -> float:
        try:
            if self._connection is None:
                self._connection = connect(self._url, name="storyledger follower", registry=self._registry)
            if not self.fold_next_batch(self._connection):
                return self._poll_seconds
        except psycopg.Error:
            self._disconnect()
            raise
        self._position_is_awaited.wait(SHORT_GATHER_SECONDS if self._folded <= FEW_EVENTS else GATHER_SECONDS)
        self._position_is_awaited.clear()
        return 0.0

    def _listen(self) -> float:
        with connect(self._url, name="storyledger wake-up", registry=self._registry) as connection:
            # Registered before the first look at `stopping`, so that a stop ends the wait for notifications.
            self._listening.add(connection)
            connection.execute("LISTEN events")
            self.wake()
            while not self._listener.stopping:
                wait_for_notifications(connection)
                self.wake()
        return 0.0

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def fold_next_batch(self, connection: Connection[TupleRow]) -> bool:
        """Fold the next batch into every live build. Return False if no event was folded."""
        now = time.monotonic()
        ready = [projection for projection in self._projections if self._failures[projection.NAME].retry_at <= now]
        try:
            return self._fold(connection, ready)
        except Exception:
            if connection.closed:
                raise
            if len(ready) == 1:
                self._leave_out(ready[0])
                return False
        # One projection failed and rolled back all of them, so each is folded in a transaction of its own.
        folded = [self._fold_alone(connection, projection) for projection in ready]
        return any(folded)

    def _fold_alone(self, connection: Connection[TupleRow], projection: Projection) -> bool:
        try:
            return self._fold(connection, [projection])
        except Exception:
            if connection.closed:
                raise
            self._leave_out(projection)
            return False

    def _leave_out(self, projection: Projection) -> None:
        """Leave a failed projection out for a time that doubles with every failure."""
        failures = self._failures[projection.NAME]
        failures.count += 1
        pause = FIRST_PAUSE_SECONDS * 2 ** min(failures.count - 1, 10)
        failures.retry_at = time.monotonic() + min(MAX_PAUSE_SECONDS, pause)
        logger.exception("projection failed", projection=projection.NAME, failures=failures.count)

    def _fold(self, connection: Connection[TupleRow], projections: Sequence[Projection]) -> bool:
        """Fold the next batch into each build; builds at the same position share it. Return False if it is empty."""
        new_positions: dict[builds.Build, int] = {}
        batches: dict[int, list[RecordedEvent]] = {}
        started_ns = tracing.now_ns()
        with connection.transaction(), connection.cursor() as cursor:
            positions = builds.lock_live_positions(cursor, projections)
            for position in set(positions.values()):
                batches[position] = batch = event_batches.after(connection, position, BATCH_EVENTS)
                if batch:
                    behind = [build for build, reached in positions.items() if reached == position]
                    builds.fold(cursor, behind, batch)
                    new_positions |= dict.fromkeys(behind, batch[-1].position)
            if new_positions:
                builds.save_positions(cursor, new_positions)
        if new_positions and tracing.is_enabled():
            _trace(started_ns, batches)
        for projection in projections:
            self._failures[projection.NAME].count = 0
        self._folded = sum(map(len, batches.values()))
        self._publish({build.projection.NAME: position for build, position in (positions | new_positions).items()})
        return self._folded > 0

    def _publish(self, positions: dict[str, int]) -> None:
        """Report the position that all projections have reached, as far as this follower knows, to `wait_for`."""
        with self._progress:
            self._positions |= positions
            self._position = min(self._positions.values())
            self._progress.notify_all()


def _trace(started_ns: int, batches: dict[int, list[RecordedEvent]]) -> None:
    """Record a span for each batch, linked to the spans that recorded its events in this process."""
    for batch in batches.values():
        if batch:
            positions = [recorded.position for recorded in batch]
            tracing.record_span(
                "projection batch", started_ns, links=positions, events=len(batch), position=positions[-1]
            )

"""The read replica: a streaming standby that serves reads while it has everything that was committed before them.

The positions of the primary and of the standby in the write-ahead log are compared once for all reads that wait at the
same time (`pg_current_wal_flush_lsn`, `pg_last_wal_replay_lsn`: PostgreSQL's manual, "System Administration
Functions"). Every transaction that was committed and flushed before a read arrived lies below the primary's position,
so a standby that has replayed the log up to it contains all of them.
"""

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.event_store.log import EventLog
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import Database, ShortTimeoutConnection, fault_category
from domain.errors import UnavailableError

POOL_SIZE = 24
CHECK_SECONDS = 0.25
# A standby that hangs counts as unavailable after one unanswered query or connection attempt.
ANSWER_SECONDS = 1
# How long a read waits for the standby to catch up with the primary before it goes to the primary.
MAX_WAIT_SECONDS = 0.05
POLL_SECONDS, MAX_POLL_SECONDS = 0.001, 0.01
IDENTITY_CHECK_SECONDS = 5.0
# How many past positions of the primary are kept, to measure the standby's lag in seconds.
MAX_POSITIONS = 1_000

NOT_A_STANDBY = "the server is not a standby"
OTHER_DATABASE = "the server follows another database"

logger = structlog.get_logger()


class State(StrEnum):
    """Whether reads may use the standby, and if not, why."""

    USED = "used"
    BEHIND = "behind"  # lags too far behind the primary, or cannot be compared with it
    AWAY = "away"  # unavailable
    UNFIT = "unfit"  # not a standby of this database


@dataclass(frozen=True)
class ReplicaHealth:
    """The standby's state. The lag is None while it is unknown; `error` is the reason why the standby is not used."""

    state: State
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    error: str | None = None


class _Unfit(Exception):
    """The server behind the replica's URL must not be read."""


class _ServerConnection:
    """A connection for queries about a server's state, which is opened on demand and closed after any error."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection[TupleRow] | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def query(self, statement: str, *values: Any) -> Any:
        """Return the statement's first row, or None."""
        try:
            if self._connection is None:
                self._connection = ShortTimeoutConnection.to(
                    self._url, name="storyledger replica", answer_seconds=ANSWER_SECONDS
                )
            return self._connection.execute(statement.encode(), values or None).fetchone()
        except psycopg.Error:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


# The identity of a database is the same on its physical copies, and different on every other database.
_IDENTITY = (
    "SELECT (pg_control_system()).system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# A synchronous commit is neither acknowledged nor visible to other transactions before it is flushed. Only builds that
# are not live are filled by asynchronous commits, and no reader sees those.
_FLUSHED = "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint"
_REPLAYED = "SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0')::bigint"
_LAST_EVENT = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1"
_EVENT_HASH = "SELECT hash FROM events WHERE position = %s"


class _WaitingRead:
    """A read that waits to learn whether the standby has everything that was committed before it."""

    def __init__(self) -> None:
        self._answered = threading.Event()
        self._caught_up = False

    def answer(self, caught_up: bool) -> None:
        self._caught_up = caught_up
        self._answered.set()

    def wait(self) -> bool:
        return self._answered.wait(MAX_WAIT_SECONDS) and self._caught_up


class Replica(BackgroundLoop):
    """Checks one standby between `start` and `stop` and keeps the last result in `health`.

    When the standby fails, reads go to the primary. Those that already run on the standby are disconnected within two
    seconds and then go to the primary, too. A standby that is available again is used again. A server that
    follows another database or was promoted is never read.
    """

    def __init__(self, url: str, primary_url: str) -> None:
        super().__init__("replica", self._check)
        self.database = Database(url, size=POOL_SIZE, name="storyledger reads")
        self.log = EventLog(self.database)
        self.health = ReplicaHealth(State.AWAY)
        self._standby, self._primary = _ServerConnection(url), _ServerConnection(primary_url)
        self._lock = threading.Lock()
        self._waiting: list[_WaitingRead] = []
        # The times at which the primary reached the positions that the standby still lacks, oldest first.
        self._positions: deque[tuple[float, int]] = deque()
        self._identity_check_due = 0.0
        self._pool_open = False

    def stop(self, seconds: float = 1.0) -> None:
        super().stop(seconds)
        self._standby.close()
        self._primary.close()
        self.database.close()

    def check_once(self) -> ReplicaHealth:
        """Return the standby's state now, without the loop."""
        self._catches_up()
        return self.health

    def is_caught_up(self) -> bool:
        """Return True if, within MAX_WAIT_SECONDS, the standby has everything that was committed before this call."""
        if self.health.state is not State.USED or self.stopping:
            return False
        read = _WaitingRead()
        with self._lock:
            self._waiting.append(read)
        self.wake()
        return read.wait()

    def report_failure(self, error: Exception) -> None:
        """Stop using the standby until the next check, because a read failed there.

        A read that was cancelled because it conflicted with the primary's changes does not count as a failure.
        """
        if isinstance(error, UnavailableError) and not isinstance(error.__cause__, psycopg.errors.SerializationFailure):
            self.health = ReplicaHealth(State.AWAY, error="not reachable")
            self.wake()

    # The following methods run in the loop's thread.

    def _check(self) -> float:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        caught_up = False
        try:
            caught_up = self._catches_up()
        finally:
            for read in waiting:
                read.answer(caught_up)
        return CHECK_SECONDS

    def _catches_up(self) -> bool:
        """Set the state. Return True if the standby reaches the primary's present position in time."""
        try:
            position = self._primary_position()
        except psycopg.Error:
            # The watchdog handles an outage of the primary; until it answers, the standby cannot be compared with it.
            return self._set_state(State.BEHIND, error="the primary does not answer")
        try:
            self._check_identity()
            lag_bytes = self._wait_until_replayed(position)
        except _Unfit as unfit:
            return self._set_state(State.UNFIT, error=str(unfit))
        except psycopg.Error as error:
            return self._set_state(State.AWAY, error=fault_category(error))
        return self._set_state(State.BEHIND if lag_bytes else State.USED, lag_bytes)

    def _primary_position(self) -> int:
        """Return the primary's position. A new connection may lead to another server, so older results are dropped."""
        if not self._primary.is_open:
            self._identity_check_due = 0.0
            self._positions.clear()
        (position,) = self._primary.query(_FLUSHED)
        if not self._positions or self._positions[-1][1] < position:
            self._positions.append((time.monotonic(), position))
        if len(self._positions) > MAX_POSITIONS:
            # Half of the positions are enough to measure the lag.
            self._positions = deque(list(self._positions)[::2])
        return int(position)

    def _wait_until_replayed(self, position: int) -> int:
        """Wait up to MAX_WAIT_SECONDS. Return the number of bytes of the log that the standby has not replayed."""
        deadline, pause = time.monotonic() + MAX_WAIT_SECONDS, POLL_SECONDS
        while True:
            in_recovery, replayed = self._standby.query(_REPLAYED)
            if not in_recovery:
                raise _Unfit(NOT_A_STANDBY)
            while self._positions and self._positions[0][1] <= (replayed or 0):
                self._positions.popleft()
            lag_bytes = max(0, position - (replayed or 0))
            if not lag_bytes or time.monotonic() > deadline:
                return lag_bytes
            self.pause(pause)
            pause = min(2 * pause, MAX_POLL_SECONDS)

    def _check_identity(self) -> None:
        """Raise _Unfit unless the standby is a copy of the primary and its event log is a prefix of the primary's."""
        if self._standby.is_open and time.monotonic() < self._identity_check_due:
            return
        if self._standby.query(_IDENTITY) != self._primary.query(_IDENTITY):
            raise _Unfit(OTHER_DATABASE)
        last_event = self._standby.query(_LAST_EVENT)
        if last_event is not None and self._primary.query(_EVENT_HASH, last_event[0]) != last_event[1:]:
            raise _Unfit(OTHER_DATABASE)
        self._identity_check_due = time.monotonic() + IDENTITY_CHECK_SECONDS

    def _set_state(self, state: State, lag_bytes: int | None = None, error: str | None = None) -> bool:
        """Set the state and open or shut the pool accordingly. Return True if reads may use the standby."""
        previous_state = self.health.state
        lag_seconds = None
        if lag_bytes is not None:
            lag_seconds = time.monotonic() - self._positions[0][0] if self._positions and lag_bytes else 0.0
        if state is State.USED and not self._pool_open:
            self._pool_open = True
            self.database.reopen()
        # Set after the pool is open and before it is shut, so that no read finds it shut.
        self.health = ReplicaHealth(state, lag_bytes, lag_seconds, error)
        if state in (State.AWAY, State.UNFIT):
            self._standby.close()
            if self._pool_open:
                self._pool_open = False
                self.database.shut()
        if state is not previous_state:
            log = logger.info if state is State.USED else logger.warning
            log("replica", state=state, error=error)
        return state is State.USED


def metrics(replica: Replica | None) -> list[Metric]:
    """Return the standby's state as Prometheus metrics; without a standby they have no samples."""
    used = GaugeMetricFamily("storyledger_replica_used", "1 if the read replica is in use, else 0.")
    lag_bytes = GaugeMetricFamily(
        "storyledger_replica_lag_bytes", "Bytes of the write-ahead log that the read replica has not replayed."
    )
    lag_seconds = GaugeMetricFamily(
        "storyledger_replica_lag_seconds", "Age in seconds of the oldest write that the read replica has not replayed."
    )
    if replica is not None:
        health = replica.health
        used.add_metric([], int(health.state is State.USED))
        if health.lag_bytes is not None:
            lag_bytes.add_metric([], health.lag_bytes)
        if health.lag_seconds is not None:
            lag_seconds.add_metric([], health.lag_seconds)
    return [used, lag_bytes, lag_seconds]

"""A streaming standby that takes over reads: only while it knows all that was answered before them.

How far the primary is, and whether the standby is there too, is asked once for all reads that wait at the same time
(`pg_current_wal_flush_lsn`, `pg_last_wal_replay_lsn`: PostgreSQL's manual, "System Administration Functions"). What was
committed before a read came lies below that point, whoever wrote it, in whatever process; so a read on the standby
shows everything that a read on the primary would be sure to show.
"""

from __future__ import annotations

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
from adapters.postgres.database import STATEMENT_SECONDS, Database, conninfo, fault_category, settings
from domain.errors import UnavailableError

POOL_SIZE = 24
LOOK_SECONDS = 0.25
# A standby that hangs takes one unanswered question, or one unanswered connection, until it counts as away.
ANSWER_SECONDS = 1
# So long the standby may take to come as far as the primary was when a read came; then the primary is asked at once.
PATIENCE_SECONDS = 0.05
POLL_SECONDS, LONGEST_POLL_SECONDS = 0.001, 0.01
FITNESS_SECONDS = 5.0
# Points of the primary that are remembered to tell how long the standby lacks the first of them.
MOST_POINTS = 1_000

NOT_A_STANDBY = "it is no standby"
NOT_OURS = "it follows another database"

logger = structlog.get_logger()


class State(StrEnum):
    """How the standby is: in use, too far behind, not to be had, or none of this database's."""

    USED = "used"
    BEHIND = "behind"
    AWAY = "away"
    UNFIT = "unfit"


@dataclass(frozen=True)
class ReplicaHealth:
    """How the standby is; `lag` is None while nobody knows, `error` says in a few words what is the matter."""

    state: State
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    error: str | None = None


class _Unfit(Exception):
    """What answers there must not be read."""


class _Impatient(Connection[TupleRow]):
    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, ANSWER_SECONDS if timeout is None else timeout)


class _Line:
    """A connection for questions about a server itself; opened when it is needed, let go after any fault."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection[TupleRow] | None = None

    @property
    def opened(self) -> bool:
        return self._connection is not None

    def ask(self, question: str, *values: Any) -> Any:
        try:
            if self._connection is None:
                self._connection = _Impatient.connect(
                    conninfo(self._url),
                    autocommit=True,
                    **settings(self._url, STATEMENT_SECONDS, "storyledger replica", connect_seconds=ANSWER_SECONDS),
                )
            return self._connection.execute(question.encode(), values or None).fetchone()
        except psycopg.Error:
            self.let_go()
            raise

    def let_go(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


# What is the same on a database and on each copy of its bytes, and on nothing else.
_IDENTITY = (
    "SELECT (pg_control_system()).system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# Nobody is told of a commit, and no other transaction sees it, before it is flushed.
_POINT = "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint"
_REACHED = "SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0')::bigint"
_NEWEST = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1"
_LINK = "SELECT hash FROM events WHERE position = %s"


class _Waiting:
    """A read that wants to know whether the standby has all that was committed before it."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._known = False

    def tell(self, known: bool) -> None:
        self._known = known
        self._told.set()

    def wait(self) -> bool:
        return self._told.wait(PATIENCE_SECONDS) and self._known


class Replica(BackgroundLoop):
    """Looks after one standby between `start` and `stop`; `health` is known without asking anybody.

    Whatever befalls the standby, nobody waits for it longer than some tenths of a second, but for those whose question
    it had accepted: they are cut off within two, and ask the primary. A standby that comes back is used again by
    itself. One that follows another database, or goes its own way since it was promoted, is never read.
    """

    def __init__(self, url: str, primary_url: str) -> None:
        super().__init__("replica", self._look)
        self.database = Database(url, size=POOL_SIZE, name="storyledger reads")
        self.log = EventLog(self.database)
        self.health = ReplicaHealth(State.AWAY)
        self._standby, self._primary = _Line(url), _Line(primary_url)
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._points: deque[tuple[float, int]] = deque()
        self._fitness_due = 0.0
        self._let_in = False

    def stop(self, seconds: float = 1.0) -> None:
        super().stop(seconds)
        self._standby.let_go()
        self._primary.let_go()
        self.database.close()

    def is_caught_up(self) -> bool:
        """Whether the standby has everything that was committed before this was asked; known in PATIENCE_SECONDS."""
        if self.health.state is not State.USED or self.stopping:
            return False
        waiting = _Waiting()
        with self._lock:
            self._waiting.append(waiting)
        self.wake()
        return waiting.wait()

    def report_failure(self, error: Exception) -> None:
        """A read failed there: unless it stood in the way of what the primary did, the standby is looked at first."""
        if isinstance(error, UnavailableError) and not isinstance(error.__cause__, psycopg.errors.SerializationFailure):
            self.health = ReplicaHealth(State.AWAY, error="not reachable")
            self.wake()

    # In the thread.

    def _look(self) -> float:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        known = False
        try:
            known = self._has_come_as_far()
        finally:
            for one in waiting:
                one.tell(known)
        return LOOK_SECONDS

    def _has_come_as_far(self) -> bool:
        """Whether the standby reaches, in time, the point where the primary is now."""
        try:
            point = self._point()
        except psycopg.Error:
            # The primary's own watchdog sees to that; until then nothing is certain of any copy.
            return self._is(State.BEHIND, error="the primary does not answer")
        try:
            self._check_fitness()
            behind = self._reach(point)
        except _Unfit as unfit:
            return self._is(State.UNFIT, error=str(unfit))
        except psycopg.Error as error:
            return self._is(State.AWAY, error=fault_category(error))
        return self._is(State.BEHIND if behind else State.USED, behind)

    def _point(self) -> int:
        """How far the primary is; over a new connection it may be another server than before."""
        if not self._primary.opened:
            self._fitness_due = 0.0
            self._points.clear()
        (point,) = self._primary.ask(_POINT)
        if not self._points or self._points[-1][1] < point:
            self._points.append((time.monotonic(), point))
        if len(self._points) > MOST_POINTS:
            self._points = deque(list(self._points)[::2])
        return int(point)

    def _reach(self, point: int) -> int:
        """How many bytes of the log the standby still lacks when the patience ends; 0 as soon as it lacks none."""
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, POLL_SECONDS
        while True:
            in_recovery, reached = self._standby.ask(_REACHED)
            if not in_recovery:
                raise _Unfit(NOT_A_STANDBY)
            while self._points and self._points[0][1] <= (reached or 0):
                self._points.popleft()
            behind = max(0, point - (reached or 0))
            if not behind or time.monotonic() > deadline:
                return behind
            self.pause(pause)
            pause = min(2 * pause, LONGEST_POLL_SECONDS)

    def _check_fitness(self) -> None:
        """That it is a copy of this very database, and its history the beginning of this one."""
        if self._standby.opened and time.monotonic() < self._fitness_due:
            return
        if self._standby.ask(_IDENTITY) != self._primary.ask(_IDENTITY):
            raise _Unfit(NOT_OURS)
        newest = self._standby.ask(_NEWEST)
        if newest is not None and self._primary.ask(_LINK, newest[0]) != newest[1:]:
            raise _Unfit(NOT_OURS)
        self._fitness_due = time.monotonic() + FITNESS_SECONDS

    def _is(self, state: State, behind: int | None = None, error: str | None = None) -> bool:
        """Note how it is, and let reads in or cut them off; whether it is in use."""
        before = self.health.state
        lag = None if behind is None else time.monotonic() - self._points[0][0] if self._points and behind else 0.0
        if state is State.USED and not self._let_in:
            self._let_in = True
            self.database.reopen()
        # Reads are let in once there is a pool, and turned away by the word before it is shut.
        self.health = ReplicaHealth(state, behind, lag, error)
        if state in (State.AWAY, State.UNFIT):
            self._standby.let_go()
            if self._let_in:
                self._let_in = False
                self.database.shut()
        if state is not before:
            told = logger.info if state is State.USED else logger.warning
            told("replica", state=state, error=error)
        return state is State.USED


def measured(replica: Replica | None) -> list[Metric]:
    """How the standby is, for Prometheus; without one the families are empty."""
    used = GaugeMetricFamily("storyledger_replica_used", "Whether the read replica is in use.")
    behind = GaugeMetricFamily("storyledger_replica_lag_bytes", "How much of the log the read replica lacks.")
    lag = GaugeMetricFamily("storyledger_replica_lag_seconds", "How long the read replica lacks it.")
    if replica is not None:
        health = replica.health
        used.add_metric([], int(health.state is State.USED))
        if health.lag_bytes is not None:
            behind.add_metric([], health.lag_bytes)
        if health.lag_seconds is not None:
            lag.add_metric([], health.lag_seconds)
    return [used, behind, lag]

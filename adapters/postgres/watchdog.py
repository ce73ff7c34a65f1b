"""The watchdog: checks the database, shuts the pools while it is unavailable, and reopens them when it is back."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.ids import uuid7
from adapters.postgres import schema_check
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import (
    ConnectionRegistry,
    Database,
    ShortTimeoutConnection,
    fault_category,
    has_unread_data,
)

CHECK_SECONDS = 0.75
# An unavailable database is checked more often, since no request can be served until it is back.
UNAVAILABLE_CHECK_SECONDS = 0.25
# A server that hangs counts as unavailable after one unanswered query and one unanswered connection attempt.
ANSWER_SECONDS = 2
# How long an answer may be missing on one connection while new connections are answered.
SILENT_SECONDS = 5.0
SCHEMA_CHECK_SECONDS = 5.0

# How long, and how many, results of health checks are kept.
KEPT_DAYS = 90
KEPT_CHECKS = 1_000

logger = structlog.get_logger()


@dataclass(frozen=True)
class Health:
    """The database's state: `error` is a fault category, `failures` counts the failed checks since the last answer."""

    available: bool = True
    last_answer_at: datetime | None = None
    error: str | None = None
    failures: int = 0
    schema_fault: str | None = None


class Watchdog(BackgroundLoop):
    """Checks the database between `start` and `stop` and keeps the last result in `health`.

    A server that is gone is noticed within a second, one that hangs within five seconds. Then the `guarded` pools are
    shut and the connections in `registry` are disconnected, so that no caller waits for the server. The pools are
    reopened once it answers, and also when old connections go silent while new ones are answered. After
    `patience_seconds` of an outage (0: never) `give_up` is called.
    """

    def __init__(
        self,
        url: str,
        guarded: Sequence[Database],
        registry: ConnectionRegistry | None = None,
        *,
        patience_seconds: float,
        give_up: Callable[[], None],
    ) -> None:
        super().__init__("watchdog", self._check)
        self._url = url
        self._guarded = guarded
        self._registry = registry or ConnectionRegistry()
        self._patience = patience_seconds
        self._give_up = give_up
        self._connection: Connection[TupleRow] | None = None
        # Connections whose last query is not answered yet, with the time at which it was sent, the oldest first.
        self._silent: list[tuple[float, Connection[TupleRow]]] = []
        self._unavailable_since: float | None = None
        self._schema_check_due = 0.0
        self._gave_up = False
        self.health = Health()

    def start(self) -> None:
        """Check once, then repeatedly in a thread."""
        self._check()
        self._record("started")
        super().start()

    def stop(self, seconds: float = 1.0) -> None:
        super().stop(seconds)
        self._close_connection()
        self._close_silent_connections()

    def _check(self) -> float:
        try:
            self._query()
        except psycopg.Error as error:
            self._close_connection()
            self._close_silent_connections()
            self._set_unavailable(fault_category(error))
            return UNAVAILABLE_CHECK_SECONDS
        self._set_available()
        self._check_silent_connections()
        return CHECK_SECONDS

    def _query(self) -> None:
        """Send one query over the present connection, or over a new one if that was lost."""
        if self._connection is not None:
            sent_at = time.monotonic()
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                if time.monotonic() - sent_at >= ANSWER_SECONDS:
                    self._silent.append((sent_at, self._connection))
                    self._connection = None
                else:
                    self._close_connection()
        if self._connection is None:
            self._connection = ShortTimeoutConnection.to(
                self._url, name="storyledger watchdog", answer_seconds=ANSWER_SECONDS
            )
            self._connection.execute("SELECT 1")
            self._schema_check_due = 0.0
            # The same fault may have broken every connection of the pools.
            if self.health.last_answer_at is not None:
                for database in self._guarded:
                    database.reopen()

    def _check_silent_connections(self) -> None:
        """Disconnect everything when a server answers new connections and stays silent on an old one.

        This happens behind a proxy whose server vanished: every caller on an old connection would wait for ever. A
        server that is only slow answers late, and is left alone. One connection may be slow while another one is dead,
        so each is waited for.
        """
        still_silent = []
        for sent_at, connection in self._silent:
            if has_unread_data(connection):
                _close(connection)
            else:
                still_silent.append((sent_at, connection))
        self._silent = still_silent
        if still_silent and time.monotonic() - still_silent[0][0] >= SILENT_SECONDS:
            logger.error("database connections went silent")
            self._close_silent_connections()
            for database in self._guarded:
                database.reopen(disconnect=True)
            self._registry.disconnect_all()

    def _close_silent_connections(self) -> None:
        for _, connection in self._silent:
            _close(connection)
        self._silent = []

    def _set_unavailable(self, error: str) -> None:
        if self._unavailable_since is None:
            self._unavailable_since = time.monotonic()
            logger.error("database is unavailable", error=error)
            # Callers that look at `health` are refused at once; shutting the pools takes a moment.
            self.health = replace(self.health, available=False)
            for database in self._guarded:
                database.shut()
        # Also on later checks, for connections that were opened while the server was going down.
        self._registry.disconnect_all()
        self.health = replace(self.health, available=False, error=error, failures=self.health.failures + 1)
        seconds = time.monotonic() - self._unavailable_since
        if self._patience and seconds > self._patience and not self._gave_up:
            self._gave_up = True
            logger.error("database was unavailable for too long", seconds=round(seconds))
            self._give_up()

    def _set_available(self) -> None:
        before = self.health
        self._check_schema()
        self.health = Health(True, datetime.now(UTC), schema_fault=self.health.schema_fault)
        if self._unavailable_since is not None:
            seconds, self._unavailable_since = time.monotonic() - self._unavailable_since, None
            logger.warning("database is back", seconds=round(seconds, 1))
            self._record("back", seconds, before)

    def _check_schema(self) -> None:
        if time.monotonic() < self._schema_check_due or self._connection is None:
            return
        self._schema_check_due = time.monotonic() + SCHEMA_CHECK_SECONDS
        with suppress(psycopg.Error):
            fault = schema_check.schema_fault(self._connection)
            if fault and fault != self.health.schema_fault:
                logger.error("database schema is wrong", fault=fault)
            self.health = replace(self.health, schema_fault=fault)

    def _record(self, outcome: str, seconds: float | None = None, before: Health | None = None) -> None:
        """Store the outcome and delete old ones. A database that takes no writes at the moment is no error."""
        if self._connection is None:
            return
        with suppress(psycopg.Error):
            self._connection.execute(
                "INSERT INTO health_checks (id, outcome, away_seconds, error, failures) VALUES (%s, %s, %s, %s, %s)",
                (uuid7(), outcome, seconds, before and before.error, before.failures if before else 0),
            )
            self._connection.execute(
                "DELETE FROM health_checks WHERE checked_at < now() - make_interval(days => %s)"
                " OR id IN (SELECT id FROM health_checks ORDER BY checked_at DESC OFFSET %s)",
                (KEPT_DAYS, KEPT_CHECKS),
            )

    def _close_connection(self) -> None:
        if self._connection is not None:
            _close(self._connection)
            self._connection = None


def _close(connection: Connection[TupleRow]) -> None:
    with suppress(psycopg.Error):
        connection.close()

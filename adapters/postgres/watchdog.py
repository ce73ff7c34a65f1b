"""The watchdog knows how the database is, lets callers in and turns them away, and drives the way back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.ids import uuid7
from adapters.postgres import schema_check
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import (
    STATEMENT_SECONDS,
    ConnectionRegistry,
    Database,
    conninfo,
    fault_category,
    has_spoken,
    settings,
)

LOOK_SECONDS = 0.5
# A database that is away is looked for more often: nobody can do anything before it is back.
SEEK_SECONDS = 0.25
# A server that hangs takes one unanswered question and one unanswered connection until it counts as away.
ANSWER_SECONDS = 2
# How long an answer may be late while others are in time.
SILENT_SECONDS = 5.0
SCHEMA_SECONDS = 5.0

# What is kept of the past.
KEPT_DAYS = 90
KEPT_CHECKS = 1_000

logger = structlog.get_logger()


class _Impatient(Connection[TupleRow]):
    """A connection that waits for no answer longer than ANSWER_SECONDS."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, ANSWER_SECONDS if timeout is None else timeout)


@dataclass(frozen=True)
class Health:
    """How the database is: `error` is a category, and `failures` counts the looks since it answered last."""

    available: bool = True
    last_answer_at: datetime | None = None
    error: str | None = None
    failures: int = 0
    schema_fault: str | None = None


class Watchdog(BackgroundLoop):
    """Looks after the database between `start` and `stop`; `health` is known without asking anybody.

    A server that is gone is away within a second, one that hangs within five: then the guarded pools are shut, and the
    connections in `registry` cut, so that nobody waits for it. Once it answers the pools are opened anew; likewise when
    old lines go dead and new ones are answered. After `patience_seconds` without it (0: never) `give_up` is called.
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
        super().__init__("watchdog", self._look)
        self._url = url
        self._guarded = guarded
        self._registry = registry or ConnectionRegistry()
        self._patience = patience_seconds
        self._give_up = give_up
        self._connection: Connection[TupleRow] | None = None
        self._silent: Connection[TupleRow] | None = None
        self._silent_since = 0.0
        self._away_since: float | None = None
        self._schema_due = 0.0
        self._gave_up = False
        self.health = Health()

    def start(self) -> None:
        """Look once, then go on in a thread of our own."""
        self._look()
        self._note("started")
        super().start()

    def stop(self, seconds: float = 1.0) -> None:
        super().stop(seconds)
        self._let_go()
        self._forget_silence()

    def _look(self) -> float:
        try:
            self._ask()
        except psycopg.Error as error:
            self._let_go()
            self._forget_silence()
            self._is_away(fault_category(error))
            return SEEK_SECONDS
        self._answered()
        self._mind_silence()
        return LOOK_SECONDS

    def _ask(self) -> None:
        """One question over the connection that is there; if it was lost, over a new one."""
        if self._connection is not None:
            asked = time.monotonic()
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                if self._silent is None and time.monotonic() - asked >= ANSWER_SECONDS:
                    self._silent, self._silent_since, self._connection = self._connection, asked, None
                else:
                    self._let_go()
        if self._connection is None:
            self._connection = _Impatient.connect(
                conninfo(self._url),
                autocommit=True,
                **settings(self._url, STATEMENT_SECONDS, "storyledger watchdog", connect_seconds=ANSWER_SECONDS),
            )
            self._connection.execute("SELECT 1")
            self._schema_due = 0.0
            # What broke this connection may have broken all of them.
            if self.health.last_answer_at is not None:
                self._open_anew()

    def _mind_silence(self) -> None:
        """A server that answers anew, and never on the line that it left open: as behind a proxy whose server vanished.

        Nobody is told so on any other old line either, and whoever waits there would wait for ever. One that is only
        slow answers late, and is left alone.
        """
        if self._silent is None:
            return
        if has_spoken(self._silent):
            self._forget_silence()
        elif time.monotonic() - self._silent_since >= SILENT_SECONDS:
            logger.error("lines to the database went dead")
            self._forget_silence()
            for database in self._guarded:
                database.reopen(hang_up=True)
            self._registry.disconnect_all()

    def _forget_silence(self) -> None:
        if self._silent is not None:
            with suppress(psycopg.Error):
                self._silent.close()
            self._silent = None

    def _cut(self) -> None:
        for database in self._guarded:
            database.shut()
        self._registry.disconnect_all()

    def _open_anew(self) -> None:
        for database in self._guarded:
            database.reopen()

    def _is_away(self, error: str) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.error("database is away", error=error)
            # Callers are turned away by the word before the pools are shut, which takes a moment.
            self.health = replace(self.health, available=False)
            self._cut()
        # Whoever connected while it was going down waits on a connection that was not there yet.
        self._registry.disconnect_all()
        self.health = replace(self.health, available=False, error=error, failures=self.health.failures + 1)
        away = time.monotonic() - self._away_since
        if self._patience and away > self._patience and not self._gave_up:
            self._gave_up = True
            logger.error("database was away for too long", seconds=round(away))
            self._give_up()

    def _answered(self) -> None:
        before = self.health
        self._check_schema()
        self.health = Health(True, datetime.now(UTC), schema_fault=self.health.schema_fault)
        if self._away_since is not None:
            away, self._away_since = time.monotonic() - self._away_since, None
            logger.warning("database is back", seconds=round(away, 1))
            self._note("back", away, before)

    def _check_schema(self) -> None:
        if time.monotonic() < self._schema_due or self._connection is None:
            return
        self._schema_due = time.monotonic() + SCHEMA_SECONDS
        with suppress(psycopg.Error):
            fault = schema_check.schema_fault(self._connection)
            if fault and fault != self.health.schema_fault:
                logger.error("database is not as needed", fault=fault)
            self.health = replace(self.health, schema_fault=fault)

    def _note(self, outcome: str, away: float | None = None, before: Health | None = None) -> None:
        """Keep it on record, and no more than is worth keeping; a database that takes no writes now does not matter."""
        if self._connection is None:
            return
        with suppress(psycopg.Error):
            self._connection.execute(
                "INSERT INTO health_checks (id, outcome, away_seconds, error, failures) VALUES (%s, %s, %s, %s, %s)",
                (uuid7(), outcome, away, before and before.error, before.failures if before else 0),
            )
            self._connection.execute(
                "DELETE FROM health_checks WHERE checked_at < now() - make_interval(days => %s)"
                " OR id IN (SELECT id FROM health_checks ORDER BY checked_at DESC OFFSET %s)",
                (KEPT_DAYS, KEPT_CHECKS),
            )

    def _let_go(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

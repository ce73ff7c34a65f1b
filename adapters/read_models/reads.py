"""Where what is shown is read: on the standby while that is as good, on the primary otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import psycopg
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store.log import EventLog
from adapters.observability.counters import reads
from adapters.postgres.database import Database
from adapters.postgres.replica import Replica
from domain.errors import UnavailableError
from projections.model import Recorded

Found = TypeVar("Found")


@dataclass
class Reads:
    """The reads of one request: from the standby if it has all that was answered before, else from the primary.

    Without a `replica` everything is read from the primary. A question may be asked twice, so it only reads. Who may
    see what is no question for here: the primary alone decides that.
    """

    primary: Database
    log: EventLog
    replica: Replica | None = None
    _sure: bool = False

    def ask(self, question: Callable[[Cursor[TupleRow]], Found]) -> Found:
        """What the question finds with a cursor whose every statement stands for itself."""

        def asked(database: Database) -> Found:
            with database.reading() as cursor:
                return question(cursor)

        return self._found(lambda replica: asked(replica.database), lambda: asked(self.primary))

    def ask_log(self, question: Callable[[EventLog], Found]) -> Found:
        """What the question finds in the history."""
        return self._found(lambda replica: question(replica.log), lambda: question(self.log))

    def recorded(self, ticket: UUID, until: int | None = None) -> list[Recorded]:
        """A ticket's whole history as read models get it."""
        entries = self.ask_log(lambda log: list(log.ticket_events(ticket, until)))
        return [Recorded(entry.position, entry.recorded_at, entry.event()) for entry in entries]

    def _found(self, there: Callable[[Replica], Found], here: Callable[[], Found]) -> Found:
        replica = self.replica
        if replica is None:
            return here()
        # What the standby had once it has for good.
        self._sure = self._sure or replica.is_caught_up()
        if self._sure:
            try:
                found = there(replica)
            except (UnavailableError, psycopg.Error) as error:
                replica.report_failure(error)
            else:
                reads.labels("replica").inc()
                return found
        # To the end of the request: what is shown must not go back.
        self.replica = None
        reads.labels("primary").inc()
        return here()

"""A ticket's row has every write that this process acknowledged, whenever the read models catch up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import projections
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from adapters.read_models.projection_barrier import ProjectionBarrier
from adapters.read_models.read_your_writes import ReadYourWrites
from projections import ticket_status
from projections.model import Cursor, Row
from tests.domain.facts import HOLDER
from tests.fakes.worlds import record, ticket_events


def renamed(ticket: Any) -> None:
    ticket.rename(HOLDER, "Grace")


def reader_of(database: Database) -> ReadYourWrites:
    return ReadYourWrites(database, EventLog(database), ProjectionBarrier(database, list(projections.BY_NAME)))


def test_a_row_that_was_read_before_the_read_models_caught_up_is_not_returned(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    ticket, reader = uuid4(), reader_of(database)
    reader.note_unprojected(record(log, ticket_events(ticket, [renamed])))

    def query(cursor: Cursor, asked: Any) -> Row | None:
        row = ticket_status.ticket(cursor, asked)
        follow()
        return row

    row = reader.ticket(ticket, query)
    assert row is not None
    assert row["version"] == 2


def test_a_row_of_a_read_model_is_returned_once_it_has_every_acknowledged_write(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    ticket, reader = uuid4(), reader_of(database)
    reader.note_unprojected(record(log, ticket_events(ticket, [renamed])))
    follow()
    for _ in range(2):
        assert reader.ticket(ticket, lambda *_: {"position": 0}) == {"position": 0}


def test_two_threads_that_note_a_position_at_once_keep_the_newer_one(database: Database):
    reader = reader_of(database)
    newer = threading.Thread(target=reader.note_unprojected, args=(11,))

    class Interrupted(int):
        """A position. While it is compared, another thread notes a newer one."""

        def __gt__(self, other: int) -> bool:
            newer.start()
            if not reader._lock.locked():
                newer.join()
            return int(self) > other

    reader.note_unprojected(Interrupted(10))
    newer.join()
    assert not reader._barrier.has_reached(11)
    assert reader._unprojected == 11

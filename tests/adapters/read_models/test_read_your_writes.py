"""A ticket's row has every write that this process acknowledged, whenever the read models catch up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import projections
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from adapters.read_models.projection_barrier import ProjectionBarrier
from adapters.read_models.read_your_writes import ReadYourWrites, TicketRows
from projections import ticket_status, ticket_totals
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

    def query(cursor: Cursor, asked: Sequence[UUID]) -> dict[UUID, Row]:
        rows = ticket_status.tickets(cursor, asked)
        follow()
        return rows

    row = reader.tickets([ticket], query)[ticket]
    assert row is not None
    assert row["version"] == 2


def test_a_row_of_a_read_model_is_returned_once_it_has_every_acknowledged_write(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    ticket, reader = uuid4(), reader_of(database)
    reader.note_unprojected(record(log, ticket_events(ticket, [renamed])))
    follow()
    for _ in range(2):
        assert reader.tickets([ticket], lambda *_: {ticket: {"position": 0}}) == {ticket: {"position": 0}}


def test_the_expected_tickets_of_several_requests_are_read_together(
    database: Database, log: EventLog, follow: Callable[..., None]
):
    followed, acknowledged, unknown, reader = uuid4(), uuid4(), uuid4(), reader_of(database)
    record(log, ticket_events(followed, [renamed]))
    follow()
    reader.note_unprojected(record(log, ticket_events(acknowledged, [renamed])))
    read: list[set[UUID]] = []

    def query(cursor: Cursor, asked: Sequence[UUID]) -> dict[UUID, Row]:
        read.append(set(asked))
        return ticket_status.tickets(cursor, asked)

    expected = [followed, acknowledged, unknown, followed]
    requests = [TicketRows(reader, query, ticket) for ticket in expected]
    TicketRows.read_expected(requests)
    rows = [request.get(ticket) for request, ticket in zip(requests, expected, strict=True)]
    assert [row and (row["ticket_id"], row["version"]) for row in rows] == [
        (followed, 2),
        (acknowledged, 2),
        None,
        (followed, 2),
    ]
    assert read == [{followed, acknowledged, unknown}]


def test_each_request_gets_the_row_of_its_own_query(database: Database, log: EventLog, follow: Callable[..., None]):
    ticket, reader = uuid4(), reader_of(database)
    record(log, ticket_events(ticket, []))
    follow()
    plain = TicketRows(reader, ticket_status.tickets, ticket)
    more = TicketRows(reader, ticket_totals.tickets_with_totals, ticket)
    TicketRows.read_expected([plain, more])
    row = plain.get(ticket)
    assert row is not None
    assert more.get(ticket) == row | {ticket_totals.SUMMARY: ([], None)}


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

"""Records events and folds them into the read models of a real database."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

import projections
from adapters.event_store import contact_hashes
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.read_models.follower import Follower
from domain.events import TicketEvent, TicketOpened
from tests.domain.facts import fact
from tests.fakes.events import make_event
from tests.fakes.worlds import record

RecordAndFold = Callable[..., None]


def opened(ticket: UUID, index: str, workspace: str = "public") -> TicketEvent:
    fields = fact(TicketOpened).fields | {"contact_index": index, "workspace": workspace, "slug": ticket.hex[:12]}
    return make_event(TicketOpened, ticket, 1, **fields)


@pytest.fixture
def record_and_fold(database: Database) -> RecordAndFold:
    """Return a function that records events with their contacts and folds them into all read models."""

    def record_and_fold(*events: TicketEvent) -> None:
        record(EventLog(database), events)
        with connect(database.url) as connection, connection.cursor() as cursor:
            for event in events:
                for effect in contact_hashes.EFFECTS.get(type(event), ()):
                    effect(cursor, None, event)
            follower = Follower(database.url, projections.ALL)
            while follower.fold_next_batch(connection):
                pass

    return record_and_fold

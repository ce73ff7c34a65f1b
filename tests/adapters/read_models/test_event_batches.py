"""A batch of events is bounded by its number of events and by their bytes, and nothing is left out at its borders."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_store import codec
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from adapters.read_models import event_batches
from domain.events import PictureRemoved, UpdatePosted
from projections.model import RecordedEvent
from tests.domain.facts import HOLDER
from tests.examples import examples
from tests.fakes.events import make_event
from tests.fakes.worlds import record

# The lengths of the texts in a history, and 0 for an event of a topic that is not asked for.
HISTORIES = st.lists(st.one_of(st.integers(1, 40), st.integers(2_000, 9_000), st.just(0)), min_size=1, max_size=25)


def recorded_texts(log: EventLog, lengths: list[int]) -> tuple[int, list[int]]:
    """Record an event for each length. Return the position before them and those of the events with a text."""
    before, ticket = log.head(), uuid4()
    events = [
        make_event(UpdatePosted, ticket, version, actor=HOLDER, update_id=uuid4(), text="x" * length)
        if length
        else make_event(PictureRemoved, ticket, version, actor=HOLDER)
        for version, length in enumerate(lengths, 1)
    ]
    record(log, events)
    return before, [before + version for version, length in enumerate(lengths, 1) if length]


def size(events: list[RecordedEvent]) -> int:
    return sum(len(codec.encode(recorded.event)) for recorded in events)


@given(
    lengths=HISTORIES,
    limit=st.integers(1, 12),
    page_events=st.integers(1, 6),
    max_bytes=st.sampled_from([1, 1_000, 10_000, 10**6]),
)
@examples(40)
def test_batches_have_each_event_once_and_end_with_the_page_that_reaches_the_bytes(
    database: Database,
    log: EventLog,
    lengths: list[int],
    limit: int,
    page_events: int,
    max_bytes: int,
):
    position, expected = recorded_texts(log, lengths)
    until = log.head()
    read: list[int] = []
    with pytest.MonkeyPatch.context() as patched, database.connection() as connection:
        patched.setattr(event_batches, "PAGE_EVENTS", page_events)
        patched.setattr(event_batches, "MAX_BYTES", max_bytes)
        while position < until:
            batch = event_batches.between(connection, position, until, {UpdatePosted.TOPIC}, limit)
            assert position < batch.until <= until
            assert len(batch.events) <= limit
            assert size(batch.events[:-page_events]) < max_bytes
            position = batch.until
            read += [recorded.position for recorded in batch.events]
    assert read == expected

"""New entries of an event log, each with the smallest possible event."""

from __future__ import annotations

from uuid import UUID, uuid4

from adapters.event_store import codec
from adapters.event_store.log import NewEntry
from domain.events import DisplayNameChanged
from domain.values import SYSTEM
from tests.fakes.events import make_event

STATE = codec.encode(make_event(DisplayNameChanged, UUID(int=1), 1, actor=SYSTEM, display_name=None))


def entry(stream: UUID | None = None, version: int = 1, ticket: UUID | None = None, state: bytes = STATE) -> NewEntry:
    """Return one entry, in a new stream unless `stream` is given."""
    stream = stream or uuid4()
    return NewEntry(
        originator_id=stream,
        originator_version=version,
        topic=DisplayNameChanged.TOPIC,
        state=state,
        ticket=ticket or stream,
    )


def entries(count: int, stream: UUID | None = None, first: int = 1, ticket: UUID | None = None) -> list[NewEntry]:
    """Return `count` entries of one stream."""
    stream = stream or uuid4()
    return [entry(stream, version, ticket) for version in range(first, first + count)]

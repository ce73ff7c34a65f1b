"""Events about to be stored that say as little as an event can."""

from __future__ import annotations

from uuid import UUID, uuid4

from adapters.event_store import codec
from adapters.event_store.log import NewEntry
from domain.events import DisplayNameChanged
from domain.values import SYSTEM
from tests.fakes.events import made

STATE = codec.encode(made(DisplayNameChanged, UUID(int=1), 1, actor=SYSTEM, display_name=None))


def entry(stream: UUID | None = None, version: int = 1, ticket: UUID | None = None, state: bytes = STATE) -> NewEntry:
    """One event; a stream of its own unless one is named."""
    stream = stream or uuid4()
    return NewEntry(
        originator_id=stream,
        originator_version=version,
        topic=DisplayNameChanged.TOPIC,
        state=state,
        ticket=ticket or stream,
    )


def entries(count: int, stream: UUID | None = None, first: int = 1, ticket: UUID | None = None) -> list[NewEntry]:
    """So many events of one stream."""
    stream = stream or uuid4()
    return [entry(stream, version, ticket) for version in range(first, first + count)]

"""Hypothesis strategies for all events, built from the types of their fields, with a canary in every personal text."""

from __future__ import annotations

import types
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from msgspec.structs import astuple, fields

from domain import events as all_events
from domain.events import TicketEvent
from domain.values import PERSONAL
from projections.model import RecordedEvent

CANARY = "canary-"
# The fields that the event store adds to an event's own fields.
PLACE_FIELDS = {"originator_id", "originator_version", "timestamp"}

EVENTS: tuple[type[TicketEvent], ...] = tuple(
    kind
    for kind in vars(all_events).values()
    if isinstance(kind, type) and issubclass(kind, TicketEvent) and "TOPIC" in vars(kind)
)

# Every character that JSON in UTF-8 can hold, so no lone surrogates.
texts = st.text(st.characters(codec="utf-8"), max_size=12)
ids = st.uuids(version=4)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    origin = get_origin(annotation)
    if origin is Annotated and PERSONAL in annotation.__metadata__:
        return texts.map(lambda text: CANARY + text)
    if origin in (Union, types.UnionType):
        return st.one_of([_values(choice) for choice in get_args(annotation)])
    if origin is tuple:
        return st.lists(_values(get_args(annotation)[0]), max_size=3).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return st.builds(annotation, **{f.name: _values(f.type) for f in fields(annotation)})
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return st.sampled_from(annotation)
    basic: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: st.integers(-(2**53), 2**53),
        bool: st.booleans(),
        UUID: ids,
        type(None): st.none(),
    }
    return basic[annotation]


def event_fields(kind: type[TicketEvent]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for the fields of an event of this kind without its place in the history."""
    return st.fixed_dictionaries({f.name: _values(f.type) for f in fields(kind) if f.name not in PLACE_FIELDS})


START = datetime(2026, 1, 1, tzinfo=UTC)


def log_entries(*events: TicketEvent) -> list[RecordedEvent]:
    """Return the events as entries of an event log that got one event a minute after `START`."""
    return [
        RecordedEvent(position, START + timedelta(minutes=position), event)
        for position, event in enumerate(events, start=1)
    ]


def make_event(kind: type[TicketEvent], stream: UUID, version: int, /, **fields: Any) -> TicketEvent:
    """Return the event with this place in the history."""
    place: dict[str, Any] = {"originator_id": stream, "originator_version": version, "timestamp": datetime.now(UTC)}
    return kind(**place, **fields)


def any_event_of(kind: type[TicketEvent]) -> st.SearchStrategy[TicketEvent]:
    """Return a strategy for any event of this kind."""
    return st.builds(
        lambda stream, version, fields: make_event(kind, stream, version, **fields),
        ids,
        st.integers(1, 1_000),
        event_fields(kind),
    )


# Built once, because building a strategy takes longer than drawing from it.
events = st.one_of([any_event_of(kind) for kind in EVENTS])


def personal_texts(event: TicketEvent) -> list[str]:
    """Return every personal text in an event, recognized by its canary."""
    personal: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, str) and value.startswith(CANARY):
            personal.append(value)
        elif isinstance(value, tuple):
            for item in value:
                collect(item)
        elif isinstance(value, msgspec.Struct):
            for part in astuple(value):
                collect(part)

    collect(event)
    return personal

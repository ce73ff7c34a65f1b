"""Tickets, donations and contents in memory; held to the same contract as the real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO, TypeVar
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from domain.donation import Donation, donation_stream
from domain.errors import NotFoundError, StaleVersionError
from domain.ticket import RecordingTicket
from domain.values import Content

T = TypeVar("T")


@dataclass
class MemoryStreams:
    """Streams of events in dictionaries; what is loaded is replayed every time."""

    events: dict[UUID, list[Any]] = field(default_factory=dict)

    def add(self, aggregate: BaseAggregate[UUID]) -> None:
        events = aggregate.collect_events()
        self.events.setdefault(aggregate.id, list(events))

    def load(self, stream: UUID) -> Any:
        if stream not in self.events:
            raise NotFoundError("There is no such thing.")
        aggregate = None
        for event in self.events[stream]:
            aggregate = event.mutate(aggregate)
        return aggregate

    def change(self, stream: UUID, decide: Callable[[Any], T], if_match: int | None = None) -> T:
        aggregate = self.load(stream)
        if if_match is not None and aggregate.version != if_match:
            raise StaleVersionError("The ticket has changed since you read it.")
        decision = decide(aggregate)
        self.events[stream] += aggregate.collect_events()
        return decision


@dataclass
class MemoryTickets:
    streams: MemoryStreams = field(default_factory=MemoryStreams)

    def add(self, ticket: RecordingTicket) -> None:
        self.streams.add(ticket)

    def get(self, ticket_id: UUID) -> RecordingTicket:
        ticket: RecordingTicket = self.streams.load(ticket_id)
        return ticket

    def change(self, ticket_id: UUID, decide: Callable[[RecordingTicket], T], if_match: int | None = None) -> T:
        return self.streams.change(ticket_id, decide, if_match)


@dataclass
class MemoryDonations:
    streams: MemoryStreams = field(default_factory=MemoryStreams)

    def add(self, donation: Donation) -> None:
        self.streams.add(donation)

    def get(self, ticket_id: UUID, donation_id: UUID) -> Donation:
        donation: Donation = self.streams.load(donation_stream(ticket_id, donation_id))
        return donation

    def change(self, ticket_id: UUID, donation_id: UUID, decide: Callable[[Donation], T]) -> T:
        return self.streams.change(donation_stream(ticket_id, donation_id), decide)


@dataclass
class MemoryContents:
    kept: dict[tuple[UUID, str], bytes] = field(default_factory=dict)
    forgotten: set[UUID] = field(default_factory=set)

    def keep(self, ticket_id: UUID, source: BinaryIO) -> Content:
        if ticket_id in self.forgotten:
            raise NotFoundError("There is no key for this ticket.")
        source.seek(0)
        data = source.read()
        content = Content(hashlib.sha256(data).hexdigest(), len(data))
        self.kept[ticket_id, content.sha256] = data
        return content

    @contextmanager
    def open(self, ticket_id: UUID, content: Content) -> Iterator[BinaryIO]:
        if (ticket_id, content.sha256) not in self.kept:
            raise NotFoundError("no such object")
        yield BytesIO(self.kept[ticket_id, content.sha256])

    def has(self, ticket_id: UUID, content: Content) -> bool:
        return (ticket_id, content.sha256) in self.kept

    def discard(self, ticket_id: UUID, content: Content) -> None:
        self.kept.pop((ticket_id, content.sha256), None)

    def set_apart(self, ticket_id: UUID) -> None:
        """There is no money here."""

    def forget(self, ticket_id: UUID) -> None:
        self.forgotten.add(ticket_id)
        for key in [key for key in self.kept if key[0] == ticket_id]:
            del self.kept[key]

"""Stores of aggregates and contents in memory, tested by the contract of the real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO, TypeVar
from uuid import UUID

from eventsourcing.domain import BaseAggregate
from msgspec import structs

from domain.desk import Desk, desk_stream
from domain.donations import Donation, donation_stream
from domain.errors import FaultCode, InvalidError, NotFoundError, StaleVersionError
from domain.events import ReceiptNumbered, RetentionChanged, SupportTicketOpened
from domain.organisations import NO_RETENTION, Logo, ReceiptNumber, RetentionPeriods
from domain.ports import Message
from domain.support import SupportTicket
from domain.tickets import RecordingTicket
from domain.values import SYSTEM, Actor, Content
from domain.workspaces import Workspace, workspace_stream

T = TypeVar("T")


def recorded(aggregate: BaseAggregate[UUID]) -> list[Any]:
    """Return the aggregate's new events with the time of recording."""
    events: Sequence[Any] = aggregate.collect_events()
    return [structs.replace(event, timestamp=datetime.now(UTC)) for event in events]


@dataclass
class MemoryStreams:
    """Streams of events in a dictionary. Loading an aggregate replays its events every time."""

    events: dict[UUID, list[Any]] = field(default_factory=dict)

    def add(self, aggregate: BaseAggregate[UUID]) -> None:
        self.events.setdefault(aggregate.id, recorded(aggregate))

    def load(self, stream: UUID, version: int | None = None) -> Any:
        if stream not in self.events:
            raise NotFoundError("There is no such thing.")
        aggregate = None
        for event in self.events[stream][:version]:
            aggregate = event.mutate(aggregate)
        return aggregate

    def change(self, stream: UUID, decide: Callable[[Any], T], if_match: int | None = None) -> T:
        aggregate = self.load(stream)
        if if_match is not None and aggregate.version != if_match:
            raise StaleVersionError("The ticket has changed since you read it.")
        decision = decide(aggregate)
        self.events[stream] += recorded(aggregate)
        return decision


@dataclass
class MemoryTickets:
    streams: MemoryStreams = field(default_factory=MemoryStreams)
    mails: list[Message] = field(default_factory=list)

    def add(self, ticket: RecordingTicket) -> None:
        self.streams.add(ticket)

    def get(self, ticket_id: UUID) -> RecordingTicket:
        ticket: RecordingTicket = self.streams.load(ticket_id)
        return ticket

    def at(self, ticket_id: UUID, version: int) -> RecordingTicket:
        ticket: RecordingTicket | None = self.streams.load(ticket_id, version) if version > 0 else None
        if ticket is None or ticket.version != version:
            raise InvalidError("is not a version of this ticket", "/version", FaultCode.UNKNOWN_VALUE)
        return ticket

    def change(
        self,
        ticket_id: UUID,
        decide: Callable[[RecordingTicket], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        before = len(self.streams.events.get(ticket_id, ()))
        decision = self.streams.change(ticket_id, decide, if_match)
        if mails is not None and len(self.streams.events[ticket_id]) > before:
            self.mails += mails(decision)
        return decision


@dataclass
class MemoryDonations:
    streams: MemoryStreams = field(default_factory=MemoryStreams)
    mails: list[Message] = field(default_factory=list)

    def add(self, donation: Donation) -> None:
        self.streams.add(donation)

    def get(self, ticket_id: UUID, donation_id: UUID) -> Donation:
        donation: Donation = self.streams.load(donation_stream(ticket_id, donation_id))
        return donation

    def change(
        self, ticket_id: UUID, donation_id: UUID, decide: Callable[[Donation], T], mails: Sequence[Message] = ()
    ) -> T:
        stream = donation_stream(ticket_id, donation_id)
        recorded = len(self.streams.events.get(stream, ()))
        result = self.streams.change(stream, decide)
        if len(self.streams.events[stream]) > recorded:
            self.mails += mails
        return result


@dataclass
class MemoryDesks:
    streams: MemoryStreams = field(default_factory=MemoryStreams)
    mails: list[Message] = field(default_factory=list)

    def get(self, ticket_id: UUID) -> Desk | None:
        stream = desk_stream(ticket_id)
        return self.streams.load(stream) if stream in self.streams.events else None

    def change(
        self,
        actor: Actor,
        ticket_id: UUID,
        workspace: str,
        decide: Callable[[Desk], object],
        mails: Sequence[Message] = (),
    ) -> Desk:
        desk = self.get(ticket_id) or Desk.open(actor, ticket_id, workspace)
        is_new = desk_stream(ticket_id) not in self.streams.events
        decide(desk)
        if len(desk.pending_events) > is_new:
            self.streams.events.setdefault(desk.id, []).extend(recorded(desk))
            self.mails += mails
        return desk


@dataclass
class MemorySupportTickets:
    streams: MemoryStreams = field(default_factory=MemoryStreams)
    mails: list[Message] = field(default_factory=list)

    def add(self, support: SupportTicket) -> None:
        self.streams.add(support)

    def get(self, support_id: UUID) -> SupportTicket:
        loaded = self.streams.load(support_id)
        if not isinstance(loaded, SupportTicket):
            raise NotFoundError("There is no such support ticket.")
        return loaded

    def change(
        self,
        support_id: UUID,
        decide: Callable[[SupportTicket], T],
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        before = self.get(support_id).version
        decision = self.streams.change(support_id, decide)
        if mails is not None and self.get(support_id).version > before:
            self.mails += mails(decision)
        return decision

    def concerning(self, ticket_id: UUID, contact_indexes: Iterable[str]) -> list[UUID]:
        opened = [events[0] for events in self.streams.events.values() if isinstance(events[0], SupportTicketOpened)]
        return [
            event.originator_id
            for event in opened
            if event.about == ticket_id
            or (event.ticket_id == event.originator_id and event.contact_index in set(contact_indexes))
            if not self.get(event.originator_id).erased
        ]


@dataclass
class MemoryRetention:
    """The periods of workspaces, as their events say."""

    workspaces: MemoryWorkspaces

    def retention(self, workspace: str) -> RetentionPeriods:
        periods = NO_RETENTION
        for event in self.workspaces.streams.events[workspace_stream(workspace)]:
            if isinstance(event, RetentionChanged):
                periods = RetentionPeriods(event.ticket_days, event.donor_days)
        return periods


@dataclass
class MemoryWorkspaces:
    streams: MemoryStreams = field(default_factory=MemoryStreams)
    mails: list[Message] = field(default_factory=list)

    def get(self, workspace: str) -> Workspace:
        try:
            loaded: Workspace = self.streams.load(workspace_stream(workspace))
        except NotFoundError:
            return Workspace.open(SYSTEM, workspace)
        return loaded

    def change(
        self,
        workspace: str,
        decide: Callable[[Workspace], T],
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        stream = workspace_stream(workspace)
        self.streams.add(Workspace.open(SYSTEM, workspace))
        before = len(self.streams.events[stream])
        decision = self.streams.change(stream, decide)
        if mails is not None and len(self.streams.events[stream]) > before:
            self.mails += mails(decision)
        return decision


@dataclass
class MemoryReceiptNumbers:
    """Numbers after those in the events of the donations."""

    donations: MemoryDonations

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def next(self, workspace: str, year: int) -> ReceiptNumber:
        events = (event for stream in self.donations.streams.events.values() for event in stream)
        given = [event.number for event in events if is_receipt_of(event, workspace, year)]
        return ReceiptNumber(year, max(given, default=0) + 1)


@dataclass
class MemoryLogos:
    images: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def keep(self, workspace: str, image: bytes, width: int, height: int) -> Logo:
        digest = hashlib.sha256(image).hexdigest()
        self.images[workspace, digest] = image
        return Logo(digest, len(image), width, height)

    def get(self, workspace: str, logo: Logo) -> bytes:
        if (workspace, logo.sha256) not in self.images:
            raise NotFoundError("There is no such logo.")
        return self.images[workspace, logo.sha256]

    def delete(self, workspace: str, logo: Logo) -> None:
        self.images.pop((workspace, logo.sha256), None)


def is_receipt_of(event: Any, workspace: str, year: int) -> bool:
    return isinstance(event, ReceiptNumbered) and (event.workspace, event.year) == (workspace, year)


@dataclass
class MemoryContents:
    kept: dict[tuple[UUID, str], bytes] = field(default_factory=dict)
    erased: set[UUID] = field(default_factory=set)

    def keep(self, ticket_id: UUID, source: BinaryIO) -> Content:
        if ticket_id in self.erased:
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

    def read(self, ticket_id: UUID, content: Content, start: int, stop: int) -> Iterator[bytes]:
        with self.open(ticket_id, content) as file:
            return iter([file.read()[start:stop]])

    def has(self, ticket_id: UUID, content: Content) -> bool:
        return (ticket_id, content.sha256) in self.kept

    def shred(self, ticket_id: UUID, content: Content) -> None:
        self.discard(ticket_id, content)

    def discard(self, ticket_id: UUID, content: Content) -> None:
        self.kept.pop((ticket_id, content.sha256), None)

    def erase(self, ticket_id: UUID) -> None:
        self.erased.add(ticket_id)
        for key in [key for key in self.kept if key[0] == ticket_id]:
            del self.kept[key]


@dataclass
class MemoryDonorErasure:
    """Keeps names for so many days, and has nothing to erase, because there are no webhooks and mails in memory."""

    days: int | None = None

    def days_kept(self, ticket_id: UUID) -> int | None:
        return self.days

    def prepare(self, ticket_id: UUID, donation_id: UUID) -> None:
        pass

    def complete(self, donation: Donation) -> None:
        pass


@dataclass
class MemoryErasure:
    """Erases content only, because there are no webhooks in memory."""

    contents: MemoryContents

    def prepare(self, ticket_id: UUID) -> None:
        pass

    def complete(self, ticket_id: UUID) -> None:
        self.contents.erase(ticket_id)

    def forget(self, ticket_id: UUID) -> None:
        pass

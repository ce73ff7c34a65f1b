"""The library's Application over our log: `RecordingTicket` and `Donation` are loaded and saved here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import BaseAggregate, DomainEventProtocol
from eventsourcing.persistence import (
    ApplicationRecorder,
    EventStore,
    IntegrityError,
    JSONTranscoder,
    Mapper,
    Notification,
    StoredEvent,
    Subscription,
)
from eventsourcing.utils import Environment, EnvType
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.encryption.field_cipher import FieldCipher, FieldContext
from adapters.event_store import codec
from adapters.event_store.log import Entry, EventLog, StoredEntry
from adapters.observability import log_context, tracing
from domain.donations import Donation, donation_stream
from domain.errors import NotFoundError, RefusedError, StaleVersionError
from domain.events import TicketEvent
from domain.ports import Mail
from domain.tickets import RecordingTicket, work_asked_for
from domain.values import Step

T = TypeVar("T")
A = TypeVar("A", bound=BaseAggregate[UUID])

# How often a decision is taken anew because somebody else was quicker, before we give up on it.
MOST_DECISIONS = 10

# What stands for a personal text whose key was destroyed.
ERASED = "[erased]"


class SealingMapper(Mapper[UUID]):
    """Between events and stored events: JSON, with personal texts sealed on the way in and opened on the way out."""

    def __init__(self, cipher: FieldCipher) -> None:
        super().__init__(JSONTranscoder())
        self._cipher = cipher

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> Entry:
        assert isinstance(domain_event, TicketEvent)
        event = domain_event

        def seal(field: str, text: str) -> str:
            place = FieldContext(event.originator_id, event.originator_version, event.TOPIC, field)
            # Whoever opens a ticket brings its key into being, and a support ticket about none is one of its own.
            new_ticket = event.ticket == event.originator_id and event.originator_version == 1
            return self._cipher.seal(event.ticket, place, text, new_ticket=new_ticket)

        return Entry(
            originator_id=event.originator_id,
            originator_version=event.originator_version,
            topic=event.TOPIC,
            state=codec.encode(event, seal),
            ticket=event.ticket,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> TicketEvent:
        """The event, readable; where its key was destroyed, ERASED stands for each personal text."""
        assert isinstance(stored_event, StoredEntry)
        entry = stored_event

        def unseal(field: str, envelope: str) -> str:
            place = FieldContext(entry.originator_id, entry.originator_version, entry.topic, field)
            try:
                return self._cipher.open(entry.ticket, envelope, place)
            except NotFoundError:
                return ERASED

        return entry.event(unseal)


class LogRecorder(ApplicationRecorder):
    """The library's recorder contract, kept by our log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Record the events with the rows that `alongside` adds; IntegrityError if a version was taken."""
        positions = self._log.append(cast(Sequence[Entry], stored_events), kwargs.get("alongside"))
        if positions is None:
            raise IntegrityError("a version was taken")
        return positions

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        assert isinstance(originator_id, UUID)
        events = self._log.stream(originator_id, after=gt or 0, until=lte)
        ordered = events[::-1] if desc else events
        return ordered if limit is None else ordered[:limit]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        found: list[StoredEntry] = []
        while len(found) < limit and (page := self._log.batch(after, limit, stop)):
            found += [entry for entry in page if not topics or entry.topic in topics]
            after = page[-1].position
        return found[:limit]

    def max_notification_id(self) -> int | None:
        return self._log.head() or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        raise NotImplementedError("read models follow the log by position: see adapters.read_models")


class TicketHistory(Application[UUID]):
    """Loads and saves tickets and donations. No cache and no snapshots: every stream is short."""

    name = "storyledger"

    def __init__(self, log: EventLog, cipher: FieldCipher) -> None:
        self._log = log
        self._cipher = cipher
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Nothing of this application is configured by the process environment."""
        return Environment(name, dict(env or {}))

    def construct_mapper(self) -> Mapper[UUID]:
        return SealingMapper(self._cipher)

    def construct_recorder(self) -> ApplicationRecorder:
        return LogRecorder(self._log)

    def construct_event_store(self) -> EventStore[UUID]:
        return EventStore(self.mapper, self.recorder)


# Has a mail sent once the transaction of what it tells is committed.
Queue = Callable[[Connection[TupleRow], Mail], None]
# Puts work on the queue, in the transaction of the events that ask for it.
Enqueue = Callable[[Cursor[TupleRow], UUID, Step, UUID], None]

# What else must be done in the transaction of an event, by its kind; told the aggregate that it happened to as well.
Consequences = Mapping[type[TicketEvent], Callable[[Cursor[TupleRow], Any, TicketEvent], None]]


class Streams:
    """What tickets and donations share: load, decide, record, and decide anew when somebody else was quicker."""

    def __init__(
        self,
        history: TicketHistory,
        enqueue: Enqueue,
        recorded: Callable[[int], None],
        consequences: Consequences | None = None,
        queue: Queue | None = None,
    ) -> None:
        self._history = history
        self._enqueue = enqueue
        self._recorded = recorded
        self._consequences = consequences or {}
        self._queue = queue

    def load(self, stream: UUID) -> Any:
        try:
            return self._history.repository.get(stream)
        except AggregateNotFoundError:
            raise NotFoundError("There is no such thing.") from None

    def save(self, aggregate: BaseAggregate[UUID], mails: Sequence[Mail] = ()) -> None:
        """Record what happened and tell `recorded` the last position; IntegrityError if a version was taken."""
        asked = [
            (event.ticket, *work)
            for event in aggregate.pending_events
            if isinstance(event, TicketEvent) and (work := work_asked_for(event))
        ]

        follows = [
            (act, event)
            for event in aggregate.pending_events
            if isinstance(event, TicketEvent) and (act := self._consequences.get(type(event)))
        ]

        def alongside(cursor: Cursor[TupleRow]) -> None:
            for ticket, step, recording in asked:
                self._enqueue(cursor, ticket, step, recording)
            for mail in mails:
                assert self._queue is not None
                self._queue(cursor.connection, mail)
            for act, event in follows:
                act(cursor, aggregate, event)

        # Straight into the library's event store: its `save()` asks of every object what it may be, which costs more
        # than the rest of it together.
        events = aggregate.collect_events()
        told = asked or follows or (events and mails)
        with tracing.span("append") as span:
            recordings = self._history.events.put(events, **({"alongside": alongside} if told else {}))
            positions = [recording.notification.id for recording in recordings]
            if positions:
                _tell(span, events, positions)
        if positions:
            self._recorded(positions[-1])

    def add(self, aggregate: BaseAggregate[UUID]) -> None:
        """Record a new aggregate; one that is there already was added by the same request before a crash."""
        with suppress(IntegrityError):
            self.save(aggregate)

    def change(
        self,
        stream: UUID,
        decide: Callable[[Any], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Mail]] | None = None,
    ) -> T:
        for _ in range(MOST_DECISIONS):
            aggregate = self.load(stream)
            if if_match is not None and aggregate.version != if_match:
                raise StaleVersionError("The ticket has changed since you read it.")
            decision = decide(aggregate)
            try:
                self.save(aggregate, mails(decision) if mails else ())
            except IntegrityError:
                continue
            return decision
        raise RefusedError("Too many changes at once: please try again.")


def _tell(span: tracing.ActiveSpan, events: Sequence[Any], positions: Sequence[int]) -> None:
    log_context.add_recorded(events[-1].ticket, positions[-1])
    if tracing.is_enabled():
        tracing.make_linkable(*positions)
        topics = [event.TOPIC for event in events]
        span.set_attributes(ticket=str(events[-1].ticket), position=positions[-1], topics=topics)


class StoredTickets:
    """The port `Tickets` over the history."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def add(self, ticket: RecordingTicket) -> None:
        self._streams.add(ticket)

    def get(self, ticket_id: UUID) -> RecordingTicket:
        ticket: RecordingTicket = self._streams.load(ticket_id)
        return ticket

    def change(
        self,
        ticket_id: UUID,
        decide: Callable[[RecordingTicket], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Mail]] | None = None,
    ) -> T:
        return self._streams.change(ticket_id, decide, if_match, mails)


class StoredDonations:
    """The port `Donations` over the history."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def add(self, donation: Donation) -> None:
        self._streams.add(donation)

    def get(self, ticket_id: UUID, donation_id: UUID) -> Donation:
        donation: Donation = self._streams.load(donation_stream(ticket_id, donation_id))
        return donation

    def change(self, ticket_id: UUID, donation_id: UUID, decide: Callable[[Donation], T]) -> T:
        return self._streams.change(donation_stream(ticket_id, donation_id), decide)

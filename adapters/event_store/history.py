"""The eventsourcing library's Application over our event log: loads and saves aggregates."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
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

from adapters.encryption.field_cipher import FieldCipher, FieldContext, is_sealed
from adapters.event_store import codec
from adapters.event_store.log import EventLog, NewEntry, StoredEntry
from adapters.observability import log_context, tracing
from domain.donations import Donation, donation_stream
from domain.errors import FaultCode, InvalidError, NotFoundError, RefusedError, StaleVersionError
from domain.events import CheckoutRequested, TicketEvent
from domain.lifecycle import requested_step
from domain.personal import SealedFor
from domain.ports import Message
from domain.tickets import RecordingTicket
from domain.values import GiftWords, Step

T = TypeVar("T")

# How many times a change is attempted while other writers keep changing the same aggregate.
MAX_ATTEMPTS = 10

# Earlier versions stored these keyed hashes in clear.
ONCE_CLEAR = frozenset({"contact_index", "donor.email_hash"})

# Shown in place of a personal text whose key was destroyed.
ERASED = "[erased]"


class SealingMapper(Mapper[UUID]):
    """Maps events to stored events and back. A stored event is JSON with its personal texts sealed."""

    def __init__(self, cipher: FieldCipher) -> None:
        super().__init__(JSONTranscoder())
        self._cipher = cipher

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> NewEntry:
        assert isinstance(domain_event, TicketEvent)
        event = domain_event

        def seal(owner: SealedFor, field: str, text: str) -> str:
            context = FieldContext(event.originator_id, event.originator_version, event.TOPIC, field)
            return self._cipher.seal(event.ticket, context, text, owner=owner, new_ticket=event.makes_key)

        new_key = None
        if isinstance(event, CheckoutRequested):
            if event.words == GiftWords():
                new_key = partial(self._cipher.new_key, event.originator_id)
            else:
                # The key seals the words, so it must be the one that the donation keeps.
                self._cipher.create_key(event.originator_id)
        return NewEntry(
            originator_id=event.originator_id,
            originator_version=event.originator_version,
            topic=event.TOPIC,
            state=codec.encode(event, seal),
            ticket=event.ticket,
            new_key=new_key,
        )

    def preload_keys(self, owners: Collection[UUID]) -> None:
        """Read the keys of these tickets and donations in one query."""
        self._cipher.preload_keys(owners)

    def to_domain_event(self, stored_event: StoredEvent) -> TicketEvent:
        """Return the event with its personal texts opened, or ERASED in place of each if their key was destroyed."""
        assert isinstance(stored_event, StoredEntry)
        entry = stored_event

        def unseal(field: str, envelope: str) -> str:
            if field in ONCE_CLEAR and not is_sealed(envelope):
                return envelope
            context = FieldContext(entry.originator_id, entry.originator_version, entry.topic, field)
            try:
                return self._cipher.open(entry.ticket, envelope, context)
            except NotFoundError:
                return ERASED

        return entry.event(unseal)


class LogRecorder(ApplicationRecorder):
    """The library's recorder interface over our event log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Record the events, and call `effects` in their transaction; IntegrityError if a version exists already.

        In this transaction `lock` is called first.
        """
        positions = self._log.append(cast(Sequence[NewEntry], stored_events), kwargs.get("effects"), kwargs.get("lock"))
        if positions is None:
            raise IntegrityError("a version exists already")
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
        entries: list[StoredEntry] = []
        while len(entries) < limit and (batch := self._log.batch(after, limit, stop)):
            entries += [entry for entry in batch if not topics or entry.topic in topics]
            after = batch[-1].position
        return entries[:limit]

    def max_notification_id(self) -> int | None:
        return self._log.head() or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        raise NotImplementedError("read models follow the log by position: see adapters.read_models")


class TicketHistory(Application[UUID]):
    """Loads and saves aggregates. It needs no cache and no snapshots, because every stream is short."""

    name = "storyledger"

    def __init__(self, log: EventLog, cipher: FieldCipher) -> None:
        self._log = log
        self._cipher = cipher
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return an environment that ignores the variables of the process."""
        return Environment(name, dict(env or {}))

    def construct_mapper(self) -> Mapper[UUID]:
        return SealingMapper(self._cipher)

    def construct_recorder(self) -> ApplicationRecorder:
        return LogRecorder(self._log)

    def construct_event_store(self) -> EventStore[UUID]:
        return EventStore(self.mapper, self.recorder)


# Queues a message in the transaction of the events that it reports.
QueueMail = Callable[[Connection[TupleRow], Message], object]
# Enqueues a ticket's step on a recording, in the transaction of the event that asks for it: (cursor, ticket, step,
# recording, length of the recording in seconds).
Enqueue = Callable[[Cursor[TupleRow], UUID, Step, UUID, float], None]

# A further effect in the transaction of an event; it gets the changed aggregate, too.
EventEffect = Callable[[Cursor[TupleRow], Any, TicketEvent], None]
EventEffects = Mapping[type[TicketEvent], Sequence[EventEffect]]
# Takes, before an event with effects is appended, a lock that they need and that others take before the append's lock.
EventLocks = Mapping[type[TicketEvent], Callable[[Cursor[TupleRow]], None]]


class Streams:
    """Loads and saves aggregates of any kind, and repeats a decision that conflicts with another writer.

    `on_recorded` is called with the last position of every append.
    """

    def __init__(
        self,
        history: TicketHistory,
        enqueue: Enqueue,
        on_recorded: Callable[[int], None],
        event_effects: EventEffects | None = None,
        queue_mail: QueueMail | None = None,
        event_locks: EventLocks | None = None,
    ) -> None:
        self._history = history
        self._enqueue = enqueue
        self._on_recorded = on_recorded
        self._event_effects = event_effects or {}
        self._queue_mail = queue_mail
        self._event_locks = event_locks or {}

    def load(self, stream: UUID, version: int | None = None) -> Any:
        """Return the aggregate, as it was at a version if one is given."""
        try:
            return self._history.repository.get(stream, version=version)
        except AggregateNotFoundError:
            raise NotFoundError("No ticket, donation or support ticket has this id.") from None

    def save(self, aggregate: BaseAggregate[UUID], mails: Sequence[Message] = ()) -> None:
        """Record the pending events with their effects; IntegrityError if a version exists already."""
        events = cast(Sequence[TicketEvent], aggregate.collect_events())
        # A later request of the same change replaces an earlier one.
        steps = [(event.ticket, *step) for event in events if (step := requested_step(event))][-1:]
        event_effects = [(effect, event) for event in events for effect in self._event_effects.get(type(event), ())]

        def lock(cursor: Cursor[TupleRow]) -> None:
            for event in events:
                if take := self._event_locks.get(type(event)):
                    take(cursor)

        def effects(cursor: Cursor[TupleRow]) -> None:
            for ticket, step, recording in steps:
                duration_ms = cast(RecordingTicket, aggregate).recordings.get(recording).duration_ms
                self._enqueue(cursor, ticket, step, recording, duration_ms / 1000)
            for mail in mails:
                assert self._queue_mail is not None
                self._queue_mail(cursor.connection, mail)
            for effect, event in event_effects:
                effect(cursor, aggregate, event)

        # Only events with effects need a transaction of their own; all others share one in the group commit.
        has_effects = steps or event_effects or (events and mails)
        with tracing.span("append") as span:
            entries = [self._history.mapper.to_stored_event(event) for event in events]
            positions = self._history.recorder.insert_events(
                entries, effects=effects if has_effects else None, lock=lock
            )
            if positions:
                _add_to_log_and_span(span, events, positions)
        if positions:
            self._on_recorded(positions[-1])

    def add(self, aggregate: BaseAggregate[UUID]) -> None:
        """Record a new aggregate. If it exists already, the same request added it before, and nothing changes."""
        with suppress(IntegrityError):
            self.save(aggregate)

    def change(
        self,
        stream: UUID,
        decide: Callable[[Any], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Message]] | None = None,
    ) -> T:
        for _ in range(MAX_ATTEMPTS):
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


def _add_to_log_and_span(span: tracing.ActiveSpan, events: Sequence[Any], positions: Sequence[int]) -> None:
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

    def at(self, ticket_id: UUID, version: int) -> RecordingTicket:
        ticket: RecordingTicket | None = self._streams.load(ticket_id, version) if version > 0 else None
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

    def change(
        self, ticket_id: UUID, donation_id: UUID, decide: Callable[[Donation], T], mails: Sequence[Message] = ()
    ) -> T:
        return self._streams.change(donation_stream(ticket_id, donation_id), decide, mails=lambda _: mails)

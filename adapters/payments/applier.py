"""The applier turns what the inbox holds into history, many events at a time.

The events, the inbox's new states, the links they teach and what they want asked of Stripe are one transaction, so an
effect happens once however often anything is repeated or killed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store import log as event_log
from adapters.event_store.history import SealingMapper
from adapters.event_store.log import Entry
from adapters.observability import counters, tracing
from adapters.payments.donor_emails import AppliedEvent, note
from adapters.payments.event_parsers import HashEmail
from adapters.payments.inbox import Inbox
from adapters.payments.parsed_events import ParsedEvent, read, to_fetch
from adapters.payments.stripe_objects import MalformedFact
from adapters.postgres.database import CONNECTION_ERRORS, Database
from domain.donations import Donation, donation_stream
from domain.errors import NotFoundError, UnavailableError
from domain.events import DonationEvent, PaymentConfirmed, PaymentReceived
from domain.values import Actor, Role

BATCH_EVENTS = 200
POLL_SECONDS = 0.25
# A batch costs hardly more than one event: so long the first of a storm waits for the others.
GATHER_SECONDS = 0.1
APPLIER_LOCK = 7305808869229541
# After so many failures a person must look; the pauses before grow from one second to ten minutes.
MOST_ATTEMPTS = 8

STRIPE = Actor(Role.STRIPE)

Name = tuple[UUID, UUID]

logger = structlog.get_logger()


@dataclass
class _Row:
    event_id: str
    at: int
    sealed: bytes
    ticket: UUID | None
    attempts: int
    body: bytes = b""
    reading: ParsedEvent | None = None
    wants: str | None = None
    donation: Name | None = None
    state: str = "applied"
    error: str | None = None


class Applier:
    """Applies what is due, by hand or in a thread of its own between `start` and `stop`."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        mapper: SealingMapper,
        hash_email: HashEmail,
        recorded: Callable[[int], None],
        wanted: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._mapper = mapper
        self._hash_email = hash_email
        self._recorded = recorded
        self._wanted = wanted
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="applier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._inbox.arrived.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._inbox.arrived.clear()
            try:
                taken = self.apply_batch()
                if taken == 0:
                    self._inbox.arrived.wait(POLL_SECONDS)
                elif taken < BATCH_EVENTS // 2:
                    self._stopping.wait(GATHER_SECONDS)
            except (UnavailableError, *CONNECTION_ERRORS):
                self._stopping.wait(0.5)
            except Exception as error:
                # Its text may quote what somebody wrote.
                logger.error("applier failed", error=type(error).__name__)
                self._stopping.wait(1.0)

    def apply_all(self) -> None:
        """Apply until nothing that is due is left."""
        while self.apply_batch():
            pass

    def apply_batch(self, most: int = BATCH_EVENTS) -> int:
        """Apply what is due, at most so many events; how many were taken up."""
        try:
            return self._apply_due(most, None)
        except (UnavailableError, *CONNECTION_ERRORS):
            raise
        except Exception as error:
            # One of them spoils the batch: take them one by one, so that it holds up only itself.
            logger.warning("batch failed, taking events one by one", error=type(error).__name__)
        ids = self._due_ids(most)
        for event_id in ids:
            try:
                self._apply_due(1, event_id)
            except (UnavailableError, *CONNECTION_ERRORS):
                raise
            except Exception as error:
                self._set_back(event_id, error)
        return len(ids)

    def _apply_due(self, most: int, only: str | None) -> int:
        with self._database.transaction() as cursor:
            rows = self._due(cursor, most, only)
            position, done = self._apply(cursor, rows)
        _tell(position, done)
        if position is not None:
            self._recorded(position)
        if any(row.wants or (row.reading and row.reading.wants) for row in rows):
            self._wanted()
        return len(rows)

    def _due(self, cursor: Cursor[TupleRow], most: int, only: str | None) -> list[_Row]:
        """The events that are due. Appliers take turns: one that learns a link must see all that is held for it."""
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (APPLIER_LOCK,))
        cursor.execute(
            "SELECT event_id, stripe_created, body, ticket_id, attempts FROM stripe_inbox"
            " WHERE state = 'received' AND next_attempt_at <= now() AND (%s::text IS NULL OR event_id = %s)"
            " ORDER BY next_attempt_at, event_id LIMIT %s FOR UPDATE",
            (only, only, most),
        )
        return [_Row(id, at, bytes(body), ticket, tries) for id, at, body, ticket, tries in cursor.fetchall()]

    def _due_ids(self, most: int) -> list[str]:
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT event_id FROM stripe_inbox WHERE state = 'received' AND next_attempt_at <= now()"
                " ORDER BY next_attempt_at, event_id LIMIT %s",
                (most,),
            ).fetchall()
        return [event_id for (event_id,) in rows]

    def _set_back(self, event_id: str, error: Exception) -> None:
        """The event failed for a reason of ours: it is due later, and after many times a person's."""
        logger.error("event could not be applied", event_id=event_id, error=type(error).__name__)
        counters.webhooks_applied.labels("failed").inc()
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE stripe_inbox SET attempts = attempts + 1, error = %s,"
                " state = CASE WHEN attempts + 1 >= %s THEN 'dead' ELSE 'received' END,"
                " next_attempt_at = now() + make_interval(secs => least(600, 2 ^ attempts))"
                " WHERE event_id = %s AND state = 'received'",
                (type(error).__name__, MOST_ATTEMPTS, event_id),
            )

    def _apply(self, cursor: Cursor[TupleRow], rows: Sequence[_Row]) -> tuple[int | None, list[_Row]]:
        """Apply the rows in the cursor's transaction; the last position that was recorded, if any, and what is done."""
        if not rows:
            return None, []
        with tracing.span("apply webhooks", links=(row.event_id for row in rows), events=len(rows)) as span:
            positions, done = self._apply_all(cursor, rows)
            tracing.make_linkable(*positions)
            last = max(positions, default=None)
            span.set_attributes(position=last)
        return last, done

    def _apply_all(self, cursor: Cursor[TupleRow], rows: Sequence[_Row]) -> tuple[list[int], list[_Row]]:
        for row in rows:
            self._read(row)
        donations = self._link(cursor, rows)
        groups = self._decide(rows, donations)
        contended: set[Name] = set()
        results: list[list[int] | None] = []
        if groups:
            results = event_log.append(cursor, list(groups.values()))
            contended = {donation for donation, positions in zip(groups, results, strict=True) if positions is None}
        # Somebody else wrote to these donations meanwhile: their rows stay as they are and are due again at once.
        done = [row for row in rows if row.donation not in contended]
        self._finish(cursor, done)
        note(cursor, _told(done, donations))
        return [position for positions in results if positions for position in positions], done

    def _finish(self, cursor: Cursor[TupleRow], done: Sequence[_Row]) -> None:
        waiting = [row.reading.objects if row.reading and row.state == "held" else () for row in done]
        kept = [self._kept(row) for row in done]
        cursor.execute(
            "UPDATE stripe_inbox AS i SET state = d.state, error = d.error, attempts = i.attempts + 1,"
            " waits_for = coalesce(string_to_array(d.waits_for, ' '), '{}'), pending_object_id = d.pending_object_id,"
            " ticket_id = d.ticket_id, body = d.body"
            " FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::uuid[], %b::bytea[])"
            " AS d (event_id, state, error, waits_for, pending_object_id, ticket_id, body)"
            " WHERE i.event_id = d.event_id",
            (
                [row.event_id for row in done],
                [row.state for row in done],
                [row.error for row in done],
                [" ".join(objects) or None for objects in waiting],
                [row.wants for row in done],
                [ticket for ticket, _ in kept],
                [body for _, body in kept],
            ),
        )
        wanted = {
            id: row.at for row in done if row.state == "applied" and row.reading for id in sorted(row.reading.wants)
        }
        if wanted:
            self._inbox.note_wanted(cursor, wanted)

    def _kept(self, row: _Row) -> tuple[UUID | None, bytes]:
        ticket = row.donation[0] if row.donation else row.ticket
        if not row.body:
            return ticket, b""
        return self._inbox.kept(row.event_id, row.state, row.body, ticket)

    def _read(self, row: _Row) -> None:
        try:
            row.body = self._inbox.opened(row.event_id, row.sealed, row.ticket)
        except NotFoundError:
            # Erased before it could be applied: whatever it said can never be known again.
            row.state, row.error = "dead", "erased"
            return
        try:
            event = json.loads(row.body)
            row.wants = to_fetch(event)
            row.reading = None if row.wants else read(event, self._hash_email)
        except MalformedFact as fault:
            row.state, row.error = "dead", f"malformed: {fault}"
            return
        if row.wants:
            row.state = "held"
        elif row.reading is None or not row.reading.facts:
            row.state = "ignored"

    def _link(self, cursor: Cursor[TupleRow], rows: Sequence[_Row]) -> dict[Name, Donation]:
        """Find each row's donation by its metadata or by objects known before, and learn the objects it names.

        Links reach through a chain of unknown objects (a refund names a charge, the charge an intent), so a round is
        taken until nothing new is learned. What others held for these objects is due again. Metadata that names no
        donation of ours says nothing.
        """
        readings = [(row, row.reading) for row in rows if row.reading is not None]
        names = sorted({name for _, reading in readings for name in reading.objects})
        cursor.execute("SELECT object_id, ticket_id, donation_id FROM stripe_links WHERE object_id = ANY(%b)", (names,))
        links: dict[str, Name] = {name: (ticket, donation) for name, ticket, donation in cursor.fetchall()}
        donations = self._load(cursor, {*links.values(), *(r.named for _, r in readings if r.named)})
        learned: dict[str, Name] = {}
        growing = True
        while growing:
            growing = False
            for row, reading in readings:
                # What is linked stays linked: metadata that somebody edits later moves no money.
                linked = next((links[name] for name in reading.objects if links.get(name) in donations), None)
                found = linked or (reading.named if reading.named in donations else None)
                if found is None:
                    continue
                row.donation = found
                for name in reading.objects:
                    if name not in links:
                        links[name] = learned[name] = found
                        growing = True
        if learned:
            cursor.execute(
                "INSERT INTO stripe_links (object_id, ticket_id, donation_id)"
                " SELECT * FROM unnest(%b::text[], %b::uuid[], %b::uuid[]) ON CONFLICT DO NOTHING",
                (list(learned), [t for t, _ in learned.values()], [d for _, d in learned.values()]),
            )
            cursor.execute(
                "UPDATE stripe_inbox SET state = 'received', waits_for = '{}', next_attempt_at = now()"
                " WHERE state = 'held' AND waits_for && %b",
                (list(learned),),
            )
        for row, _ in readings:
            if row.donation is None and row.state == "applied":
                row.state = "held"
        return donations

    def _decide(self, rows: Sequence[_Row], donations: dict[Name, Donation]) -> dict[Name, list[Entry]]:
        """The events that the rows' facts make of their donations, as groups to append."""
        for row in rows:
            if row.state != "applied" or row.reading is None or row.donation is None:
                continue
            donation = donations[row.donation]
            if any(fact.currency not in (None, donation.amount.currency) for fact in row.reading.facts):
                row.state, row.error = "dead", "malformed: currency differs from the donation's"
                continue
            for fact in row.reading.facts:
                donation.take(STRIPE, fact.event, **fact.told)
        groups = {}
        for name, donation in donations.items():
            if events := donation.collect_events():
                groups[name] = [self._stored(event) for event in events if isinstance(event, DonationEvent)]
        return groups

    def _stored(self, event: DonationEvent) -> Entry:
        with suppress(NotFoundError):
            return self._mapper.to_stored_event(event)
        # The ticket's key is destroyed: the money is recorded, and nobody's name.
        assert isinstance(event, PaymentReceived | PaymentConfirmed)
        told: dict[str, Any] = vars(event) | {"donor": replace(event.donor, last_name=None)}
        return self._mapper.to_stored_event(type(event)(**told))

    def _load(self, cursor: Cursor[TupleRow], names: Iterable[Name]) -> dict[Name, Donation]:
        """Those of the donations that are ours."""
        streams = {donation_stream(*name): name for name in names}
        if not streams:
            return {}
        entries = event_log.select(cursor.connection, "stream = ANY(%b) ORDER BY stream, version", (list(streams),))
        donations: dict[Name, Donation] = {}
        for entry in entries:
            name = streams[entry.originator_id]
            event: Any = self._mapper.to_domain_event(entry)
            donations[name] = event.mutate(donations.get(name))
        return donations


def _tell(position: int | None, done: Sequence[_Row]) -> None:
    """One line in the log for a batch, with each event under what became of it."""
    if not done:
        return
    told: dict[str, list[str]] = {}
    for row in done:
        told.setdefault(row.state, []).append(row.event_id)
    for state, ids in told.items():
        counters.webhooks_applied.labels(state).inc(len(ids))
    logger.info("webhooks applied", stripe_events=told, position=position)


def _told(rows: Iterable[_Row], donations: dict[Name, Donation]) -> Iterator[AppliedEvent]:
    """What these rows' events said of their donations, for whom it may concern."""
    for row in rows:
        if row.state == "applied" and row.reading is not None and row.donation is not None:
            yield AppliedEvent(row.donation, row.event_id, row.reading.facts, donations[row.donation].gift)

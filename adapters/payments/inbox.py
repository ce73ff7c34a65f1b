"""The inbox: a verified Stripe event is stored once and answered; the applier turns what is stored into history.

States: received → applied | ignored | held (its payment is not known yet) | dead (a person must look). The events, the
new states and the links they teach are one transaction, so an effect happens once however often anything is repeated
or killed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.database import AWAY, Database
from adapters.event_store import log as event_log
from adapters.event_store.history import SealingMapper
from adapters.event_store.log import Entry
from adapters.payments.door import SignedEvent
from adapters.payments.facts import HashEmail, MalformedFact, Reading, read
from adapters.sealing import Keyring
from domain.donation import Donation, donation_stream
from domain.errors import UnavailableError
from domain.events import DonationEvent
from domain.values import Actor, Role

BATCH_EVENTS = 200
POLL_SECONDS = 0.25
APPLIER_LOCK = 7305808869229541
# After so many failures a person must look; the pauses before grow from one second to ten minutes.
MOST_ATTEMPTS = 8

STRIPE = Actor(Role.STRIPE)

logger = structlog.get_logger()


class Inbox:
    """Stripe's door on our side of the signature."""

    def __init__(self, database: Database, ring: Keyring) -> None:
        self._database = database
        self._ring = ring
        self.arrived = threading.Event()

    def accept(self, event: SignedEvent) -> bool:
        """Store the event durably; False if it is there already."""
        sealed = self._ring.seal(event.body, event.id.encode())
        with self._database.connection() as connection:
            stored = connection.execute(
                "INSERT INTO stripe_inbox (event_id, type, at, body) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (event_id) DO NOTHING",
                (event.id, event.type, int(event.created.timestamp()), sealed),
            )
        self.arrived.set()
        return stored.rowcount == 1

    def opened(self, event_id: str, body: bytes) -> Any:
        """The event as Stripe sent it."""
        return json.loads(self._ring.open(body, event_id.encode()))


@dataclass
class _Row:
    event_id: str
    body: bytes
    attempts: int
    reading: Reading | None = None
    donation: tuple[UUID, UUID] | None = None
    state: str = "applied"
    error: str | None = None


class Applier:
    """Applies what the inbox holds, many events at a time, in a thread of its own between `start` and `stop`."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        mapper: SealingMapper,
        hash_email: HashEmail,
        recorded: Callable[[int], None],
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._mapper = mapper
        self._hash_email = hash_email
        self._recorded = recorded
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
                if self.apply_batch() == 0:
                    self._inbox.arrived.wait(POLL_SECONDS)
            except (UnavailableError, *AWAY):
                self._stopping.wait(0.5)
            except Exception:
                logger.exception("applier failed")
                self._stopping.wait(1.0)

    def apply_all(self) -> None:
        """Apply until nothing that is due is left."""
        while self.apply_batch():
            pass

    def apply_batch(self, most: int = BATCH_EVENTS) -> int:
        """Apply what is due, at most so many events; how many were taken up."""
        try:
            with self._database.transaction() as cursor:
                rows = self._due(cursor, most)
                position = self._apply(cursor, rows)
            if position is not None:
                self._recorded(position)
            return len(rows)
        except (UnavailableError, *AWAY):
            raise
        except Exception as error:
            if most == 1:
                self._set_back(error)
                return 1
            # One of them spoils the batch: take them one by one, so that it holds up only itself.
            logger.warning("batch failed, taking events one by one", error=type(error).__name__)
            return sum(self.apply_batch(1) for _ in range(most))

    def _due(self, cursor: Cursor[TupleRow], most: int) -> list[_Row]:
        """The events that are due. Appliers take turns: one that learns a link must see all that is held for it."""
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (APPLIER_LOCK,))
        cursor.execute(
            "SELECT event_id, body, attempts FROM stripe_inbox WHERE state = 'received' AND next_at <= now()"
            " ORDER BY next_at, event_id LIMIT %s FOR UPDATE",
            (most,),
        )
        return [_Row(event_id, bytes(body), attempts) for event_id, body, attempts in cursor.fetchall()]

    def _set_back(self, error: Exception) -> None:
        """The event that is due first failed for a reason of ours: later, and after many times a person's."""
        logger.error("event could not be applied", error=type(error).__name__)
        with self._database.transaction() as cursor:
            for row in self._due(cursor, 1):
                attempts = row.attempts + 1
                cursor.execute(
                    "UPDATE stripe_inbox SET attempts = %s, error = %s, state = %s,"
                    " next_at = now() + make_interval(secs => %s) WHERE event_id = %s",
                    (
                        attempts,
                        type(error).__name__,
                        "dead" if attempts >= MOST_ATTEMPTS else "received",
                        min(600, 2**attempts),
                        row.event_id,
                    ),
                )

    def _apply(self, cursor: Cursor[TupleRow], rows: Sequence[_Row]) -> int | None:
        """Apply the rows in the cursor's transaction; the last position that was recorded, if any."""
        if not rows:
            return None
        for row in rows:
            self._read(row)
        self._link(cursor, rows)
        groups = self._decide(cursor, rows)
        contended: set[tuple[UUID, UUID] | None] = set()
        results: list[list[int] | None] = []
        if groups:
            results = event_log.append(cursor, list(groups.values()))
            contended = {donation for donation, positions in zip(groups, results, strict=True) if positions is None}
        # Somebody else wrote to these donations meanwhile: their rows stay as they are and are due again at once.
        done = [row for row in rows if row.donation not in contended]
        cursor.execute(
            "UPDATE stripe_inbox AS i SET state = d.state, error = d.error, attempts = i.attempts + 1,"
            " waits_for = coalesce(string_to_array(d.waits_for, ' '), '{}')"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS d (event_id, state, error, waits_for)"
            " WHERE i.event_id = d.event_id",
            (
                [row.event_id for row in done],
                [row.state for row in done],
                [row.error for row in done],
                [" ".join(row.reading.objects) if row.state == "held" and row.reading else None for row in done],
            ),
        )
        return max((positions[-1] for positions in results if positions), default=None)

    def _read(self, row: _Row) -> None:
        try:
            row.reading = read(self._inbox.opened(row.event_id, row.body), self._hash_email)
        except MalformedFact as fault:
            row.state, row.error = "dead", f"malformed: {fault}"
            return
        if row.reading is None or not row.reading.facts:
            row.state = "ignored"

    def _link(self, cursor: Cursor[TupleRow], rows: Sequence[_Row]) -> None:
        """Find each row's donation by its metadata or by objects known before, and learn the objects it names.

        Links reach through a chain of unknown objects (a refund names a charge, the charge an intent), so a round is
        taken until nothing new is learned. What others held for these objects is due again.
        """
        readings = [(row, row.reading) for row in rows if row.reading is not None]
        names = sorted({name for _, reading in readings for name in reading.objects})
        cursor.execute("SELECT object_id, ticket_id, donation_id FROM stripe_links WHERE object_id = ANY(%s)", (names,))
        links: dict[str, tuple[UUID, UUID]] = {name: (ticket, donation) for name, ticket, donation in cursor.fetchall()}
        learned: dict[str, tuple[UUID, UUID]] = {}
        growing = True
        while growing:
            growing = False
            for row, reading in readings:
                found = reading.named or next((links[name] for name in reading.objects if name in links), None)
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
                " SELECT * FROM unnest(%s::text[], %s::uuid[], %s::uuid[]) ON CONFLICT DO NOTHING",
                (list(learned), [t for t, _ in learned.values()], [d for _, d in learned.values()]),
            )
            cursor.execute(
                "UPDATE stripe_inbox SET state = 'received', waits_for = '{}', next_at = now()"
                " WHERE state = 'held' AND waits_for && %s",
                (list(learned),),
            )
        for row, _ in readings:
            if row.donation is None and row.state == "applied":
                row.state = "held"

    def _decide(self, cursor: Cursor[TupleRow], rows: Sequence[_Row]) -> dict[tuple[UUID, UUID], list[Entry]]:
        """The events that the rows' facts make of their donations, as groups to append."""
        wanted = {row.donation for row in rows if row.state == "applied" and row.donation}
        donations = self._load(cursor, wanted)
        for row in rows:
            if row.state != "applied" or row.reading is None or row.donation is None:
                continue
            donation = donations.get(row.donation)
            if donation is None:
                # Our own record comes before Stripe is asked, so this is another system's donation, or a lost one.
                row.state = "held"
            elif any(fact.currency not in (None, donation.amount.currency) for fact in row.reading.facts):
                row.state, row.error = "dead", "malformed: currency differs from the donation's"
            else:
                for fact in row.reading.facts:
                    donation.take(STRIPE, fact.event, **fact.told)
        groups = {}
        for name, donation in donations.items():
            if events := donation.collect_events():
                groups[name] = [
                    self._mapper.to_stored_event(event) for event in events if isinstance(event, DonationEvent)
                ]
        return groups

    def _load(self, cursor: Cursor[TupleRow], names: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Donation]:
        streams = {donation_stream(*name): name for name in names}
        if not streams:
            return {}
        entries = event_log.select(cursor.connection, "stream = ANY(%s) ORDER BY stream, version", (list(streams),))
        donations: dict[tuple[UUID, UUID], Donation] = {}
        for entry in entries:
            name = streams[entry.originator_id]
            event: Any = self._mapper.to_domain_event(entry)
            donations[name] = event.mutate(donations.get(name))
        return donations


@dataclass(frozen=True)
class DeadLetter:
    """A webhook event that could not be applied."""

    id: str
    type: str
    attempts: int
    error: str | None
    received_at: datetime


class DeadLetters:
    """What a person must look at: events that failed, and events whose payment never became known."""

    UNMATCHED_HOURS = 72

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[DeadLetter]:
        """Oldest first."""
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT event_id, type, attempts, CASE state WHEN 'dead' THEN error ELSE 'unmatched' END, received_at"
                " FROM stripe_inbox WHERE state = 'dead'"
                " OR (state = 'held' AND received_at < now() - make_interval(hours => %s)) ORDER BY received_at",
                (self.UNMATCHED_HOURS,),
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Take them up again, all or those named; how many."""
        with self._database.connection() as connection:
            return connection.execute(
                "UPDATE stripe_inbox SET state = 'received', attempts = 0, error = NULL, next_at = now()"
                " WHERE state IN ('dead', 'held') AND (%s::text[] IS NULL OR event_id = ANY(%s))",
                (ids, ids),
            ).rowcount


@dataclass(frozen=True)
class InboxHealth:
    waiting: int
    dead_letters: int
    oldest_seconds: float


def health(database: Database) -> InboxHealth:
    """How much is waiting to be applied, and for how long the oldest has."""
    with database.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE state = 'received'), count(*) FILTER (WHERE state = 'dead'),"
            " min(received_at) FILTER (WHERE state = 'received') FROM stripe_inbox WHERE state IN ('received', 'dead')"
        ).fetchone()
    assert row is not None
    oldest = (datetime.now(UTC) - row[2]).total_seconds() if row[2] else 0.0
    return InboxHealth(row[0], row[1], max(0.0, oldest))

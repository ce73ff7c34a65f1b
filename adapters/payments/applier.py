"""The applier turns the Stripe events in the inbox into domain events, in batches.

One transaction holds the domain events, the new states of the inbox's rows, the new links from Stripe objects to
donations, the donor e-mails and the requested retrievals. So an event takes effect exactly once, however often it is
delivered or a process is killed.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store import log as event_log
from adapters.event_store.history import SealingMapper
from adapters.event_store.log import NewEntry
from adapters.observability import counters, tracing
from adapters.payments.donor_emails import AppliedEvent, add_donor_emails
from adapters.payments.event_parsers import HashEmail
from adapters.payments.gift_news import note_gifts
from adapters.payments.inbox import UNFINISHED_STATES, Inbox, SealedBody
from adapters.payments.linking import OTHER_ACCOUNT, OTHER_BUSINESS, InboxRow, link
from adapters.payments.parsed_events import is_of_another_account, object_to_retrieve, parse_event
from adapters.payments.recorded_donations import load_donations
from adapters.payments.redaction import ticket_in_metadata
from adapters.payments.stripe_objects import DonationKey, MalformedObject
from adapters.postgres.background import StepLoop
from adapters.postgres.database import CONNECTION_ERRORS, Database
from adapters.postgres.leased_queue import LeasedQueue
from domain.donations import Donation
from domain.errors import NotFoundError, UnavailableError
from domain.events import DonationEvent, PaymentConfirmed, PaymentReceived
from domain.values import Donor

BATCH_EVENTS = 200
# After a small batch the applier rests this long, so that the events of a burst share batches.
REST_SECONDS = 0.1
MAX_ATTEMPTS = 8
_IGNORED_REASONS = {OTHER_ACCOUNT: "other_account", OTHER_BUSINESS: "other_business"}

logger = structlog.get_logger()

_QUEUE = LeasedQueue(
    "stripe_inbox",
    "event_id",
    "event_id, stripe_created, body, ticket_id, accepted_by",
    waiting="received",
    max_attempts=MAX_ATTEMPTS,
)
_FINISH = """
UPDATE stripe_inbox AS i
   SET state = new.state, error = new.error, attempts = i.attempts + 1,
       waits_for = coalesce(string_to_array(new.waits_for, ' '), '{}'), pending_object_id = new.pending_object_id,
       ask_about = new.ask_about, ticket_id = new.ticket_id, donation_stream = new.donation_stream, body = new.body,
       epoch = CASE WHEN new.ticket_id IS NULL THEN i.epoch END
  FROM unnest(
           %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::uuid[], %b::uuid[], %b::bytea[]
       ) AS new (event_id, state, error, waits_for, pending_object_id, ask_about, ticket_id, donation_stream, body)
 WHERE i.event_id = new.event_id
"""


class Applier(StepLoop):
    """Applies due events, when called or in its own thread between `start` and `stop`.

    `on_recorded` is called with the last position of a batch, `on_retrieval_added` after a retrieval was requested.
    """

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        mapper: SealingMapper,
        hash_email: HashEmail,
        on_recorded: Callable[[int], None],
        on_retrieval_added: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            "applier",
            lambda: self.apply_batch() >= BATCH_EVENTS // 2,
            _QUEUE.is_due,
            rest_seconds=REST_SECONDS,
            wake=inbox.arrived,
        )
        self._database = database
        self._inbox = inbox
        self._mapper = mapper
        self._hash_email = hash_email
        self._on_recorded = on_recorded
        self._on_retrieval_added = on_retrieval_added

    def stop(self, seconds: float = 5.0) -> None:
        super().stop(seconds)

    def apply_all(self) -> None:
        """Apply events until none is due."""
        while self.apply_batch():
            pass

    def apply_batch(self, limit: int = BATCH_EVENTS) -> int:
        """Apply at most `limit` events that are due; return how many were tried."""
        try:
            return self._apply_rows(limit)
        except (UnavailableError, *CONNECTION_ERRORS):
            raise
        except Exception as error:
            # One event makes the whole batch fail. Applied one by one, it delays only itself.
            logger.warning("batch failed, applying events one by one", error=type(error).__name__)
        with self._database.connection() as connection:
            due = _QUEUE.due(connection, limit)
        for event_id, attempts in due:
            self._apply_one(event_id, attempts)
        return len(due)

    def _apply_one(self, event_id: str, attempts: int) -> None:
        try:
            self._apply_rows(1, event_id)
        except (UnavailableError, *CONNECTION_ERRORS):
            raise
        except Exception as error:
            self._record_failure(event_id, attempts, error)

    def _record_failure(self, event_id: str, attempts: int, error: Exception) -> None:
        logger.error("event could not be applied", event_id=event_id, error=type(error).__name__)
        counters.webhooks_applied.labels("failed").inc()
        with self._database.connection() as connection:
            _QUEUE.retry(connection, event_id, attempts, type(error).__name__)

    def _apply_rows(self, limit: int, event_id: str | None = None) -> int:
        """Apply a batch, or one event, in one transaction; return how many rows were claimed."""
        with self._database.transaction() as cursor:
            # One applier runs at a time: it must see all events that are held for the objects that it links.
            self._inbox.lock_applier(cursor)
            rows = [
                InboxRow(id, created, bytes(body), ticket_id, accepted_by)
                for id, created, body, ticket_id, accepted_by, _ in _QUEUE.claim(cursor, limit, event_id)
            ]
            if not rows:
                return 0
            with tracing.span("apply webhooks", links=(row.event_id for row in rows), events=len(rows)) as span:
                positions, finished = self._apply(cursor, rows)
                tracing.make_linkable(*positions)
                last_position = max(positions, default=None)
                span.set_attributes(position=last_position)
        _report(last_position, finished)
        if last_position is not None:
            self._on_recorded(last_position)
        if any(row.pending_object_id or row.missing_ids for row in rows):
            self._on_retrieval_added()
        return len(rows)

    def _apply(self, cursor: Cursor[TupleRow], rows: Sequence[InboxRow]) -> tuple[list[int], list[InboxRow]]:
        """Apply the rows in the cursor's transaction; return the recorded positions and the finished rows."""
        for row in rows:
            self._parse(row)
        donations, ignored_ids = link(cursor, rows, lambda keys: self._load(cursor, keys))
        entries = self._decide(rows, donations)
        results = event_log.append(cursor, list(entries.values())) if entries else []
        # Another process wrote to these donations meanwhile: their rows stay as they are and are due again at once.
        contended = {key for key, positions in zip(entries, results, strict=True) if positions is None}
        finished = [row for row in rows if row.donation_key not in contended]
        self._finish(cursor, finished, donations)
        if ignored_ids:
            self._inbox.add_retrievals(cursor, dict.fromkeys(sorted(ignored_ids), int(time.time())), repeat=True)
        positions = [position for recorded in results if recorded for position in recorded]
        applied = list(_applied_events(finished, donations))
        add_donor_emails(cursor, applied)
        if positions:
            note_gifts(cursor, applied, max(positions))
        return positions, finished

    def _parse(self, row: InboxRow) -> None:
        """Open and parse the row's body, and set the state that follows from it alone."""
        try:
            row.body = self._inbox.open_body(row.event_id, row.sealed_body, row.ticket_id)
        except NotFoundError:
            # The ticket was erased before the event was applied, so its body is unreadable.
            row.state, row.error = "dead", "erased"
            return
        try:
            event = msgspec.json.decode(row.body)
            if is_of_another_account(event):
                row.state, row.error = "ignored", OTHER_ACCOUNT
                return
            row.pending_object_id = object_to_retrieve(event)
            if row.pending_object_id is None:
                row.event = parse_event(event, self._hash_email)
        except MalformedObject as fault:
            row.state, row.error = "dead", f"malformed: {fault}"
            return
        if row.pending_object_id is not None:
            row.state = "held"
        elif row.event is None or not (row.event.facts or row.event.only_links):
            row.state = "ignored"

    def _load(self, cursor: Cursor[TupleRow], keys: Iterable[DonationKey]) -> dict[DonationKey, Donation]:
        """Return those of the donations that exist."""
        recorded = load_donations(cursor.connection, set(keys), self._mapper)
        return {key: each.donation for key, each in recorded.items()}

    def _decide(
        self, rows: Sequence[InboxRow], donations: dict[DonationKey, Donation]
    ) -> dict[DonationKey, list[NewEntry]]:
        """Record the rows' facts in their donations; return the new events of each donation."""
        for row in rows:
            if row.state != "applied" or row.event is None or row.donation_key is None:
                continue
            for fact in row.event.facts_to_record:
                donations[row.donation_key].record(row.actor, fact.event_type, **fact.fields)
        entries = {}
        for key, donation in donations.items():
            if events := donation.collect_events():
                entries[key] = [self._to_entry(event) for event in events if isinstance(event, DonationEvent)]
        return entries

    def _to_entry(self, event: DonationEvent) -> NewEntry:
        with suppress(NotFoundError):
            return self._mapper.to_stored_event(event)
        # The donation's key is destroyed: the money is recorded without the donor.
        assert isinstance(event, PaymentReceived | PaymentConfirmed)
        return self._mapper.to_stored_event(replace(event, donor=Donor(country=event.donor.country)))

    def _finish(
        self, cursor: Cursor[TupleRow], rows: Sequence[InboxRow], donations: Mapping[DonationKey, Donation]
    ) -> None:
        """Store the rows' new states and bodies, and request the objects that they name but do not contain."""
        owners = [_owners(row, donations) for row in rows]
        ids = {id for row_owners in owners for id in row_owners if id}
        unfinished = {
            id
            for row, row_owners in zip(rows, owners, strict=True)
            if row.state in UNFINISHED_STATES
            for id in row_owners
            if id
        }
        # No key is destroyed until the commit, because this transaction holds the applier's lock.
        keys = self._inbox.keys_of(cursor, ids, unfinished)
        resealed = [self._reseal(row, *row_owners, keys) for row, row_owners in zip(rows, owners, strict=True)]
        cursor.execute(
            _FINISH,
            (
                [row.event_id for row in rows],
                [row.state for row in rows],
                [row.error for row in rows],
                [" ".join(row.waits_for) or None for row in rows],
                [row.pending_object_id for row in rows],
                [row.ask_about for row in rows],
                [sealed.ticket_id for sealed in resealed],
                [sealed.donation_stream for sealed in resealed],
                [sealed.body for sealed in resealed],
            ),
        )
        if times := {id: row.stripe_created for row in rows for id in sorted(row.missing_ids)}:
            self._inbox.add_retrievals(cursor, times)

    def _reseal(
        self, row: InboxRow, ticket_id: UUID | None, stream: UUID | None, keys: Mapping[UUID, bytes | None]
    ) -> SealedBody:
        if not row.body:
            return SealedBody(ticket_id, None, b"")
        return self._inbox.reseal_body(row.event_id, row.state, row.body, ticket_id, stream, keys)


def _owners(row: InboxRow, donations: Mapping[DonationKey, Donation]) -> tuple[UUID | None, UUID | None]:
    """Return the ticket and the donation's stream whose keys decide about the row's body."""
    if row.donation_key:
        return row.donation_key[0], donations[row.donation_key].id
    if row.ticket_id is None and row.state in UNFINISHED_STATES:
        return ticket_in_metadata(row.body), None
    return row.ticket_id, None


def _report(position: int | None, rows: Sequence[InboxRow]) -> None:
    """Log one line for a batch, with the ids of the events under their new states, and count them."""
    if not rows:
        return
    ids_by_state: dict[str, list[str]] = {}
    for row in rows:
        ids_by_state.setdefault(row.state, []).append(row.event_id)
        if row.state == "ignored":
            counters.webhooks_ignored.labels(_IGNORED_REASONS.get(row.error or "", "not_used")).inc()
    for state, ids in ids_by_state.items():
        counters.webhooks_applied.labels(state).inc(len(ids))
    logger.info("webhooks applied", stripe_events=ids_by_state, position=position)


def _applied_events(rows: Iterable[InboxRow], donations: dict[DonationKey, Donation]) -> Iterator[AppliedEvent]:
    for row in rows:
        if row.state == "applied" and row.event is not None and row.donation_key is not None:
            gift = donations[row.donation_key].gift
            yield AppliedEvent(row.donation_key, row.event_id, row.event.facts_to_record, gift)

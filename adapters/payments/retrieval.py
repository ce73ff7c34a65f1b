"""Pending retrievals: the objects that are retrieved from Stripe in the background.

An event may name an object without containing it, and of some objects we receive no event. The inbox stores the request
for an object before the call to Stripe, and then the object. After a crash the call is repeated; it only reads.

About an event that is held for long, Stripe is asked once: for its payment, or for the checkout of the donation that
its metadata names.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

from adapters.payments.inbox import Inbox, as_event, to_json
from adapters.payments.parsed_events import RETRIEVED_FIELD
from adapters.payments.stripe_objects import CHARGE, INTENT, REFUND, SESSION, StripeDict
from adapters.postgres.background import StepLoop
from adapters.postgres.database import Database
from adapters.postgres.leased_queue import LeasedQueue
from domain.errors import DomainError, NotFoundError

# The pause between two calls: Stripe limits the calls per second, and no client waits for these.
CALL_PAUSE_SECONDS = 0.04
# Longer than one call to Stripe takes, so that no other process makes the same call meanwhile.
LEASE_SECONDS = 90
LONGEST_PAUSE_SECONDS = 3600
# How long an event is held before Stripe is asked about it; usually the event that it waits for arrives sooner.
ASK_AFTER_SECONDS = 15.0
MOST_ASKED_TOGETHER = 100
# A payment or a checkout that Stripe does not find so often is not asked for again: the event stays held.
MOST_ATTEMPTS_TO_FIND = 3

# The field that leads from a paid object to the balance transaction.
_PAID_BY = {SESSION: "payment_intent", INTENT: "latest_charge", CHARGE: "balance_transaction"}
# The states that begin after the object's creation, at a time that the object does not tell.
_UNDATED_STATES = {(SESSION, "complete"), (INTENT, "processing")}

Retrieve = Callable[[str], StripeDict]

logger = structlog.get_logger()

# Retried without limit: an event that is held too long is listed among the dead letters anyway.
_QUEUE = LeasedQueue(
    "stripe_inbox",
    "event_id",
    "event_id, pending_object_id",
    waiting="held",
    condition="pending_object_id IS NOT NULL",
    lease_seconds=LEASE_SECONDS,
    first_pause_seconds=2.0,
    longest_pause_seconds=LONGEST_PAUSE_SECONDS,
)
_TO_ASK = "FROM stripe_inbox WHERE ask_about IS NOT NULL AND received_at <= now() - make_interval(secs => {})"
_CLAIM_TO_ASK = f"""
UPDATE stripe_inbox AS i SET ask_about = NULL
  FROM (SELECT event_id, ask_about {_TO_ASK.format("%s")}
         ORDER BY received_at LIMIT %s FOR UPDATE SKIP LOCKED) AS held
 WHERE i.event_id = held.event_id RETURNING held.ask_about, i.stripe_created
"""  # noqa: S608
_LOCK_PENDING = """
SELECT body, ticket_id FROM stripe_inbox
 WHERE event_id = %s AND state = 'held' AND pending_object_id IS NOT NULL FOR UPDATE
"""
_STORE_RETRIEVED = """
UPDATE stripe_inbox
   SET state = 'received', body = %s, ticket_id = NULL, pending_object_id = NULL, error = NULL, attempts = 0,
       next_attempt_at = now()
 WHERE event_id = %s
"""


# Complete the requests for these objects, those of which are still pending.
_ANSWER = """
UPDATE stripe_inbox AS i
   SET state = 'received', body = new.body, ticket_id = NULL, pending_object_id = NULL, error = NULL, attempts = 0,
       next_attempt_at = now()
  FROM unnest(%b::text[], %b::bytea[]) AS new (id, body)
 WHERE i.event_id = new.id AND i.state = 'held' AND i.pending_object_id = i.event_id
"""


class Retriever:
    """Retrieves objects from Stripe that are of our own mode, live or test."""

    def __init__(self, retrieve: Retrieve, *, livemode: bool) -> None:
        self._retrieve = retrieve
        self._livemode = livemode

    def retrieve(self, object_id: str) -> StripeDict:
        """Return the object in its present state; NotFoundError if it does not exist or is of the other mode."""
        stripe_object = self._retrieve(object_id)
        if stripe_object.get("livemode", self._livemode) is not self._livemode:
            raise NotFoundError("The object belongs to the other mode.")
        return stripe_object

    def time_of(self, stripe_object: StripeDict, known: Mapping[str, StripeDict] | None = None) -> int:
        """Return the Stripe time to record for the object's present state, in Unix seconds.

        It is the creation of the object. For a payment it is the creation of the balance transaction, because sessions
        and intents, and charges of delayed payments, are created before the money comes. For a refund that failed or
        was canceled it is that of the balance transaction which returned the money. For a dispute it is that of the
        last movement of its money. For a state without a time of its own, such as the sum of a charge's refunds, it is
        the present: the earliest report counts, so a time before the state began would stay. Objects that `known` has
        by their ids are not retrieved.
        """
        if stripe_object["object"] == CHARGE and stripe_object.get("amount_refunded"):
            return int(time.time())
        return self._time_of(stripe_object, known or {})

    def _time_of(self, stripe_object: StripeDict, known: Mapping[str, StripeDict]) -> int:
        is_paid = stripe_object.get("payment_status") == "paid" or stripe_object.get("status") == "succeeded"
        if is_paid and stripe_object["object"] in _PAID_BY:
            paid_at = self._time_of_named(stripe_object.get(_PAID_BY[stripe_object["object"]]), known)
            return int(time.time()) if paid_at is None else paid_at
        if stripe_object["object"] == REFUND and stripe_object.get("status") in ("failed", "canceled"):
            returned_at = self._time_of_named(stripe_object.get("failure_balance_transaction"), known)
            return int(time.time()) if returned_at is None else returned_at
        if (stripe_object["object"], stripe_object.get("status")) in _UNDATED_STATES:
            return int(time.time())
        times = [stripe_object.get(name) for name in ("created", "canceled_at")]
        if stripe_object.get("status") == "expired" and isinstance(expires_at := stripe_object.get("expires_at"), int):
            times.append(min(expires_at, int(time.time())))
        times += [transaction.get("created") for transaction in stripe_object.get("balance_transactions") or ()]
        return max((at for at in times if isinstance(at, int)), default=int(time.time()))

    def _time_of_named(self, named: object, known: Mapping[str, StripeDict]) -> int | None:
        """Return the time of an object that is named or expanded in a field; None if Stripe has no such object."""
        if isinstance(named, dict):
            return self._time_of(named, known)
        if isinstance(named, str):
            with suppress(NotFoundError):
                return self._time_of(known[named] if named in known else self._retrieve(named), known)
        return None


@dataclass(frozen=True)
class PendingRetrieval:
    """A row of the inbox that waits for the object with this id."""

    event_id: str
    object_id: str
    attempts: int


class PendingRetrievals(StepLoop):
    """Makes the pending retrievals, when called or in its own thread between `start` and `stop`."""

    def __init__(self, database: Database, inbox: Inbox, retriever: Retriever) -> None:
        super().__init__(
            "pending retrievals",
            lambda: self.retrieve_one() or self.ask_about_held(),
            f"{_QUEUE.is_due} OR EXISTS (SELECT {_TO_ASK.format(ASK_AFTER_SECONDS)})",
            pause_seconds=CALL_PAUSE_SECONDS,
        )
        self._database = database
        self._inbox = inbox
        self._retriever = retriever

    def request(self, object_id: str) -> None:
        """Request that a session or a payment is retrieved and applied soon, in the background.

        The object goes through the inbox and the applier like a webhook event, so repeated requests have one effect.
        """
        self._inbox.request_retrieval(object_id, int(time.time()))
        self.wake()

    def ask_about_held(self, after_seconds: float = ASK_AFTER_SECONDS) -> bool:
        """Request the objects that events wait for that have been held so long; return False if there are none."""
        with self._database.transaction() as cursor:
            times = dict(cursor.execute(_CLAIM_TO_ASK.encode(), (after_seconds, MOST_ASKED_TOGETHER)).fetchall())
            if times:
                self._inbox.add_retrievals(cursor, times, repeat=True, only_links=True)
        return bool(times)

    def pending_count(self, prefix: str) -> int:
        """Return how many objects whose ids begin with the prefix are requested and not retrieved."""
        row = self._database.row(
            "SELECT count(*) FROM stripe_inbox WHERE state = 'held' AND pending_object_id IS NOT NULL"
            " AND starts_with(pending_object_id, %s)",
            (prefix,),
        )
        return int(row[0]) if row else 0

    def answer(self, stripe_objects: Iterable[StripeDict]) -> None:
        """Complete the pending requests for these objects, which Stripe listed, as if each had been retrieved."""
        events = {data["id"]: as_event(data["id"], data, self._retriever.time_of(data)) for data in stripe_objects}
        bodies = [self._inbox.seal_body(id, to_json(event)) for id, event in events.items()]
        if bodies and self._database.execute(_ANSWER.encode(), (list(events), bodies)):
            self._inbox.arrived.set()

    def retrieve_all(self) -> None:
        """Retrieve objects until none is due."""
        while self.retrieve_one():
            pass

    def retrieve_one(self) -> bool:
        """Make the retrieval that has been due the longest; return False if nothing is due."""
        with self._database.transaction() as cursor:
            rows = _QUEUE.claim(cursor)
        for row in rows:
            self._retrieve(PendingRetrieval(*row))
        return bool(rows)

    def _retrieve(self, pending: PendingRetrieval) -> None:
        log = logger.bind(event_id=pending.event_id, object=pending.object_id, attempts=pending.attempts)
        try:
            self._retrieve_and_store(pending)
        except NotFoundError as error:
            log.info("object not found", error=type(error).__name__)
            is_asked_for = pending.event_id == pending.object_id and not pending.object_id.startswith("txn_")
            with self._database.connection() as connection:
                if is_asked_for and pending.attempts >= MOST_ATTEMPTS_TO_FIND:
                    _QUEUE.done(connection, pending.event_id, "ignored", "not found", pending_object_id=None, body=b"")
                else:
                    _QUEUE.retry(connection, pending.event_id, pending.attempts, type(error).__name__)
            return
        except DomainError as error:
            # Stripe may be unavailable, or not show the object yet.
            log.info("object not retrieved yet", error=type(error).__name__)
            with self._database.connection() as connection:
                _QUEUE.retry(connection, pending.event_id, pending.attempts, type(error).__name__)
            return
        self._inbox.arrived.set()
        log.info("object retrieved")

    def _retrieve_and_store(self, pending: PendingRetrieval) -> None:
        stripe_object = self._retriever.retrieve(pending.object_id)
        added: StripeDict = {RETRIEVED_FIELD: stripe_object}
        if pending.event_id == pending.object_id:
            added = as_event(pending.event_id, stripe_object, self._retriever.time_of(stripe_object))
        with self._database.transaction() as cursor:
            # The body is read after the call to Stripe: a request for the links may have become one for the facts.
            for sealed_body, ticket_id in cursor.execute(_LOCK_PENDING.encode(), (pending.event_id,)).fetchall():
                body = json.loads(self._inbox.open_body(pending.event_id, bytes(sealed_body), ticket_id))
                new_sealed_body = self._inbox.seal_body(pending.event_id, to_json(body | added))
                cursor.execute(_STORE_RETRIEVED.encode(), (new_sealed_body, pending.event_id))

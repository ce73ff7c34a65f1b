"""What we ask Stripe for ourselves: objects that events only name, and objects that nobody told us of.

The intention is in the inbox before the call, and the answer goes there too; so a crash at any moment only means that
the same harmless question is asked again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from adapters.payments.inbox import Inbox, dumped, observation
from adapters.payments.parsed_events import FETCHED, THIN
from adapters.payments.stripe_objects import INTENT, SESSION
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import Database
from domain.errors import DomainError, NotFoundError

POLL_SECONDS = 2.0
# Stripe takes only so many questions a second, and nobody waits for these.
PACE_SECONDS = 0.04
# Longer than one question to Stripe takes, so that nobody else asks it meanwhile.
LEASE_SECONDS = 90
LONGEST_PAUSE_SECONDS = 3600

StripeDict = Mapping[str, Any]
Retrieve = Callable[[str], StripeDict]

logger = structlog.get_logger()


class Retriever:
    """Objects of our own mode, each with Stripe's time of what it says."""

    def __init__(self, retrieve: Retrieve, *, livemode: bool) -> None:
        self._retrieve = retrieve
        self._livemode = livemode

    def look(self, object_id: str) -> StripeDict:
        """The object as Stripe has it now; NotFoundError if Stripe has none, or one of the other mode."""
        thing = self._retrieve(object_id)
        if thing.get("livemode", self._livemode) is not self._livemode:
            raise NotFoundError("It belongs to the other mode.")
        return thing

    def time_of(self, thing: StripeDict) -> int:
        """When it was; a payment's time is its charge's, as sessions and intents are made before somebody pays."""
        for name in ("payment_intent", "latest_charge"):
            paid = thing.get("payment_status") == "paid" or thing.get("status") == "succeeded"
            if paid and thing["object"] in (SESSION, INTENT) and isinstance(other := thing.get(name), str):
                with suppress(NotFoundError):
                    return self.time_of(self._retrieve(other))
        created = thing.get("created")
        return created if isinstance(created, int) else int(time.time())


@dataclass
class _Wanted:
    event_id: str
    sealed: bytes
    ticket: UUID | None
    object_id: str
    attempts: int


class Fetcher(BackgroundLoop):
    """Fetches what the inbox wants, by hand or in a thread of its own between `start` and `stop`."""

    def __init__(self, database: Database, inbox: Inbox, retriever: Retriever) -> None:
        super().__init__("fetcher", self._fetch_due)
        self._database = database
        self._inbox = inbox
        self._retriever = retriever

    def _fetch_due(self) -> float:
        while self.fetch_one() and not self.pause(PACE_SECONDS):
            pass
        return POLL_SECONDS

    def fulfil(self, object_id: str) -> None:
        """Have Stripe asked for a session or a payment, and what it says applied, soon and in the background.

        What webhooks tell and what reconciling finds goes the same way, through the inbox and its applier: so any
        number of calls, by whomever, has one effect.
        """
        self._inbox.want(object_id, int(time.time()))
        self.wake()

    def fetch_all(self) -> None:
        """Fetch until nothing that is due is left."""
        while self.fetch_one():
            pass

    def fetch_one(self) -> bool:
        """Fetch what is wanted the longest; False if nothing is due."""
        wanted = self._claim()
        if wanted is None:
            return False
        try:
            body = self._answered(wanted)
        except DomainError as error:
            # Stripe may be away, or not show the object yet; nobody finding it for days makes it a dead letter.
            self._put_off(wanted, error)
            return True
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE stripe_inbox SET body = %s, ticket_id = NULL, state = 'received', pending_object_id = NULL,"
                " error = NULL, attempts = 0, next_attempt_at = now()"
                " WHERE event_id = %s AND state = 'held' AND pending_object_id IS NOT NULL",
                (self._inbox.sealed(wanted.event_id, body), wanted.event_id),
            )
        self._inbox.arrived.set()
        logger.info("fetched", event_id=wanted.event_id, object=wanted.object_id, attempts=wanted.attempts)
        return True

    def _claim(self) -> _Wanted | None:
        with self._database.connection() as connection:
            row = connection.execute(
                "UPDATE stripe_inbox SET next_attempt_at = now() + make_interval(secs => %s), attempts = attempts + 1"
                " WHERE event_id = (SELECT event_id FROM stripe_inbox"
                "  WHERE state = 'held' AND pending_object_id IS NOT NULL AND next_attempt_at <= now()"
                "  ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
                " RETURNING event_id, body, ticket_id, pending_object_id, attempts",
                (LEASE_SECONDS,),
            ).fetchone()
        return _Wanted(row[0], bytes(row[1]), row[2], row[3], row[4]) if row else None

    def _answered(self, wanted: _Wanted) -> bytes:
        """The body of the row with what Stripe answered in it."""
        body = json.loads(self._inbox.opened(wanted.event_id, wanted.sealed, wanted.ticket))
        thing = self._retriever.look(wanted.object_id)
        if body["object"] == THIN:
            return dumped(body | {FETCHED: thing})
        return dumped(observation(wanted.event_id, thing, self._retriever.time_of(thing)))

    def _put_off(self, wanted: _Wanted, error: DomainError) -> None:
        told = {"event_id": wanted.event_id, "object": wanted.object_id, "attempts": wanted.attempts}
        logger.info("not fetched yet", error=type(error).__name__, **told)
        pause = min(LONGEST_PAUSE_SECONDS, 2 ** min(wanted.attempts, 20))
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE stripe_inbox SET next_attempt_at = now() + make_interval(secs => %s)"
                " WHERE event_id = %s AND state = 'held'",
                (pause, wanted.event_id),
            )

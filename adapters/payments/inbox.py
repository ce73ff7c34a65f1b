"""The inbox: a verified Stripe event is stored once and answered; the applier later turns it into history.

States: received → applied | ignored | held (its payment is not known yet, or its pending object is not retrieved yet) |
dead (a person must look at it). Bodies are sealed, first with the inbox's key, and with the ticket's own key once the
ticket is known.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyring import NONCE_BYTES, Keyring
from adapters.encryption.ticket_keys import KeyDestroyed, TicketKeys
from adapters.payments import redaction
from adapters.payments.parsed_events import PENDING, RETRIEVED
from adapters.payments.webhooks import SignedEvent
from adapters.postgres.database import Database
from adapters.postgres.group_commit import AsyncGroupCommit
from domain.errors import NotFoundError

REDACTION_BATCH = 200
INBOX_RING = "stripe inbox"

# An event that is held longer is listed among the dead letters.
UNMATCHED_HOURS = 72

StripeDict = Mapping[str, Any]

# Events that arrive at the same time share a commit; a larger batch would only delay its first event.
MAX_STORED_TOGETHER = 256

_STORE = (
    "INSERT INTO stripe_inbox (event_id, type, stripe_created, body)"
    " SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bytea[])"
    " ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
)
_ADD_RETRIEVALS = (
    "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, state, pending_object_id)"
    " SELECT id, %s, at, body, 'held', id FROM unnest(%b::text[], %b::bigint[], %b::bytea[]) AS w (id, at, body)"
    " ON CONFLICT (event_id) DO NOTHING"
)
_REPEAT_RETRIEVALS = _ADD_RETRIEVALS.removesuffix("NOTHING") + (
    "UPDATE SET state = 'held', pending_object_id = EXCLUDED.pending_object_id, body = EXCLUDED.body,"
    " ticket_id = NULL, attempts = 0, next_attempt_at = now() WHERE stripe_inbox.state IN ('applied', 'ignored')"
)


class Inbox:
    """Stores verified events, and the objects that we retrieve from Stripe ourselves."""

    def __init__(self, database: Database, ring: Keyring, keys: TicketKeys) -> None:
        self._database = database
        self._ring = ring
        self._keys = keys
        # Set whenever there may be something new to apply.
        self.arrived = threading.Event()
        self._group_commit: AsyncGroupCommit[tuple[str, str, int, bytes], bool] = AsyncGroupCommit(
            self._store_all, MAX_STORED_TOGETHER
        )

    async def accept_async(self, event: SignedEvent) -> bool:
        """Do the same as `accept`, in one commit with the other events that arrive at the same time."""
        at = int(event.created.timestamp())
        return await self._group_commit.submit((event.id, event.type, at, self.seal_body(event.id, event.body)))

    def accept(self, event: SignedEvent) -> bool:
        """Store the event durably; return False if it was stored before."""
        return self._store(event.id, event.type, int(event.created.timestamp()), event.body)

    def accept_listed(self, event: StripeDict) -> bool:
        """Store an event that Stripe lists but did not deliver; return False if it was stored before."""
        return self._store(event["id"], event["type"], event["created"], to_json(event))

    def accept_retrieved(self, stripe_object: StripeDict, at: int) -> bool:
        """Store an object in its present state; return False if it was stored before in exactly this state."""
        digest = hashlib.sha256(to_json(stripe_object)).hexdigest()[:16]
        id = f"{stripe_object['id']}:{digest}"
        return self._store(id, f"{stripe_object['object']}.{RETRIEVED}", at, to_json(as_event(id, stripe_object, at)))

    def _store(self, id: str, type: str, at: int, body: bytes) -> bool:
        [is_new] = self._store_all([(id, type, at, self.seal_body(id, body))])
        return is_new

    def _store_all(self, rows: Sequence[tuple[str, str, int, bytes]]) -> list[bool]:
        """Return for each row whether it is new; of two rows with one id the first may be."""
        with self._database.connection() as connection:
            stored = connection.execute(_STORE, [list(column) for column in zip(*rows, strict=True)], prepare=True)
            new_ids = {id for (id,) in stored.fetchall()}
        self.arrived.set()
        answers = []
        for id, *_ in rows:
            answers.append(id in new_ids)
            new_ids.discard(id)
        return answers

    def existing_ids(self, ids: list[str]) -> set[str]:
        """Return those of the ids that the inbox holds."""
        with self._database.connection() as connection:
            rows = connection.execute("SELECT event_id FROM stripe_inbox WHERE event_id = ANY(%s)", (ids,)).fetchall()
        return {id for (id,) in rows}

    def request_retrieval(self, object_id: str, at: int) -> None:
        """Have the object retrieved from Stripe, even if it was retrieved before."""
        with self._database.transaction() as cursor:
            self.add_retrievals(cursor, {object_id: at}, repeat=True)

    def add_retrievals(self, cursor: Cursor[TupleRow], times: Mapping[str, int], *, repeat: bool = False) -> None:
        """Have these objects retrieved, as part of the cursor's transaction; `times` has the Stripe time of each."""
        bodies = [self.seal_body(id, to_json({"object": PENDING, "id": id, "type": PENDING})) for id in times]
        statement = _REPEAT_RETRIEVALS if repeat else _ADD_RETRIEVALS
        cursor.execute(statement, (PENDING, list(times), list(times.values()), bodies))

    # Bodies.

    def seal_body(self, id: str, body: bytes) -> bytes:
        return self._ring.seal(body, id.encode())

    def open_body(self, id: str, body: bytes, ticket_id: UUID | None = None) -> bytes:
        """Return the body as it came; NotFoundError if the ticket whose key sealed it is erased."""
        if ticket_id is None:
            return self._ring.open(body, id.encode())
        key = self._keys.get(ticket_id)
        if not body:
            raise NotFoundError("The body was erased.")
        return AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], id.encode())

    def reseal_body(self, id: str, state: str, body: bytes, ticket_id: UUID | None) -> tuple[UUID | None, bytes]:
        """Seal the body of an event that gets this state; return it with the ticket whose key sealed it.

        The ticket is None if the inbox's own key sealed it. An ignored event keeps no body. Neither does an event about
        an erased person, unless it is still to be applied: then it keeps what the ledger needs.
        """
        if state == "ignored":
            return None, b""
        is_unfinished = state in ("held", "dead")
        ticket_id = ticket_id or (redaction.ticket_in_metadata(body) if is_unfinished else None)
        if ticket_id is None:
            return None, self.seal_body(id, body)
        try:
            key = self._keys.get(ticket_id)
        except KeyDestroyed:
            if is_unfinished:
                return None, self.seal_body(id, redaction.without_people(body))
            return ticket_id, b""
        except NotFoundError:
            # The metadata belongs to another service on the same Stripe account and only looks like ours.
            return None, self.seal_body(id, body)
        nonce = os.urandom(NONCE_BYTES)
        return ticket_id, nonce + AESGCM(key).encrypt(nonce, body, id.encode())

    def redact_unapplied(self, ticket_id: UUID) -> None:
        """Before a person is erased, remove the person from every event that is still to be applied to their ticket.

        These are the events that the ticket's key sealed, and the dead letters of which no ticket was known.
        """
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT event_id, body FROM stripe_inbox"
                " WHERE ticket_id = %s AND state IN ('received', 'held', 'dead')",
                (ticket_id,),
            ).fetchall()
        for id, sealed in rows:
            self._redact(id, bytes(sealed), ticket_id)
        after: tuple[datetime, str] | None = None
        while batch := self._dead_letters_without_ticket(after):
            for id, received_at, sealed in batch:
                if self._is_about(ticket_id, self.open_body(id, bytes(sealed))):
                    self._redact(id, bytes(sealed), None)
                after = received_at, id

    def _dead_letters_without_ticket(self, after: tuple[datetime, str] | None) -> list[tuple[str, datetime, bytes]]:
        at, id = after or (None, None)
        with self._database.connection() as connection:
            return connection.execute(
                "SELECT event_id, received_at, body FROM stripe_inbox WHERE state = 'dead' AND ticket_id IS NULL"
                " AND body <> '' AND (%s::timestamptz IS NULL OR (received_at, event_id) > (%s, %s::text))"
                " ORDER BY received_at, event_id LIMIT %s",
                (at, at, id, REDACTION_BATCH),
            ).fetchall()

    def _is_about(self, ticket_id: UUID, body: bytes) -> bool:
        if redaction.ticket_in_metadata(body) == ticket_id:
            return True
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT FROM stripe_links WHERE object_id = ANY(%s) AND ticket_id = %s)",
                (sorted(redaction.object_ids(body)), ticket_id),
            ).fetchone()
        return row == (True,)

    def _redact(self, id: str, sealed: bytes, sealed_for: UUID | None) -> None:
        with suppress(NotFoundError), self._database.connection() as connection:
            redacted = redaction.without_people(self.open_body(id, sealed, sealed_for))
            # If the applier changed the body meanwhile, it has treated it correctly.
            connection.execute(
                "UPDATE stripe_inbox SET body = %s, ticket_id = NULL WHERE event_id = %s AND body = %s",
                (self.seal_body(id, redacted), id, sealed),
            )


def as_event(id: str, stripe_object: StripeDict, at: int) -> StripeDict:
    """Return an object that we retrieved in the shape of an event."""
    return {"object": RETRIEVED, "id": id, "type": RETRIEVED, "created": at, "data": {"object": stripe_object}}


def to_json(value: StripeDict) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True)
class InboxHealth:
    """Events that wait to be applied, dead letters, and the age of the oldest waiting event."""

    waiting: int
    dead_letters: int
    oldest_seconds: float


def health(database: Database) -> InboxHealth:
    """Return the inbox's present state; events held too long count as dead letters."""
    with database.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE state = 'received'), count(*) FILTER (WHERE state <> 'received'),"
            " min(received_at) FILTER (WHERE state = 'received') FROM stripe_inbox WHERE state IN ('received', 'dead')"
            " OR (state = 'held' AND received_at < now() - make_interval(hours => %s))",
            (UNMATCHED_HOURS,),
        ).fetchone()
    assert row is not None
    oldest_seconds = (datetime.now(UTC) - row[2]).total_seconds() if row[2] else 0.0
    return InboxHealth(row[0], row[1], max(0.0, oldest_seconds))

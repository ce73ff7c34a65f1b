"""The inbox stores each verified Stripe event once; the applier later turns it into events of a donation.

States: received → applied | ignored | held (its donation is not known yet, or an object that it needs is not retrieved
yet) | dead (a person must look at it). Bodies are encrypted ("sealed") with the inbox's key until the ticket is known,
and with the ticket's own key afterwards. The body of an applied event is sealed with the donation's key as well.
"""

import hashlib
import json
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyring import NONCE_BYTES, Keyring
from adapters.encryption.ticket_keys import TicketKeys, both
from adapters.payments import redaction
from adapters.payments.parsed_events import ONLY_LINKS_FIELD, PENDING_TYPE, RETRIEVED_TYPE
from adapters.payments.stripe_objects import StripeDict
from adapters.payments.webhooks import SignedEvent
from adapters.postgres.database import Database
from adapters.postgres.group_commit import AsyncGroupCommit
from domain.errors import NotFoundError

REDACTION_BATCH = 200
# Held by the applier during a batch, and while an erasure is recorded. It is taken before the lock of the append.
APPLIER_LOCK = 7305808869229541
INBOX_KEY_PURPOSE = "stripe inbox"
UNFINISHED_STATES = ("held", "dead")

# An event that is held longer is listed among the dead letters.
UNMATCHED_HOURS = 72
# So is one whose metadata names a donation, if Stripe knows no checkout of that donation for its payment.
NO_CHECKOUT = "its payment belongs to no checkout that we opened"
IS_DEAD_LETTER = (
    f"(state = 'dead' OR (state = 'held' AND (received_at < now() - interval '{UNMATCHED_HOURS} hours'"
    f" OR error = '{NO_CHECKOUT}')))"
)

DISMISSED = "dismissed"

# The largest number of events that share a commit, so that the first one does not wait for arbitrarily many.
MAX_STORED_TOGETHER = 256

_UNAPPLIED = "SELECT event_id FROM stripe_inbox WHERE ticket_id = %s AND state IN ('received', 'held', 'dead')"
_UNAPPLIED_BODIES = _UNAPPLIED.replace("SELECT event_id", "SELECT event_id, body")
_HEALTH = (
    "SELECT count(*) FILTER (WHERE state = 'received'), count(*) FILTER (WHERE state <> 'received'),"  # noqa: S608
    " min(received_at) FILTER (WHERE state = 'received') FROM stripe_inbox"
    f" WHERE state = 'received' OR {IS_DEAD_LETTER}"
)
# A row that names its epoch needs no trigger, which would cost as much as the rest.
_STORE = (
    "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, epoch)"
    " SELECT n.*, (SELECT name FROM epochs WHERE name = substring(n.body FROM 1 FOR 8))"
    " FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bytea[]) AS n (event_id, type, stripe_created, body)"
    " ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
)
# A requested retrieval is a held row whose event id is the id of the object.
_INSERT_RETRIEVALS = (
    "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, state, pending_object_id)"
    " SELECT id, %s, at, body, 'held', id FROM unnest(%b::text[], %b::bigint[], %b::bytea[]) AS r (id, at, body)"
    " ON CONFLICT (event_id) "
)
_ADD_RETRIEVALS = _INSERT_RETRIEVALS + "DO NOTHING"
_REPEAT_RETRIEVALS_FOR_LINKS = _INSERT_RETRIEVALS + (
    "DO UPDATE SET state = 'held', pending_object_id = EXCLUDED.pending_object_id, body = EXCLUDED.body,"
    " ticket_id = NULL, donation_stream = NULL, attempts = 0, next_attempt_at = now()"
    " WHERE stripe_inbox.state IN ('applied', 'ignored')"
)
# A pending request may be one for the links only, which would record no facts.
_REPEAT_RETRIEVALS = _REPEAT_RETRIEVALS_FOR_LINKS + " OR stripe_inbox.pending_object_id IS NOT NULL"


class SealedBody(NamedTuple):
    """A sealed body, and the ticket and the donation's stream whose keys sealed it, or None if they did not."""

    ticket_id: UUID | None
    donation_stream: UUID | None
    body: bytes


class Inbox:
    """Stores verified events, and the objects that we retrieve from Stripe ourselves."""

    def __init__(self, database: Database, keyring: Keyring, keys: TicketKeys) -> None:
        self._database = database
        self._keyring = keyring
        self._keys = keys
        # Set whenever there may be new events to apply.
        self.arrived = threading.Event()
        self._group_commit: AsyncGroupCommit[tuple[str, str, int, bytes], bool] = AsyncGroupCommit(
            self._store_all, MAX_STORED_TOGETHER
        )

    async def accept_async(self, event: SignedEvent) -> bool:
        """Do the same as `accept`, in one commit with the other events that arrive at the same time."""
        return await self._group_commit.submit((event.id, event.type, int(event.created.timestamp()), event.body))

    def accept(self, event: SignedEvent) -> bool:
        """Store the event durably; return False if it was stored before."""
        return self._store_all([(event.id, event.type, int(event.created.timestamp()), event.body)]) == [True]

    def accept_listed(self, event: StripeDict) -> bool:
        """Store an event that Stripe lists but did not deliver; return False if it was stored before."""
        return bool(self.accept_all_listed([event]))

    def accept_all_listed(self, events: Sequence[StripeDict]) -> list[StripeDict]:
        """Store events that Stripe lists, in one commit; return those that were not stored before."""
        rows = [(event["id"], event["type"], event["created"], to_json(event)) for event in events]
        return [event for event, is_new in zip(events, self._store_all(rows), strict=True) if is_new]

    def accept_retrieved(self, stripe_object: StripeDict, stripe_time: int) -> bool:
        """Store an object in its present state; return False if it was stored before in exactly this state."""
        return self.accept_all_retrieved([(stripe_object, stripe_time)]) == [True]

    def accept_all_retrieved(self, stripe_objects: Sequence[tuple[StripeDict, int]]) -> list[bool]:
        """Do the same for many objects, each with its Stripe time, in one commit."""
        rows = []
        for stripe_object, stripe_time in stripe_objects:
            digest = hashlib.sha256(to_json(stripe_object)).hexdigest()[:16]
            id, type = f"{stripe_object['id']}:{digest}", f"{stripe_object['object']}.{RETRIEVED_TYPE}"
            rows.append((id, type, stripe_time, to_json(as_event(id, stripe_object, stripe_time))))
        return self._store_all(rows)

    def _store_all(self, rows: Sequence[tuple[str, str, int, bytes]]) -> list[bool]:
        """Store the rows whose id is new, the first of each id; return for every row True if it was stored.

        Sealing may query the database and read an epoch key, so it must not run on the event loop.
        """
        if not rows:
            return []
        sealed = [(id, type, stripe_time, self.seal_body(id, body)) for id, type, stripe_time, body in rows]
        with self._database.connection() as connection:
            stored = connection.execute(_STORE, [list(column) for column in zip(*sealed, strict=True)], prepare=True)
            new_ids = {id for (id,) in stored.fetchall()}
        self.arrived.set()
        is_new = []
        for id, *_ in rows:
            is_new.append(id in new_ids)
            new_ids.discard(id)
        return is_new

    def existing_ids(self, ids: list[str]) -> set[str]:
        """Return those of the ids that the inbox holds."""
        rows = self._database.rows("SELECT event_id FROM stripe_inbox WHERE event_id = ANY(%s)", (ids,))
        return {id for (id,) in rows}

    def dismissed_object_ids(self) -> set[str]:
        """Return the ids of the objects about which a person dismissed an event."""
        rows = self._database.rows(
            "SELECT DISTINCT dismissed_object_id FROM stripe_inbox WHERE dismissed_object_id IS NOT NULL"
        )
        return {id for (id,) in rows}

    def request_retrieval(self, object_id: str, stripe_time: int) -> None:
        """Request the retrieval of an object, even if it was retrieved before."""
        with self._database.transaction() as cursor:
            self.add_retrievals(cursor, {object_id: stripe_time}, repeat=True)

    def add_retrievals(
        self, cursor: Cursor[TupleRow], times: Mapping[str, int], *, repeat: bool = False, only_links: bool = False
    ) -> None:
        """Request the retrieval of these objects in the cursor's transaction; `times` has the Stripe time of each.

        Objects that were retrieved before are retrieved again only with `repeat`. With `only_links` they only tell
        which objects belong together, and their facts are not recorded.
        """
        request: StripeDict = {"object": PENDING_TYPE, "type": PENDING_TYPE, ONLY_LINKS_FIELD: only_links}
        bodies = [self.seal_body(id, to_json(request | {"id": id})) for id in times]
        repeated = _REPEAT_RETRIEVALS_FOR_LINKS if only_links else _REPEAT_RETRIEVALS
        statement = repeated if repeat else _ADD_RETRIEVALS
        cursor.execute(statement, (PENDING_TYPE, list(times), list(times.values()), bodies))

    # Bodies.

    def seal_body(self, id: str, body: bytes) -> bytes:
        return self._keyring.seal(body, id.encode())

    def open_body(
        self, id: str, sealed_body: bytes, ticket_id: UUID | None = None, donation_stream: UUID | None = None
    ) -> bytes:
        """Return the body as it was received; NotFoundError if a key that sealed it was destroyed."""
        if ticket_id is None:
            return self._keyring.open(sealed_body, id.encode())
        key = self._key(ticket_id, donation_stream)
        if not sealed_body:
            raise NotFoundError("The body was erased.")
        return AESGCM(key).decrypt(sealed_body[:NONCE_BYTES], sealed_body[NONCE_BYTES:], id.encode())

    def _key(self, ticket_id: UUID, donation_stream: UUID | None) -> bytes:
        return self._keys.get(ticket_id) if donation_stream is None else self._keys.get_both(ticket_id, donation_stream)

    def keys_of(
        self, cursor: Cursor[TupleRow], owners: Collection[UUID], unfinished: Collection[UUID]
    ) -> dict[UUID, bytes | None]:
        """Return the keys of those tickets and streams that ever had one, None for a destroyed one.

        This process may still cache keys that were destroyed. For those of `unfinished` the database decides.
        """
        return self._keys.get_all(owners) | dict.fromkeys(self._keys.destroyed_in(cursor, unfinished))

    def reseal_body(
        self,
        id: str,
        state: str,
        body: bytes,
        ticket_id: UUID | None,
        donation_stream: UUID | None,
        keys: Mapping[UUID, bytes | None],
    ) -> SealedBody:
        """Seal the body of an event that gets this state with those of `keys` that the ticket and the donation have.

        An ignored event keeps no body. An event about an erased person or a forgotten donor keeps none either, unless
        it is held or dead: then it keeps the fields that the ledger reads.
        """
        if state == "ignored":
            return SealedBody(None, None, b"")
        is_unfinished = state in UNFINISHED_STATES
        if is_unfinished and redaction.without_personal_data(body) == body:
            # Nothing in it is personal, and it must stay readable when the ticket's key is destroyed.
            return self._sealed_by_inbox(id, body)
        if ticket_id is None or ticket_id not in keys:
            # Metadata that names it belongs to another service on the same Stripe account and only looks like ours.
            return self._sealed_by_inbox(id, body)
        key, donation_key = keys[ticket_id], keys.get(donation_stream, b"") if donation_stream else b""
        if key is None or donation_key is None:
            if is_unfinished:
                return self._sealed_by_inbox(id, redaction.without_personal_data(body))
            return SealedBody(ticket_id, None, b"")
        # What is still to be applied must stay readable when the donor is forgotten.
        if is_unfinished or not donation_key:
            donation_stream = None
        else:
            key = both(key, donation_key)
        nonce = os.urandom(NONCE_BYTES)
        return SealedBody(ticket_id, donation_stream, nonce + AESGCM(key).encrypt(nonce, body, id.encode()))

    def _sealed_by_inbox(self, id: str, body: bytes) -> SealedBody:
        return SealedBody(None, None, self.seal_body(id, body))

    def redact_unapplied(self, ticket_id: UUID) -> None:
        """Before a person is erased, remove their personal data from the events still to be applied to their ticket.

        These are the events that the ticket's key sealed, and the dead letters whose ticket is not known.
        """
        for (id,) in self._database.rows(_UNAPPLIED, (ticket_id,)):
            self._redact(id, ticket_id)
        self._redact_dead_letters(ticket_id)

    def _redact_dead_letters(self, ticket_id: UUID, donation_id: UUID | None = None) -> None:
        """Redact the dead letters whose ticket is not known, and which are about this ticket or donation."""
        after: tuple[datetime, str] | None = None
        while batch := self._dead_letters_without_ticket(after):
            for id, received_at, sealed_body in batch:
                if self._is_about(ticket_id, self.open_body(id, bytes(sealed_body)), donation_id):
                    self._redact(id, None)
                after = received_at, id

    def redact_unapplied_of_donor(self, ticket_id: UUID, donation_id: UUID) -> None:
        """Before a donor is forgotten, remove their data from the events still to be applied to their donation."""
        for id, sealed_body in self._database.rows(_UNAPPLIED_BODIES, (ticket_id,)):
            with suppress(NotFoundError):
                if self._is_about(ticket_id, self.open_body(id, bytes(sealed_body), ticket_id), donation_id):
                    self._redact(id, ticket_id)
        self._redact_dead_letters(ticket_id, donation_id)

    @staticmethod
    def lock_applier(cursor: Cursor[TupleRow]) -> None:
        """Let no event be applied, and so no body be sealed with a ticket's key, until the transaction ends."""
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (APPLIER_LOCK,))

    def redact_sealed_with_key(self, cursor: Cursor[TupleRow], ticket_id: UUID) -> None:
        """Redact the unapplied events that the ticket's key still seals, in the transaction that destroys the key.

        These are the few that became held or dead after `redact_unapplied`. The transaction must have called
        `lock_applier`: an applier that has locked one of them may wait for the lock of the append.
        """
        for (id,) in cursor.execute(_UNAPPLIED, (ticket_id,)).fetchall():
            self._redact_in(cursor, id, ticket_id)

    def _dead_letters_without_ticket(self, after: tuple[datetime, str] | None) -> list[tuple[str, datetime, bytes]]:
        at, id = after or (None, None)
        return self._database.rows(
            "SELECT event_id, received_at, body FROM stripe_inbox WHERE state = 'dead' AND ticket_id IS NULL"
            " AND body <> '' AND (%s::timestamptz IS NULL OR (received_at, event_id) > (%s, %s::text))"
            " ORDER BY received_at, event_id LIMIT %s",
            (at, at, id, REDACTION_BATCH),
        )

    def _is_about(self, ticket_id: UUID, body: bytes, donation_id: UUID | None) -> bool:
        """Return True if the event is about the ticket, and about the donation if one is given."""
        names_donation = donation_id is None or redaction.donation_in_metadata(body) == donation_id
        if redaction.ticket_in_metadata(body) == ticket_id and names_donation:
            return True
        row = self._database.row(
            "SELECT EXISTS (SELECT FROM stripe_links WHERE object_id = ANY(%s) AND ticket_id = %s"
            " AND donation_id = coalesce(%s, donation_id))",
            (sorted(redaction.object_ids(body)), ticket_id, donation_id),
        )
        return row == (True,)

    def _redact(self, id: str, ticket_id: UUID | None) -> None:
        with self._database.transaction() as cursor:
            self._redact_in(cursor, id, ticket_id)

    def _redact_in(self, cursor: Cursor[TupleRow], id: str, ticket_id: UUID | None) -> None:
        # The lock waits for an applier that is just sealing the body anew, and the row is read as it left it.
        row = cursor.execute(
            "SELECT body FROM stripe_inbox WHERE event_id = %s AND ticket_id IS NOT DISTINCT FROM %s"
            " AND state IN ('received', 'held', 'dead') FOR UPDATE",
            (id, ticket_id),
        ).fetchone()
        with suppress(NotFoundError):
            if row is not None:
                redacted = redaction.without_personal_data(self.open_body(id, bytes(row[0]), ticket_id))
                cursor.execute(
                    "UPDATE stripe_inbox SET body = %s, ticket_id = NULL WHERE event_id = %s",
                    (self.seal_body(id, redacted), id),
                )


def as_event(id: str, stripe_object: StripeDict, stripe_time: int) -> StripeDict:
    """Return a retrieved object in the form of an event."""
    data = {"object": stripe_object}
    return {"object": RETRIEVED_TYPE, "id": id, "type": RETRIEVED_TYPE, "created": stripe_time, "data": data}


def to_json(value: StripeDict) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True)
class InboxHealth:
    """The numbers of events that wait to be applied and of dead letters, and the age of the oldest waiting event."""

    waiting: int
    dead_letters: int
    oldest_seconds: float


def health(cursor: Cursor[TupleRow]) -> InboxHealth:
    """Return the inbox's present state; events held too long count as dead letters."""
    row = cursor.execute(_HEALTH.encode()).fetchone()
    assert row is not None
    oldest_seconds = (datetime.now(UTC) - row[2]).total_seconds() if row[2] else 0.0
    return InboxHealth(row[0], row[1], max(0.0, oldest_seconds))

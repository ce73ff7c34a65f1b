"""The inbox: a verified Stripe event is stored once and answered; the applier turns what is stored into history.

States: received → applied | ignored | held (its payment, or the object it `wants`, is not known yet) | dead (a person
must look). Bodies are sealed: with the inbox's key first, with the ticket's own once it is known.
"""

from __future__ import annotations

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
from adapters.payments.parsed_events import RETRIEVED, WANTED
from adapters.payments.webhooks import SignedEvent
from adapters.postgres.database import Database
from adapters.postgres.group_commit import AsyncGroupCommit
from domain.errors import NotFoundError

UNOWNED_PAGE = 200
INBOX_RING = "stripe inbox"

# What nobody could match for so long is listed for a person to look at.
UNMATCHED_HOURS = 72

StripeDict = Mapping[str, Any]

# What arrives at the same time shares a commit; more would only make the first wait for the whole of it.
MOST_STORED_TOGETHER = 256

_STORE = (
    "INSERT INTO stripe_inbox (event_id, type, stripe_created, body)"
    " SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bytea[])"
    " ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
)
_WANT = (
    "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, state, pending_object_id)"
    " SELECT id, %s, at, body, 'held', id FROM unnest(%b::text[], %b::bigint[], %b::bytea[]) AS w (id, at, body)"
    " ON CONFLICT (event_id) DO NOTHING"
)
_WANT_AGAIN = _WANT.removesuffix("NOTHING") + (
    "UPDATE SET state = 'held', pending_object_id = EXCLUDED.pending_object_id, body = EXCLUDED.body,"
    " ticket_id = NULL, attempts = 0, next_attempt_at = now() WHERE stripe_inbox.state IN ('applied', 'ignored')"
)


class Inbox:
    """Stripe's door on our side of the signature; and where goes what we asked Stripe for ourselves."""

    def __init__(self, database: Database, ring: Keyring, keys: TicketKeys) -> None:
        self._database = database
        self._ring = ring
        self._keys = keys
        self.arrived = threading.Event()
        self._group_commit: AsyncGroupCommit[tuple[str, str, int, bytes], bool] = AsyncGroupCommit(
            self._store_all, MOST_STORED_TOGETHER
        )

    async def accept_soon(self, event: SignedEvent) -> bool:
        """As `accept`, with all the others that arrive at the same time in one commit."""
        at = int(event.created.timestamp())
        return await self._group_commit.submit((event.id, event.type, at, self.sealed(event.id, event.body)))

    def accept(self, event: SignedEvent) -> bool:
        """Store the event durably; False if it is there already."""
        return self._store(event.id, event.type, int(event.created.timestamp()), event.body)

    def accept_listed(self, event: StripeDict) -> bool:
        """Store an event that Stripe listed and nobody delivered; False if it is there already."""
        return self._store(event["id"], event["type"], event["created"], dumped(event))

    def accept_retrieved(self, thing: StripeDict, at: int) -> bool:
        """Store an object as Stripe has it now; False if it is there already in the very same state."""
        state = hashlib.sha256(dumped(thing)).hexdigest()[:16]
        id = f"{thing['id']}:{state}"
        return self._store(id, f"{thing['object']}.{RETRIEVED}", at, dumped(observation(id, thing, at)))

    def _store(self, id: str, type: str, at: int, body: bytes) -> bool:
        [new] = self._store_all([(id, type, at, self.sealed(id, body))])
        return new

    def _store_all(self, rows: Sequence[tuple[str, str, int, bytes]]) -> list[bool]:
        """For each row whether it is new; of one that stands twice the first is."""
        with self._database.connection() as connection:
            stored = connection.execute(_STORE, [list(column) for column in zip(*rows, strict=True)], prepare=True)
            new = {id for (id,) in stored.fetchall()}
        self.arrived.set()
        answers = []
        for id, *_ in rows:
            answers.append(id in new)
            new.discard(id)
        return answers

    def known(self, ids: list[str]) -> set[str]:
        """Those of the events that are here."""
        with self._database.connection() as connection:
            rows = connection.execute("SELECT event_id FROM stripe_inbox WHERE event_id = ANY(%s)", (ids,)).fetchall()
        return {id for (id,) in rows}

    def want(self, object_id: str, at: int) -> None:
        """Have Stripe asked for the object, once more if it was asked before."""
        with self._database.transaction() as cursor:
            self.note_wanted(cursor, {object_id: at}, again=True)

    def note_wanted(self, cursor: Cursor[TupleRow], wanted: Mapping[str, int], *, again: bool = False) -> None:
        """Have Stripe asked for these objects, in the cursor's transaction: the intention comes before the call."""
        bodies = [dumped({"object": WANTED, "id": id, "type": WANTED}) for id in wanted]
        cursor.execute(
            _WANT_AGAIN if again else _WANT,
            (
                WANTED,
                list(wanted),
                list(wanted.values()),
                [self.sealed(id, body) for id, body in zip(wanted, bodies, strict=True)],
            ),
        )

    # Bodies.

    def sealed(self, id: str, body: bytes) -> bytes:
        return self._ring.seal(body, id.encode())

    def kept(self, id: str, state: str, body: bytes, ticket: UUID | None) -> tuple[UUID | None, bytes]:
        """What is kept of a body that was looked at, and whose key opens it: the ticket's own, None for the inbox's.

        Of what is not ours nothing. Of what is about an erased person nothing either, unless it is still to be applied:
        then as much as the money needs.
        """
        if state == "ignored":
            return None, b""
        unfinished = state in ("held", "dead")
        ticket = ticket or (redaction.named_ticket(body) if unfinished else None)
        if ticket is None:
            return None, self.sealed(id, body)
        try:
            key = self._keys.get(ticket)
        except KeyDestroyed:
            return (None, self.sealed(id, redaction.without_people(body))) if unfinished else (ticket, b"")
        except NotFoundError:
            # Somebody else's, whose metadata is like ours.
            return None, self.sealed(id, body)
        nonce = os.urandom(NONCE_BYTES)
        return ticket, nonce + AESGCM(key).encrypt(nonce, body, id.encode())

    def set_apart(self, ticket: UUID) -> None:
        """Before a person is erased: what is still to be applied of their ticket is kept, and without people.

        It is what the ticket's key sealed, and dead letters that were put aside before anybody knew whose they are.
        """
        with self._database.connection() as connection:
            mine = connection.execute(
                "SELECT event_id, body, ticket_id FROM stripe_inbox"
                " WHERE ticket_id = %s AND state IN ('received', 'held', 'dead')",
                (ticket,),
            ).fetchall()
        for id, sealed, owner in mine:
            self._set_apart(id, bytes(sealed), owner)
        after: tuple[datetime, str] | None = None
        while page := self._unowned(after):
            for id, received_at, sealed in page:
                if self._speaks_of(ticket, self.opened(id, bytes(sealed))):
                    self._set_apart(id, bytes(sealed), None)
                after = received_at, id

    def _unowned(self, after: tuple[datetime, str] | None) -> list[tuple[str, datetime, bytes]]:
        at, id = after or (None, None)
        with self._database.connection() as connection:
            return connection.execute(
                "SELECT event_id, received_at, body FROM stripe_inbox WHERE state = 'dead' AND ticket_id IS NULL"
                " AND body <> '' AND (%s::timestamptz IS NULL OR (received_at, event_id) > (%s, %s::text))"
                " ORDER BY received_at, event_id LIMIT %s",
                (at, at, id, UNOWNED_PAGE),
            ).fetchall()

    def _speaks_of(self, ticket: UUID, body: bytes) -> bool:
        if redaction.named_ticket(body) == ticket:
            return True
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT FROM stripe_links WHERE object_id = ANY(%s) AND ticket_id = %s)",
                (sorted(redaction.named_objects(body)), ticket),
            ).fetchone()
        return row == (True,)

    def _set_apart(self, id: str, sealed: bytes, owner: UUID | None) -> None:
        with suppress(NotFoundError), self._database.connection() as connection:
            rest = self.sealed(id, redaction.without_people(self.opened(id, sealed, owner)))
            # Unless the applier was quicker, which then did as is right.
            connection.execute(
                "UPDATE stripe_inbox SET body = %s, ticket_id = NULL WHERE event_id = %s AND body = %s",
                (rest, id, sealed),
            )

    def opened(self, id: str, body: bytes, ticket: UUID | None = None) -> bytes:
        """The body as it came; NotFoundError if the ticket that it was sealed for is erased."""
        if ticket is None:
            return self._ring.open(body, id.encode())
        key = self._keys.get(ticket)
        if not body:
            raise NotFoundError("The body was erased.")
        return AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], id.encode())


def observation(id: str, thing: StripeDict, at: int) -> StripeDict:
    """An object that we asked for, in the shape of an event."""
    return {"object": RETRIEVED, "id": id, "type": RETRIEVED, "created": at, "data": {"object": thing}}


def dumped(value: StripeDict) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True)
class InboxHealth:
    waiting: int
    dead_letters: int
    oldest_seconds: float


def health(database: Database) -> InboxHealth:
    """How much is waiting to be applied, for how long the oldest has, and how much a person must look at."""
    with database.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE state = 'received'), count(*) FILTER (WHERE state <> 'received'),"
            " min(received_at) FILTER (WHERE state = 'received') FROM stripe_inbox WHERE state IN ('received', 'dead')"
            " OR (state = 'held' AND received_at < now() - make_interval(hours => %s))",
            (UNMATCHED_HOURS,),
        ).fetchone()
    assert row is not None
    oldest = (datetime.now(UTC) - row[2]).total_seconds() if row[2] else 0.0
    return InboxHealth(row[0], row[1], max(0.0, oldest))

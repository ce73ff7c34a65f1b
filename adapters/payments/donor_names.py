"""Donors' names and addresses as keyed hashes, by which a gift is found although both are stored only sealed.

A name has a hash for each of its words. That of an address is in the event, and is only opened.
The hashes are made from the history, a little after the events. With a new secret they are made once more from the
beginning; until that is done, gifts are found by the hashes of the older secret.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.field_cipher import FieldCipher, is_sealed
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.encryption.keyring import DecryptionError
from adapters.postgres.background import StepLoop
from adapters.postgres.database import Database
from adapters.read_models import event_batches
from domain.errors import NotFoundError
from domain.events import (
    CheckoutRequested,
    DonationEvent,
    DonorForgetRequested,
    PaymentConfirmed,
    PaymentReceived,
    TicketEvent,
)
from projections.model import RecordedEvent

PURPOSE = "donor name"
REST_SECONDS = 1.0
BATCH_EVENTS = 500
_NAMING = (CheckoutRequested, PaymentReceived, PaymentConfirmed, DonorForgetRequested)
TOPICS = [event_type.TOPIC for event_type in _NAMING]

_WORD = re.compile(r"\w+")
_BEGIN = "INSERT INTO donor_name_progress VALUES (%s, 0) ON CONFLICT DO NOTHING"
_IS_DUE = (
    "(SELECT max(position) FROM donor_name_progress WHERE secret = '{}')"
    " IS DISTINCT FROM (SELECT coalesce(max(position), 0) FROM events)"
)
_CLAIM = "SELECT position FROM donor_name_progress WHERE secret = %s FOR UPDATE SKIP LOCKED"
_ADD = (
    "INSERT INTO donor_names (donation_id, hash, ticket_id) SELECT * FROM unnest(%s::uuid[], %s::text[], %s::uuid[])"
    " ON CONFLICT DO NOTHING"
)
_ADD_ADDRESSES = (
    "INSERT INTO donor_addresses (donation_id, hash) SELECT * FROM unnest(%s::uuid[], %s::text[])"
    " ON CONFLICT DO NOTHING"
)


def words_of(name: str) -> list[str]:
    """Return the words of a name without accents and in lower case, each once."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return list(dict.fromkeys(_WORD.findall(plain.casefold())))


def delete(cursor: Cursor[TupleRow], donation_id: UUID) -> None:
    """Delete the hashes of a gift's donor."""
    cursor.execute("DELETE FROM donor_names WHERE donation_id = %s", (donation_id,))
    cursor.execute("DELETE FROM donor_addresses WHERE donation_id = %s", (donation_id,))


class DonorNames(StepLoop):
    """Hashes the names in new events, when called or in its own thread, in any number of processes."""

    def __init__(self, database: Database, cipher: FieldCipher, hashes: KeyedHashes) -> None:
        super().__init__("donor names", self._add_batch, _IS_DUE.format(hashes.current), rest_seconds=REST_SECONDS)
        self._database = database
        self._cipher = cipher
        self._hashes = hashes

    def hashes_of(self, name: str) -> list[list[str]]:
        """Return, for each word of a name, every hash that may be stored for it."""
        return [self._hashes.all_of(word) for word in words_of(name)]

    def renew(self, ticket_id: UUID) -> None:
        """Delete the hashes of those names that were sealed with the ticket's key, after it was destroyed."""
        with self._database.transaction() as cursor:
            cursor.execute("DELETE FROM donor_names WHERE ticket_id = %s", (ticket_id,))
            self._add(cursor, event_batches.of_ticket(cursor.connection, ticket_id, TOPICS))

    def _add_batch(self) -> bool:
        """Hash the names in the next events; return True if more of them wait."""
        secret = self._hashes.current
        with self._database.transaction() as cursor:
            cursor.execute(_BEGIN, (secret,))
            claimed = cursor.execute(_CLAIM, (secret,)).fetchone()
            head = cursor.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
            if claimed is None or head is None or claimed == head:
                return False
            batch = event_batches.between(cursor.connection, claimed[0], head[0], TOPICS, BATCH_EVENTS)
            self._add(cursor, batch.events)
            position = batch.until
            more: bool = position < head[0]
            cursor.execute("UPDATE donor_name_progress SET position = %s WHERE secret = %s", (position, secret))
            if not more:
                self._delete_older(cursor)
        return more

    def _add(self, cursor: Cursor[TupleRow], events: Sequence[RecordedEvent]) -> None:
        sealed = (text for recorded in events for text in (_name(recorded.event), _address_hash(recorded.event)))
        self._cipher.preload(filter(None, sealed))
        names = {row: None for recorded in events for row in self._names(recorded)}
        if names:
            cursor.execute(_ADD, [list(column) for column in zip(*names, strict=True)])
        addresses = {row: None for recorded in events for row in self._addresses(recorded)}
        if addresses:
            cursor.execute(_ADD_ADDRESSES, [list(column) for column in zip(*addresses, strict=True)])

    def _names(self, recorded: RecordedEvent) -> Iterator[tuple[UUID, str, UUID]]:
        event = recorded.event
        assert isinstance(event, DonationEvent)
        for word in words_of(self._opened(event.ticket_id, _name(event)) or ""):
            yield event.donation_id, self._hashes.of(word), event.ticket_id

    def _addresses(self, recorded: RecordedEvent) -> Iterator[tuple[UUID, str]]:
        event = recorded.event
        assert isinstance(event, DonationEvent)
        stored = _address_hash(event)
        # Earlier versions stored the hash in clear.
        hashed = self._opened(event.ticket_id, stored) if stored and is_sealed(stored) else stored
        if hashed is not None:
            yield event.donation_id, hashed

    def _opened(self, ticket_id: UUID, sealed: str | None) -> str | None:
        """Return the text, or None if its key was destroyed; a damaged one holds up no others."""
        with suppress(NotFoundError, DecryptionError):
            return self._cipher.open(ticket_id, sealed) if sealed is not None else None
        return None

    def _delete_older(self, cursor: Cursor[TupleRow]) -> None:
        """Delete the hashes of older secrets, which the newest one has made again."""
        current = (self._hashes.current,)
        cursor.execute("DELETE FROM donor_name_progress WHERE secret <> %s", current)
        if cursor.rowcount:
            cursor.execute("DELETE FROM donor_names WHERE NOT starts_with(hash, %s)", current)


def _name(event: TicketEvent) -> str | None:
    """Return the sealed name of the donor in the event, if it has one."""
    match event:
        case CheckoutRequested(words=words):
            return words.name
        case PaymentReceived(donor=donor) | PaymentConfirmed(donor=donor):
            return donor.last_name
        case DonorForgetRequested(last_name=last_name):
            return last_name
        case _:
            return None


def _address_hash(event: TicketEvent) -> str | None:
    return event.donor.email_hash if isinstance(event, PaymentReceived | PaymentConfirmed) else None

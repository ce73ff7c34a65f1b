"""Keys and seals: each ticket has a key of its own, wrapped by the master key; destroying it makes a person unreadable.

AES-256-GCM throughout (NIST SP 800-38D) with random 96-bit nonces; what a ciphertext belongs to is its associated
data, so that it opens nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.postgres.database import Database
from domain.errors import DomainError, NotFoundError

NONCE_BYTES = 12

# What the master key seals, each with a key of its own.
TICKET_RING = "ticket keys"
SERVICE_RING = "service keys"
SEAL = "sealed:1"
# How long another process may still read somebody who was erased here.
CACHE_SECONDS = 2.0
CACHED_KEYS = 10_000


class DecryptionError(DomainError):
    """A sealed text that was changed, moved from its place, or made with another key."""


class KeyDestroyed(NotFoundError):
    """There was a key for this ticket, until its person was erased."""


def derived_key(secret: str, purpose: str) -> bytes:
    """A key for one purpose only, from a secret of any length (HKDF-SHA-256, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"storyledger {purpose}".encode()).derive(
        secret.encode()
    )


class Keyring:
    """A secret and the ones it replaced, for one purpose: seals with the first, opens with whichever it was."""

    def __init__(self, secrets: tuple[str, ...], purpose: str) -> None:
        self._keys = {self._name(key): AESGCM(key) for key in (derived_key(s, purpose) for s in secrets)}
        self.current = next(iter(self._keys))

    @staticmethod
    def _name(key: bytes) -> str:
        return hashlib.sha256(b"name of " + key).hexdigest()[:16]

    @property
    def names(self) -> frozenset[str]:
        """What the keys of this ring are called in the database; a name tells nothing of its key."""
        return frozenset(self._keys)

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest secret sealed it."""
        return sealed[:8].hex() == self.current

    def seal(self, plain: bytes, context: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return bytes.fromhex(self.current) + nonce + self._keys[self.current].encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plain bytes; BrokenSealError if they were not sealed by this ring in this context."""
        key = self._keys.get(sealed[:8].hex())
        if key is None:
            raise DecryptionError("sealed with a key that is not here")
        try:
            return key.decrypt(sealed[8 : 8 + NONCE_BYTES], sealed[8 + NONCE_BYTES :], context)
        except (InvalidTag, ValueError):
            raise DecryptionError("the seal is broken") from None


class KeyedHashes:
    """HMAC-SHA-256 of texts for one purpose: equal texts compare equal, and nobody without the secret can guess them.

    A hash is `NAME:HEX`, where NAME is that of the secret that made it: the newest. Of the secrets before it all hashes
    are still found.
    """

    def __init__(self, secrets: tuple[str, ...], purpose: str) -> None:
        keys = [derived_key(secret, purpose) for secret in secrets]
        self._keys = {hashlib.sha256(b"name of " + key).hexdigest()[:8]: key for key in keys}

    def of(self, text: str) -> str:
        return self.all_of(text)[0]

    def all_of(self, text: str) -> list[str]:
        """Every hash that this text may have been given, the newest first."""
        digests = {name: hmac.digest(key, text.encode(), hashlib.sha256).hex() for name, key in self._keys.items()}
        # Those without a name are older than names are.
        return [f"{name}:{digest}" for name, digest in digests.items()] + list(digests.values())

    @property
    def current(self) -> str:
        """How every hash begins that the newest secret made."""
        return f"{next(iter(self._keys))}:"


@dataclass(frozen=True)
class FieldContext:
    """Where a sealed text belongs: this field of this event, and no other."""

    stream: UUID
    version: int
    topic: str
    field: str

    def __str__(self) -> str:
        return f"{self.stream}:{self.version}:{self.topic}:{self.field}"


class TicketKeys:
    """The tickets' keys, kept wrapped in the database and for some seconds plain in memory."""

    def __init__(self, database: Database, master: tuple[str, ...]) -> None:
        self._database = database
        self._ring = Keyring(master, TICKET_RING)
        self._cache: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, ticket: UUID, *, create: bool = False) -> bytes:
        """The ticket's 32-byte key; KeyDestroyed if its person was erased, NotFoundError if it never was."""
        with self._lock:
            if (known := self._cache.get(ticket)) and known[0] > time.monotonic():
                return known[1]
        key = self._load(ticket) or (self._create(ticket) if create else None)
        if key is None:
            raise NotFoundError("There is no key for this ticket.")
        with self._lock:
            self._cache[ticket] = (time.monotonic() + CACHE_SECONDS, key)
            self._cache.move_to_end(ticket)
            while len(self._cache) > CACHED_KEYS:
                self._cache.popitem(last=False)
        return key

    def _load(self, ticket: UUID) -> bytes | None:
        with self._database.connection() as connection:
            row = connection.execute("SELECT wrapped FROM ticket_keys WHERE ticket = %s", (ticket,)).fetchone()
        if row is not None and not row[0]:
            raise KeyDestroyed("There is no key for this ticket.")
        return self._ring.open(bytes(row[0]), ticket.bytes) if row else None

    def _create(self, ticket: UUID) -> bytes | None:
        wrapped = self._ring.seal(os.urandom(32), ticket.bytes)
        with self._database.connection() as connection:
            connection.execute(
                "INSERT INTO ticket_keys (ticket, wrapped, wrapped_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (ticket, wrapped, self._ring.current),
            )
        return self._load(ticket)

    def destroy(self, ticket: UUID) -> None:
        """Make all that was sealed for the ticket unreadable: here at once, in other processes within CACHE_SECONDS.

        Its row stays, emptied, so that no request taken up again after a crash gives an erased ticket a new key.
        """
        with self._database.reading() as cursor:
            self.destroy_in(cursor, ticket)
        with self._lock:
            self._cache.pop(ticket, None)

    @staticmethod
    def destroy_in(cursor: Cursor[TupleRow], ticket: UUID) -> None:
        """The same with the cursor's transaction; until `destroy` was called, this process may still know the key."""
        cursor.execute("UPDATE ticket_keys SET wrapped = '' WHERE ticket = %s AND wrapped <> ''", (ticket,))

    def known_still(self, ticket: UUID) -> bool:
        """Whether the key is there at this very moment, whatever this process remembers."""
        with self._database.connection() as connection:
            row = connection.execute("SELECT wrapped <> '' FROM ticket_keys WHERE ticket = %s", (ticket,)).fetchone()
        return row == (True,)


class ServiceKey:
    """A key of the service's own, made when it is first needed: kept wrapped in the database, so that it stays the same
    when the master key is rotated.
    """

    def __init__(self, database: Database, ring: Keyring, name: str) -> None:
        self._database = database
        self._ring = ring
        self._name = name
        self._key: bytes | None = None

    def get(self) -> bytes:
        """The 32 bytes, the same in every process."""
        if self._key is None:
            wrapped = self._ring.seal(os.urandom(32), self._name.encode())
            with self._database.connection() as connection:
                connection.execute(
                    "INSERT INTO service_keys (name, wrapped, wrapped_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                    (self._name, wrapped, self._ring.current),
                )
                row = connection.execute("SELECT wrapped FROM service_keys WHERE name = %s", (self._name,)).fetchone()
            assert row is not None
            self._key = self._ring.open(bytes(row[0]), self._name.encode())
        return self._key


class FieldCipher:
    """Seals single texts into readable envelopes that name their place, and opens them again."""

    def __init__(self, keys: TicketKeys) -> None:
        self._keys = keys

    def seal(self, ticket: UUID, place: FieldContext, text: str, *, new_ticket: bool = False) -> str:
        nonce = os.urandom(NONCE_BYTES)
        key = AESGCM(self._keys.get(ticket, create=new_ticket))
        sealed = nonce + key.encrypt(nonce, text.encode(), str(place).encode())
        return f"{SEAL}:{place}:{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, ticket: UUID, envelope: str, place: FieldContext | None = None) -> str:
        """The text in an envelope; BrokenSealError if it was changed, or belongs elsewhere than in `place`.

        NotFoundError when the ticket's key was destroyed: the text is gone for good.
        """
        prefix, _, code = envelope.rpartition(":")
        named = prefix.removeprefix(f"{SEAL}:")
        if named == prefix or (place is not None and named != str(place)):
            raise DecryptionError("sealed for another place")
        try:
            sealed = base64.urlsafe_b64decode(code)
            key = AESGCM(self._keys.get(ticket))
            return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], named.encode()).decode()
        except (InvalidTag, ValueError):
            raise DecryptionError("the seal is broken") from None

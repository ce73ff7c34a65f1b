"""Idempotency keys: a repeated request is executed once and gets the first answer again, also after a crash.

Ids and tokens are derived from a seed that is stored with the key, so that a request resumed after a crash makes the
same ones. Seeds and answers are sealed because they hold tokens and personal data. An answer about a ticket is sealed
with that ticket's key, so that erasure makes it unreadable. Rows are found by a keyed hash, because the path or the
key may name a person.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.encryption.keyring import NONCE_BYTES, Keyring, seal_with
from adapters.encryption.service_key import ServiceKey
from adapters.encryption.ticket_keys import KeyDestroyed, TicketKeys
from adapters.ids import SLUG_ALPHABET, SLUG_LENGTH, uuid7_from
from adapters.postgres.database import Database
from domain.errors import DomainError, FaultCode, InvalidError, NotFoundError, UnavailableError

LEASE_SECONDS = 5
RENEWAL_SECONDS = 1.5
KEPT_HOURS = 24
LONGEST_KEY = 255
# As many characters as 128 random bits take in base64; a UUID has more.
SHORTEST_SECRET_KEY = 22
FEWEST_SECRET_CHARACTERS = 6

_PURGE = "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => %s)"


def is_secret(key: str) -> bool:
    """Return True if a key is long and varied enough that nobody but the caller who made it at random knows it."""
    return len(key) >= SHORTEST_SECRET_KEY and len(set(key)) >= FEWEST_SECRET_CHARACTERS


class RequestInProgress(DomainError):
    """The first request with this key is not answered yet."""


class RequestSeed:
    """Derives the ids and secrets of one request, the same ones each time it is executed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._moment_ms = int.from_bytes(secret[:8], "big")

    @classmethod
    def new(cls) -> RequestSeed:
        return cls((time.time_ns() // 1_000_000).to_bytes(8, "big") + os.urandom(32))

    def dump(self) -> bytes:
        """Return the bytes that the same seed can be made from."""
        return self._secret

    def secret(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose."""
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)

    def id(self, purpose: str) -> UUID:
        return uuid7_from(self._moment_ms, self.secret(f"id of {purpose}"))

    def slug(self) -> str:
        number = int.from_bytes(self.secret("slug"), "big")
        return "".join(SLUG_ALPHABET[number // 31**place % 31] for place in range(SLUG_LENGTH))


@dataclass(frozen=True)
class NewRequest:
    """The caller has to answer the request, with ids from this seed."""

    seed: RequestSeed


@dataclass(frozen=True)
class ReplayedAnswer:
    """The answer that the first request got, and the ticket that it is about."""

    answer: bytes
    ticket_id: UUID | None = None


class IdempotencyKeys:
    """Stores the keys of each caller with their answers for a day."""

    def __init__(self, database: Database, keyring: Keyring, tickets: TicketKeys) -> None:
        self._database = database
        self._key = ServiceKey(database, keyring, "idempotency")
        self._tickets = tickets

    def begin(self, caller: str, path: str, key: str, body_digest: str) -> NewRequest | ReplayedAnswer:
        """Begin the request, with a lease that `hold_lease` extends, or return its first answer.

        Raise InvalidError if the key was used with another body, RequestInProgress while another process answers the
        request, and NotFoundError if the answer was about a ticket that was erased since.
        """
        request_hash = self._request_hash(caller, path, key)
        body = self._hash(request_hash + body_digest.encode())
        sealed = self._sealed(RequestSeed.new().dump(), request_hash)
        with self._database.transaction() as cursor:
            cursor.execute(_PURGE, (KEPT_HOURS,))
            cursor.execute(
                "INSERT INTO idempotency_keys (request_hash, body_hash, seed, lease_until)"
                " VALUES (%s, %s, %s, now() + make_interval(secs => %s)) ON CONFLICT DO NOTHING RETURNING seed",
                (request_hash, body, sealed, LEASE_SECONDS),
            )
            if cursor.fetchone() is not None:
                return NewRequest(RequestSeed(self._opened(sealed, request_hash)))
            [row] = cursor.execute(
                "SELECT body_hash, seed, answer, ticket_id, lease_until > now() FROM idempotency_keys"
                " WHERE request_hash = %s FOR UPDATE",
                (request_hash,),
            ).fetchall()
            stored_body, seed, answer, ticket, running = row
            if stored_body != body:
                raise InvalidError("this Idempotency-Key was used with another body", code=FaultCode.KEY_REUSED)
            if answer is not None:
                return ReplayedAnswer(self._opened(bytes(answer), request_hash, ticket), ticket)
            if running:
                raise RequestInProgress("The first request with this key is still running.")
            cursor.execute(
                "UPDATE idempotency_keys SET lease_until = now() + make_interval(secs => %s) WHERE request_hash = %s",
                (LEASE_SECONDS, request_hash),
            )
            return NewRequest(RequestSeed(self._opened(bytes(seed), request_hash)))

    @contextmanager
    def hold_lease(self, caller: str, path: str, key: str) -> Iterator[None]:
        """Extend the request's lease in the background while the block runs."""
        ended = threading.Event()
        request_hash = self._request_hash(caller, path, key)
        renewal = threading.Thread(target=self._renew, args=(ended, request_hash), daemon=True)
        renewal.start()
        try:
            yield
        finally:
            ended.set()
            renewal.join()

    def _renew(self, ended: threading.Event, request_hash: bytes) -> None:
        while not ended.wait(RENEWAL_SECONDS):
            with suppress(UnavailableError), self._database.connection() as connection:
                connection.execute(
                    "UPDATE idempotency_keys SET lease_until = now() + make_interval(secs => %s)"
                    " WHERE request_hash = %s",
                    (LEASE_SECONDS, request_hash),
                )

    def store_answer(self, caller: str, path: str, key: str, answer: bytes, ticket: UUID | None = None) -> None:
        """Store the answer for later requests with the same key; erasing the ticket makes it unreadable."""
        request_hash = self._request_hash(caller, path, key)
        try:
            sealed = self._sealed(answer, request_hash, ticket)
        except NotFoundError:
            sealed = b""
        self._database.execute(
            "UPDATE idempotency_keys SET answer = %s, ticket_id = %s WHERE request_hash = %s",
            (sealed, ticket, request_hash),
        )

    def release(self, caller: str, path: str, key: str) -> None:
        """End the lease of a request that failed: it may be sent again at once, and gets the same ids."""
        self._database.execute(
            "UPDATE idempotency_keys SET lease_until = now() WHERE request_hash = %s",
            (self._request_hash(caller, path, key),),
        )

    def purge(self) -> None:
        """Delete the keys that are older than a day."""
        self._database.execute(_PURGE, (KEPT_HOURS,))

    def _request_hash(self, caller: str, path: str, key: str) -> bytes:
        return self._hash("\n".join((caller, path, key)).encode())

    def _hash(self, text: bytes) -> bytes:
        return hmac.digest(self._key.get(), b"asked " + text, hashlib.sha256)

    def _sealed(self, plain: bytes, request_hash: bytes, ticket: UUID | None = None) -> bytes:
        key = self._key.get() if ticket is None else self._tickets.get(ticket)
        return seal_with(AESGCM(key), plain, request_hash)

    def _opened(self, sealed: bytes, request_hash: bytes, ticket: UUID | None = None) -> bytes:
        key = self._key.get() if ticket is None else self._tickets.get(ticket)
        if not sealed:
            raise KeyDestroyed("This ticket was erased.")
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], request_hash)

"""Idempotency keys: the same request asked twice is answered once, also across a crash.

The seed kept with a key is what ids and tokens are made of, so that a request taken up again after a crash makes the
same ones. Seeds and answers are sealed, since they hold tokens and people; an answer about a ticket with that ticket's
key, so that erasing the person takes it along. Rows are found by a keyed hash: who asked for what, and under which
key, may name a person too.
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

from adapters.encryption.keyring import NONCE_BYTES, Keyring
from adapters.encryption.service_key import ServiceKey
from adapters.encryption.ticket_keys import KeyDestroyed, TicketKeys
from adapters.ids import SLUG_ALPHABET, SLUG_LENGTH, uuid7_from
from adapters.postgres.database import Database
from domain.errors import DomainError, InvalidError, NotFoundError, UnavailableError

LEASE_SECONDS = 5
RENEWAL_SECONDS = 1.5
KEPT_HOURS = 24
LONGEST_KEY = 255

_PURGE = "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => %s)"


class RequestInProgress(DomainError):
    """The first request with this key has not been answered yet."""


class RequestSeed:
    """Makes the ids and secrets of one request, the same ones each time it is taken up."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._moment_ms = int.from_bytes(secret[:8], "big")

    @classmethod
    def fresh(cls) -> RequestSeed:
        return cls((time.time_ns() // 1_000_000).to_bytes(8, "big") + os.urandom(32))

    def dump(self) -> bytes:
        """What the seed can be made of again."""
        return self._secret

    def secret(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)

    def id(self, purpose: str) -> UUID:
        return uuid7_from(self._moment_ms, self.secret(f"id of {purpose}"))

    def slug(self) -> str:
        number = int.from_bytes(self.secret("slug"), "big")
        return "".join(SLUG_ALPHABET[number // 31**place % 31] for place in range(SLUG_LENGTH))


@dataclass(frozen=True)
class NewRequest:
    """The request is this caller's to answer now."""

    seed: RequestSeed


@dataclass(frozen=True)
class ReplayedAnswer:
    """It was answered before."""

    answer: bytes


class IdempotencyKeys:
    """Remembers, for a day, what each caller's keys were used for."""

    def __init__(self, database: Database, ring: Keyring, tickets: TicketKeys) -> None:
        self._database = database
        self._key = ServiceKey(database, ring, "idempotency")
        self._tickets = tickets

    def begin(self, caller: str, path: str, key: str, body_digest: str) -> NewRequest | ReplayedAnswer:
        """Take the request up, or get its first answer.

        Raise InvalidError if the key was used with another body, RequestInProgress while another process answers the
        request, and NotFoundError if the answer was about a ticket that was erased since.
        """
        asked = self._asked(caller, path, key)
        body = self._hash(asked + body_digest.encode())
        sealed = self._sealed(RequestSeed.fresh().dump(), asked)
        with self._database.transaction() as cursor:
            cursor.execute(_PURGE, (KEPT_HOURS,))
            cursor.execute(
                "INSERT INTO idempotency_keys (request_hash, body_hash, seed, lease_until)"
                " VALUES (%s, %s, %s, now() + make_interval(secs => %s)) ON CONFLICT DO NOTHING RETURNING seed",
                (asked, body, sealed, LEASE_SECONDS),
            )
            if cursor.fetchone() is not None:
                return NewRequest(RequestSeed(self._opened(sealed, asked)))
            cursor.execute(
                "SELECT body_hash, seed, answer, ticket_id, lease_until > now() FROM idempotency_keys"
                " WHERE request_hash = %s FOR UPDATE",
                (asked,),
            )
            row = cursor.fetchone()
            assert row is not None
            known_body, seed, answer, ticket, running = row
            if known_body != body:
                raise InvalidError("this Idempotency-Key was used with another body")
            if answer is not None:
                return ReplayedAnswer(self._opened(bytes(answer), asked, ticket))
            if running:
                raise RequestInProgress("The first request with this key is still running.")
            cursor.execute(
                "UPDATE idempotency_keys SET lease_until = now() + make_interval(secs => %s) WHERE request_hash = %s",
                (LEASE_SECONDS, asked),
            )
            return NewRequest(RequestSeed(self._opened(bytes(seed), asked)))

    @contextmanager
    def held(self, caller: str, path: str, key: str) -> Iterator[None]:
        """While the block runs, however long, the request is this process's; should it die, only for a lease more."""
        ended = threading.Event()
        asked = self._asked(caller, path, key)
        keeper = threading.Thread(target=self._renew, args=(ended, asked), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def _renew(self, ended: threading.Event, asked: bytes) -> None:
        while not ended.wait(RENEWAL_SECONDS):
            with suppress(UnavailableError), self._database.connection() as connection:
                connection.execute(
                    "UPDATE idempotency_keys SET lease_until = now() + make_interval(secs => %s)"
                    " WHERE request_hash = %s",
                    (LEASE_SECONDS, asked),
                )

    def finish(self, caller: str, path: str, key: str, answer: bytes, ticket: UUID | None = None) -> None:
        """Keep the answer for whoever asks again; the ticket it is about, if there is one, can take it away again."""
        asked = self._asked(caller, path, key)
        try:
            sealed = self._sealed(answer, asked, ticket)
        except NotFoundError:
            sealed = b""
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE idempotency_keys SET answer = %s, ticket_id = %s WHERE request_hash = %s",
                (sealed, ticket, asked),
            )

    def release(self, caller: str, path: str, key: str) -> None:
        """Nothing came of it: the same key may be used again at once, and gets the same ids."""
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE idempotency_keys SET lease_until = now() WHERE request_hash = %s",
                (self._asked(caller, path, key),),
            )

    def purge(self) -> None:
        """Forget what is older than a day, whether anybody asks for something new or not."""
        with self._database.connection() as connection:
            connection.execute(_PURGE, (KEPT_HOURS,))

    def _asked(self, caller: str, path: str, key: str) -> bytes:
        return self._hash("\n".join((caller, path, key)).encode())

    def _hash(self, text: bytes) -> bytes:
        return hmac.digest(self._key.get(), b"asked " + text, hashlib.sha256)

    def _sealed(self, plain: bytes, asked: bytes, ticket: UUID | None = None) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        key = self._key.get() if ticket is None else self._tickets.get(ticket)
        return nonce + AESGCM(key).encrypt(nonce, plain, asked)

    def _opened(self, sealed: bytes, asked: bytes, ticket: UUID | None = None) -> bytes:
        key = self._key.get() if ticket is None else self._tickets.get(ticket)
        if not sealed:
            raise KeyDestroyed("This ticket was erased.")
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], asked)

"""Idempotency keys: the same request asked twice is answered once, also across a crash.

The seed kept with a key is what ids and tokens are made of, so that a request taken up again after a crash makes the
same ones. Seeds and answers are sealed: they hold tokens.
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

from adapters.database import Database
from adapters.ids import SLUG_ALPHABET, SLUG_LENGTH, uuid7_from
from adapters.sealing import Keyring
from domain.errors import DomainError, InvalidError, UnavailableError

LEASE_SECONDS = 5
RENEWAL_SECONDS = 1.5
KEPT_HOURS = 24
LONGEST_KEY = 255


class StillRunning(DomainError):
    """The first request with this key has not been answered yet."""


class Seed:
    """Makes the ids and secrets of one request, the same ones each time it is taken up."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._moment_ms = int.from_bytes(secret[:8], "big")

    @classmethod
    def fresh(cls) -> Seed:
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
class Begun:
    """The request is this caller's to answer now."""

    seed: Seed


@dataclass(frozen=True)
class Answered:
    """It was answered before."""

    answer: bytes


class IdempotencyKeys:
    """Remembers, for a day, what each caller's keys were used for."""

    def __init__(self, database: Database, ring: Keyring) -> None:
        self._database = database
        self._ring = ring

    def begin(self, caller: str, path: str, key: str, body_digest: str) -> Begun | Answered:
        """Take the request up, or get its first answer.

        InvalidError if the key was used with another body, StillRunning while another process is at it.
        """
        place = (caller, path, key)
        sealed = self._ring.seal(Seed.fresh().dump(), _context(place))
        with self._database.transaction() as cursor:
            cursor.execute(
                "DELETE FROM idempotency_keys WHERE started_at < now() - make_interval(hours => %s)", (KEPT_HOURS,)
            )
            cursor.execute(
                "INSERT INTO idempotency_keys (caller, path, key, body_digest, seed, lease_until)"
                " VALUES (%s, %s, %s, %s, %s, now() + make_interval(secs => %s)) ON CONFLICT DO NOTHING"
                " RETURNING seed",
                (*place, body_digest, sealed, LEASE_SECONDS),
            )
            if cursor.fetchone() is not None:
                return Begun(Seed(self._ring.open(sealed, _context(place))))
            cursor.execute(
                "SELECT body_digest, seed, answer, lease_until > now() FROM idempotency_keys"
                " WHERE caller = %s AND path = %s AND key = %s FOR UPDATE",
                place,
            )
            row = cursor.fetchone()
            assert row is not None
            known_digest, seed, answer, running = row
            if known_digest != body_digest:
                raise InvalidError("this Idempotency-Key was used with another body")
            if answer is not None:
                return Answered(self._ring.open(bytes(answer), _context(place)))
            if running:
                raise StillRunning("The first request with this key is still running.")
            cursor.execute(
                "UPDATE idempotency_keys SET lease_until = now() + make_interval(secs => %s)"
                " WHERE caller = %s AND path = %s AND key = %s",
                (LEASE_SECONDS, *place),
            )
            return Begun(Seed(self._ring.open(bytes(seed), _context(place))))

    @contextmanager
    def held(self, caller: str, path: str, key: str) -> Iterator[None]:
        """While the block runs, however long, the request is this process's; should it die, only for a lease more."""
        ended = threading.Event()
        keeper = threading.Thread(target=self._renew, args=(ended, (caller, path, key)), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def _renew(self, ended: threading.Event, place: tuple[str, str, str]) -> None:
        while not ended.wait(RENEWAL_SECONDS):
            with suppress(UnavailableError), self._database.connection() as connection:
                connection.execute(
                    "UPDATE idempotency_keys SET lease_until = now() + make_interval(secs => %s)"
                    " WHERE caller = %s AND path = %s AND key = %s",
                    (LEASE_SECONDS, *place),
                )

    def finish(self, caller: str, path: str, key: str, answer: bytes) -> None:
        """Keep the answer for whoever asks again."""
        place = (caller, path, key)
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE idempotency_keys SET answer = %s WHERE caller = %s AND path = %s AND key = %s",
                (self._ring.seal(answer, _context(place)), *place),
            )

    def release(self, caller: str, path: str, key: str) -> None:
        """Nothing came of it: the same key may be used again at once, and gets the same ids."""
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE idempotency_keys SET lease_until = now() WHERE caller = %s AND path = %s AND key = %s",
                (caller, path, key),
            )


def _context(place: tuple[str, str, str]) -> bytes:
    return "\n".join(place).encode()

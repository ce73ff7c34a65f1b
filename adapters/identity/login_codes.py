"""How somebody comes back without their token: a one-time code to their contact, and a session for the code.

Whoever asks is told the same, in the same time, whether the contact is known or not: to ask is only to note the
question, and it is answered later, elsewhere, by mail or by nothing.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.encryption.keyring import DecryptionError, Keyring
from adapters.identity.contacts import ContactIndex
from adapters.mail.outbox import Outbox
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import Database
from domain.commands import digest
from domain.ports import Mail
from domain.values import Contact, ContactType
from projections import contact_index

# Nobody is woken by a question, so that its answer is no work at a time that whoever asks could choose and measure.
POLL_SECONDS = 0.5
CODE_MINUTES = 10
CODE_DIGITS = 8
MOST_TRIES = 5
# With so many codes an hour and so many tries each, guessing one takes thousands of years.
MOST_CODES_PER_HOUR = 5
SESSION_HOURS = 12
KEPT_HOURS = 24

SESSION_TOKEN = "ses_"  # noqa: S105 - a prefix

logger = structlog.get_logger()


def session_token(secret: bytes) -> str:
    """The credential of a session, made of its secret."""
    return SESSION_TOKEN + base64.urlsafe_b64encode(secret).decode().rstrip("=")


@dataclass(frozen=True)
class _Question:
    id: UUID
    contact_indexes: list[str]
    sealed: bytes
    created_at: datetime
    fresh: bool


class LoginCodes:
    """Notes who asks, answers them by hand or in a thread between `start` and `stop`, and takes their codes."""

    def __init__(
        self, database: Database, ring: Keyring, index: ContactIndex, outbox: Outbox, peppers: tuple[str, ...]
    ) -> None:
        self._database = database
        self._ring = ring
        self._index = index
        self._outbox = outbox
        self._peppers = peppers
        self._background = BackgroundLoop.steps("access requests", self.answer_one, POLL_SECONDS)

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def request(self, request_id: UUID, contact: Contact) -> None:
        """Note that somebody asks for a code at this contact; noting the same request again changes nothing."""
        told = json.dumps([contact.type, contact.value]).encode()
        with self._database.connection() as connection:
            connection.execute(
                "INSERT INTO access_requests (id, contact_indexes, sealed) VALUES (%s, %s, %s)"
                " ON CONFLICT (id) DO NOTHING",
                (request_id, self._index.all_of(contact), self._ring.seal(told, request_id.bytes)),
            )

    def answer_all(self) -> None:
        """Answer until no question is left."""
        while self.answer_one():
            pass

    def answer_one(self) -> bool:
        """Answer the oldest question, with a mail where there is somebody to write to; False if there is none."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT id, contact_indexes, sealed, created_at, created_at > now() - make_interval(mins => %s)"
                " FROM access_requests WHERE state = 'waiting' AND next_attempt_at <= now()"
                " ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED",
                (CODE_MINUTES,),
            )
            row = cursor.fetchone()
            if row is None:
                return False
            question = _Question(*row)
            code = self._send_code(cursor, question)
            cursor.execute(
                "UPDATE access_requests SET state = 'answered', sealed = '', code_digest = %s WHERE id = %s",
                (None if code is None else self._digests(question.id, code)[0], question.id),
            )
            cursor.execute(
                "DELETE FROM access_requests WHERE created_at < now() - make_interval(hours => %s)", (KEPT_HOURS,)
            )
            cursor.execute("DELETE FROM access_sessions WHERE expires_at < now()")
        logger.info("access request answered", request=str(question.id), mailed=code is not None)
        return True

    def _send_code(self, cursor: Cursor[TupleRow], question: _Question) -> str | None:
        """The code that is on its way; None if nobody is to get one."""
        try:
            type, value = json.loads(self._ring.open(bytes(question.sealed), question.id.bytes))
        except DecryptionError:
            return None
        if type != ContactType.EMAIL or not question.fresh:
            return None
        newest = contact_index.tickets_of(cursor, question.contact_indexes, None, 1)
        if not newest:
            return None
        cursor.execute(
            "SELECT count(*) FROM access_requests WHERE contact_indexes[1] = %s AND code_digest IS NOT NULL"
            " AND created_at > now() - interval '1 hour'",
            (question.contact_indexes[0],),
        )
        row = cursor.fetchone()
        assert row is not None
        if row[0] >= MOST_CODES_PER_HOUR:
            return None
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        until = question.created_at + timedelta(minutes=CODE_MINUTES)
        values = {"code": f"{code[:4]} {code[4:]}", "expires": f"{until:%H:%M} UTC"}
        # The mail is about the newest ticket, and goes when that one is erased.
        mail = Mail("access_code", value, values, f"access-code:{question.id}", newest[0][0])
        self._outbox.queue(cursor.connection, mail)
        return code

    def verify(self, request_id: UUID, code: str, session_id: UUID, secret: bytes) -> datetime | None:
        """Open the session for the code, until the time given back; None if it is not the code, or no longer.

        The same session asked for again, with the same secret, is given back as it is.
        """
        token_digest = digest(session_token(secret))
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT expires_at FROM access_sessions WHERE id = %s AND digest = %s", (session_id, token_digest)
            )
            if again := cursor.fetchone():
                return _time(again)
            cursor.execute(
                "UPDATE access_requests SET code_attempts = code_attempts + 1"
                " WHERE id = %s AND code_attempts < %s AND used_at IS NULL"
                " AND created_at > now() - make_interval(mins => %s) RETURNING contact_indexes, code_digest",
                (request_id, MOST_TRIES, CODE_MINUTES),
            )
            indexes, known = cursor.fetchone() or ([], None)
            # All comparisons are made, whether there is such a request or not.
            told = self._digests(request_id, "".join(c for c in code if c not in " -"))
            matches = [hmac.compare_digest(known or digest(""), one) for one in told]
            if known is None or not any(matches):
                return None
            cursor.execute("UPDATE access_requests SET used_at = now() WHERE id = %s", (request_id,))
            cursor.execute(
                "INSERT INTO access_sessions (id, digest, contact_indexes, expires_at)"
                " VALUES (%s, %s, %s, now() + make_interval(hours => %s)) RETURNING expires_at",
                (session_id, token_digest, indexes, SESSION_HOURS),
            )
            opened = cursor.fetchone()
            assert opened is not None
            return _time(opened)

    def _digests(self, request_id: UUID, code: str) -> list[str]:
        """Keyed, as a code is short enough to be guessed from a plain digest; the newest pepper's first."""
        return KeyedHashes(self._peppers, "access code").all_of(f"{request_id}:{code}")


def _time(row: TupleRow) -> datetime:
    moment: datetime = row[0]
    return moment

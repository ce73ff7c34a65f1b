"""Passwordless sign-in: a one-time login code sent to a contact, and a session in exchange for the code.

A request for a code gets the same answer in the same time, whether the contact is known or not: the request is only
stored, and a worker sends the code later, if the contact belongs to a ticket.
"""

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

from adapters.contacts import ContactIndex
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.encryption.keyring import DecryptionError, Keyring
from adapters.identity.tokens import digest
from adapters.mail.outbox import Outbox
from adapters.postgres.background import StepLoop
from adapters.postgres.database import CONNECTION_ERRORS, Database
from adapters.postgres.leased_queue import LeasedQueue
from domain.errors import UnavailableError
from domain.ports import Mail
from domain.values import Contact, ContactType
from projections import contact_index

# The purpose of the keyring that seals the contacts of requests.
REQUEST_KEYRING = "access requests"
# A request does not wake the worker, so a client cannot choose and measure the time of its work.
POLL_SECONDS = 0.5
CODE_MINUTES = 10
CODE_DIGITS = 8
MAX_CODE_ATTEMPTS = 5
# With this many codes an hour and this many attempts for each, guessing a code takes thousands of years.
MAX_CODES_PER_HOUR = 5
SESSION_HOURS = 12
KEPT_HOURS = 24
MAX_ATTEMPTS = 8

SESSION_TOKEN = "ses_"  # noqa: S105 - a prefix

logger = structlog.get_logger()

_QUEUE = LeasedQueue(
    "access_requests",
    "id",
    f"id, contact_indexes, sealed, created_at, created_at > now() - make_interval(mins => {CODE_MINUTES})",
    max_attempts=MAX_ATTEMPTS,
)


def session_token(secret: bytes) -> str:
    """Return the credential of a session with this secret."""
    return SESSION_TOKEN + base64.urlsafe_b64encode(secret).decode().rstrip("=")


@dataclass(frozen=True)
class CodeRequest:
    """A stored request for a login code; `is_fresh` is False if its code would have expired already."""

    id: UUID
    contact_indexes: list[str]
    sealed: bytes
    created_at: datetime
    is_fresh: bool
    attempts: int


class LoginCodes(StepLoop):
    """Stores requests for login codes, sends the codes when called or in its own thread, and verifies them."""

    def __init__(
        self, database: Database, keyring: Keyring, index: ContactIndex, outbox: Outbox, peppers: tuple[str, ...]
    ) -> None:
        super().__init__("login codes", self.answer_one, POLL_SECONDS)
        self._database = database
        self._keyring = keyring
        self._index = index
        self._outbox = outbox
        self._peppers = peppers

    def request(self, request_id: UUID, contact: Contact) -> None:
        """Store a request for a code to this contact; storing the same request again changes nothing."""
        content = json.dumps([contact.type, contact.value]).encode()
        with self._database.connection() as connection:
            connection.execute(
                "INSERT INTO access_requests (id, contact_indexes, sealed) VALUES (%s, %s, %s)"
                " ON CONFLICT (id) DO NOTHING",
                (request_id, self._index.all_of(contact), self._keyring.seal(content, request_id.bytes)),
            )

    def answer_one(self) -> bool:
        """Answer the request that has been due the longest, with a mail if the contact belongs to a ticket.

        Return False if no request is due.
        """
        request: CodeRequest | None = None
        try:
            with self._database.transaction() as cursor:
                for row in _QUEUE.claim(cursor):
                    request = CodeRequest(*row)
                    self._answer(cursor, request)
        except (UnavailableError, *CONNECTION_ERRORS):
            raise
        except Exception as error:
            if request is None:
                raise
            logger.error("access request failed", request=str(request.id), error=type(error).__name__)
            with self._database.connection() as connection:
                _QUEUE.retry(connection, request.id, request.attempts, type(error).__name__, sealed=b"")
        return request is not None

    def _answer(self, cursor: Cursor[TupleRow], request: CodeRequest) -> None:
        code = self._send_code(cursor, request)
        code_digest = None if code is None else self._digests(request.id, code)[0]
        _QUEUE.done(cursor.connection, request.id, "answered", sealed=b"", code_digest=code_digest)
        cursor.execute(
            "DELETE FROM access_requests WHERE created_at < now() - make_interval(hours => %s)", (KEPT_HOURS,)
        )
        cursor.execute("DELETE FROM access_sessions WHERE expires_at < now()")
        logger.info("access request answered", request=str(request.id), mailed=code is not None)

    def _send_code(self, cursor: Cursor[TupleRow], request: CodeRequest) -> str | None:
        """Queue a mail with a new code; return the code, or None if no code is to be sent."""
        try:
            type, value = json.loads(self._keyring.open(bytes(request.sealed), request.id.bytes))
        except DecryptionError:
            return None
        if type != ContactType.EMAIL or not request.is_fresh:
            return None
        newest = contact_index.tickets_of(cursor, request.contact_indexes, None, 1)
        if not newest:
            return None
        cursor.execute(
            "SELECT count(*) FROM access_requests WHERE contact_indexes[1] = %s AND code_digest IS NOT NULL"
            " AND created_at > now() - interval '1 hour'",
            (request.contact_indexes[0],),
        )
        row = cursor.fetchone()
        assert row is not None
        if row[0] >= MAX_CODES_PER_HOUR:
            return None
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        expires_at = request.created_at + timedelta(minutes=CODE_MINUTES)
        values = {"code": f"{code[:4]} {code[4:]}", "expires": f"{expires_at:%H:%M} UTC"}
        # The mail belongs to the newest ticket, and is deleted when that ticket is erased.
        mail = Mail("access_code", value, values, f"access-code:{request.id}", newest[0][0])
        self._outbox.queue(cursor.connection, mail)
        return code

    def verify(self, request_id: UUID, code: str, session_id: UUID, secret: bytes) -> datetime | None:
        """Open a session in exchange for the code; return the time when it ends, or None if the code is not valid.

        Repeating the call with the same session and secret returns the session that is open already.
        """
        token_digest = digest(session_token(secret))
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT expires_at FROM access_sessions WHERE id = %s AND digest = %s", (session_id, token_digest)
            )
            if existing := cursor.fetchone():
                return _time(existing)
            cursor.execute(
                "UPDATE access_requests SET code_attempts = code_attempts + 1"
                " WHERE id = %s AND code_attempts < %s AND used_at IS NULL"
                " AND created_at > now() - make_interval(mins => %s) RETURNING contact_indexes, code_digest",
                (request_id, MAX_CODE_ATTEMPTS, CODE_MINUTES),
            )
            contact_indexes, code_digest = cursor.fetchone() or ([], None)
            # All comparisons are made even if there is no such request, so that the time is the same.
            digests = self._digests(request_id, "".join(c for c in code if c not in " -"))
            matches = [hmac.compare_digest(code_digest or digest(""), candidate) for candidate in digests]
            if code_digest is None or not any(matches):
                return None
            cursor.execute("UPDATE access_requests SET used_at = now() WHERE id = %s", (request_id,))
            cursor.execute(
                "INSERT INTO access_sessions (id, digest, contact_indexes, expires_at)"
                " VALUES (%s, %s, %s, now() + make_interval(hours => %s)) RETURNING expires_at",
                (session_id, token_digest, contact_indexes, SESSION_HOURS),
            )
            opened = cursor.fetchone()
            assert opened is not None
            return _time(opened)

    def _digests(self, request_id: UUID, code: str) -> list[str]:
        """Return keyed digests, the newest pepper's first; a plain digest of so short a code could be guessed."""
        return KeyedHashes(self._peppers, "access code").all_of(f"{request_id}:{code}")


def _time(row: TupleRow) -> datetime:
    moment: datetime = row[0]
    return moment

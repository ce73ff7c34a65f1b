"""Passwordless sign-in: a one-time login code sent to a contact, and a session in exchange for the code.

A code is for one audience: the holders of tickets, or the members of workspaces and those who are invited.

A request for a code gets the same answer in the same time, whether the contact is known or not: the request is only
stored, and a worker sends the code later, if the contact belongs to a ticket.

Anybody may request codes for a contact. All requests of ten minutes share one code, and each has tries of its own, so
that nobody can replace or use up the code of somebody else.

A code goes by mail or by text message, as the contact is. The message also has a link, which opens a session without
typing, once and as long as the code is valid. Its token follows from the code's id and the pepper, as the code does, so
that neither is stored.
"""

import base64
import binascii
import hmac
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.contacts import ContactIndex
from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.encryption.keyring import DecryptionError, Keyring
from adapters.identity import members
from adapters.identity.session_openings import Audience, SessionOpening
from adapters.identity.tokens import url_text
from adapters.mail.holders import mail_language
from adapters.mail.limits import UnverifiedMailLimits
from adapters.mail.outbox import Outbox
from adapters.postgres.background import StepLoop
from adapters.postgres.database import CONNECTION_ERRORS, Database
from adapters.postgres.leased_queue import LeasedQueue
from domain.errors import NotFoundError, UnavailableError
from domain.ports import Mail, TextMessage
from domain.values import Contact, ContactType
from projections import contact_index, ticket_status
from projections.model import Row

# The purpose of the keyring that seals the contacts of requests.
REQUEST_KEYRING = "access requests"
CODE_MINUTES = 10
CODE_DIGITS = 8
MAX_CODE_ATTEMPTS = 5
# Limits of mails in an hour that send a valid code again: of one asker to one contact, and of all askers to one.
MAX_MAILS_OF_ASKER = 5
MAX_MAILS = 10
# The chance that so many wrong codes in a day hit one of eight digits is 2 in a million. After that, no code of eight
# digits of the contact is valid for a day, and longer ones are sent, which nobody can guess.
MAX_WRONG_CODES = 200
LONG_CODE_DIGITS = 16
# After so many codes for a member's address were tried in an hour, none is valid for the rest of it. The link in the
# mail still is, so that strangers cannot lock a member out.
MAX_MEMBER_ATTEMPTS = 10
KEPT_HOURS = 24
MAX_ATTEMPTS = 8

# The signature in a link; so short that the link fits in a text message.
SIGNATURE_BYTES = 12

logger = structlog.get_logger()

_QUEUE = LeasedQueue(
    "access_requests",
    "id",
    "id, audience, contact_indexes, sealed, asker, language, created_at,"
    f" created_at > now() - make_interval(mins => {CODE_MINUTES})",
    max_attempts=MAX_ATTEMPTS,
)


@dataclass(frozen=True)
class CodeRequest:
    """A stored request for a login code; `is_fresh` is False if its code would have expired already."""

    id: UUID
    audience: str
    contact_indexes: list[str]
    sealed: bytes
    asker: str | None
    language: str | None
    created_at: datetime
    is_fresh: bool
    attempts: int


@dataclass(frozen=True)
class Code:
    """A login code: the request that it was made for, from which its digits follow."""

    id: UUID
    digits: int


@dataclass(frozen=True)
class Counts:
    """The codes that were sent to a contact in the last hour, and the wrong ones that were tried in the last day."""

    mails_of_asker: int
    mails: int
    wrong_codes: int


class LoginCodes(StepLoop):
    """Stores requests for login codes, sends the codes when called or in its own thread, and verifies them."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        index: ContactIndex,
        outbox: Outbox,
        limits: UnverifiedMailLimits,
        peppers: tuple[str, ...],
        public_url: str,
        cipher: FieldCipher,
    ) -> None:
        # A request does not wake the loop, so a client cannot choose and measure the time of its work.
        super().__init__("login codes", self.answer_one, _QUEUE.is_due)
        self._database = database
        self._keyring = keyring
        self._index = index
        self._outbox = outbox
        self._limits = limits
        self._codes = KeyedHashes(peppers, "access code")
        self._links = KeyedHashes(peppers, "access link")
        self._public_url = public_url
        self._cipher = cipher

    def request(
        self,
        request_id: UUID,
        contact: Contact,
        language: str | None = None,
        audience: Audience = Audience.HOLDER,
    ) -> None:
        """Store a request for a code to this contact; storing the same request again changes nothing.

        `language` is that of the page on which the code is asked for, if it is asked for on a page.
        """
        content = json.dumps([contact.type, contact.value]).encode()
        self._database.execute(
            "INSERT INTO access_requests (id, audience, contact_indexes, sealed, asker, language)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING",
            (
                request_id,
                audience,
                self._index.all_of(contact),
                self._keyring.seal(content, request_id.bytes),
                self._limits.asker(),
                language,
            ),
        )

    def answer_one(self) -> bool:
        """Answer the request that has been due the longest, with a message if the contact belongs to a ticket.

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
        code, mailed = self._send_code(cursor, request)
        code_id, code_digits = (code.id, code.digits) if code else (None, None)
        _QUEUE.done(
            cursor.connection,
            request.id,
            "answered",
            sealed=b"",
            mailed=mailed,
            code_id=code_id,
            code_digits=code_digits,
        )
        cursor.execute(
            "DELETE FROM access_requests WHERE created_at < now() - make_interval(hours => %s)", (KEPT_HOURS,)
        )
        cursor.execute("DELETE FROM access_sessions WHERE expires_at < now()")
        logger.info("access request answered", request=str(request.id), mailed=mailed)

    def _send_code(self, cursor: Cursor[TupleRow], request: CodeRequest) -> tuple[Code | None, bool]:
        """Return the code of the request, or None if it gets none, and whether a message with it was queued.

        A valid code is sent again, also if somebody else asked for it first: strangers who ask for codes cannot replace
        the holder's, nor use up what the holder may ask for.
        """
        try:
            type, value = json.loads(self._keyring.open(bytes(request.sealed), request.id.bytes))
        except DecryptionError:
            return None, False
        if type not in (ContactType.EMAIL, ContactType.PHONE) or not request.is_fresh:
            return None, False
        if not self._is_known(cursor, request):
            return None, False
        # Requests for one contact are answered one after another, so that they share a code.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (request.contact_indexes[0],))
        counts = self._counts(cursor, request)
        code, may_mail = self._valid_code(cursor, request, counts.wrong_codes), True
        if code is None:
            code = Code(request.id, CODE_DIGITS if counts.wrong_codes < MAX_WRONG_CODES else LONG_CODE_DIGITS)
        else:
            may_mail = counts.mails_of_asker < MAX_MAILS_OF_ASKER and counts.mails < MAX_MAILS
        if not may_mail or not self._queue(cursor, request, Contact(ContactType(type), value), code):
            return (None if code.id == request.id else code), False
        return code, True

    def _is_known(self, cursor: Cursor[TupleRow], request: CodeRequest) -> bool:
        if request.audience == Audience.MEMBER:
            return bool(members.memberships(cursor, request.contact_indexes))
        return bool(contact_index.tickets_of(cursor, request.contact_indexes, None, 1))

    def _queue(self, cursor: Cursor[TupleRow], request: CodeRequest, contact: Contact, code: Code) -> bool:
        """Have the code sent to the contact; return False if that is more than may be sent to it."""
        is_mail = contact.type is ContactType.EMAIL
        if is_mail and not self._limits.allow(cursor.connection, contact.value, request.asker):
            return False
        expires_at = request.created_at + timedelta(minutes=CODE_MINUTES)
        is_member = request.audience == Audience.MEMBER
        path = "desk/sign-in" if is_member else "sign-in"
        values = {
            "code": self._text(code),
            "expires": f"{expires_at:%H:%M} UTC",
            "link": f"{self._public_url}/{path}/{self._link_token(code)}",
        }
        ticket_id = None
        if is_member:
            values["language"] = request.language or members.language(cursor, request.contact_indexes) or ""
        else:
            # The message belongs to the contact's newest ticket, and is deleted when that ticket is erased.
            [(ticket_id, _)] = contact_index.tickets_of(cursor, request.contact_indexes, None, 1)
            values |= self._holder(ticket_status.ticket(cursor, ticket_id), request.language)
        kind = Mail if is_mail else TextMessage
        name = "member_code" if is_member else "access_code"
        message = kind(name, contact.value, values, f"access-code:{request.id}", ticket_id)
        return self._outbox.queue(cursor.connection, message, request.asker)

    def _holder(self, row: Row | None, language: str | None) -> dict[str, str]:
        """Return the name to greet, and the language of the page on which the code was asked for, or of the story."""
        if row is None:
            return {"language": language or ""}
        analysed = (row["analysis"] or {}).get("language")
        story = self._opened(row, row["draft"]["story"])
        return {
            "name": self._opened(row, row["display_name"]),
            "language": language or mail_language(analysed, story),
        }

    def _opened(self, row: Row, sealed: str | None) -> str:
        with suppress(NotFoundError):
            return self._cipher.open(row["ticket_id"], sealed) if sealed else ""
        return ""

    def _counts(self, cursor: Cursor[TupleRow], request: CodeRequest) -> Counts:
        [row] = cursor.execute(
            "SELECT count(*) FILTER (WHERE is_recent AND mailed AND asker IS NOT DISTINCT FROM %s),"
            " count(*) FILTER (WHERE is_recent AND mailed), coalesce(sum(code_attempts), 0)"
            " FROM (SELECT *, created_at > now() - interval '1 hour' AS is_recent FROM access_requests"
            " WHERE contact_indexes[1] = %s) AS requests",
            (request.asker, request.contact_indexes[0]),
        ).fetchall()
        return Counts(*row)

    def _valid_code(self, cursor: Cursor[TupleRow], request: CodeRequest, wrong_codes: int) -> Code | None:
        """Return the code that was made for the contact in the last minutes, unless it was used or guessed at."""
        cursor.execute(
            "SELECT code_id, code_digits FROM access_requests WHERE contact_indexes[1] = %s AND audience = %s"
            " AND code_id = id AND used_at IS NULL AND created_at > now() - make_interval(mins => %s)"
            " AND (code_digits > %s OR %s < %s) ORDER BY created_at DESC LIMIT 1",
            (
                request.contact_indexes[0],
                request.audience,
                CODE_MINUTES,
                CODE_DIGITS,
                wrong_codes,
                MAX_WRONG_CODES,
            ),
        )
        row = cursor.fetchone()
        return Code(*row) if row else None

    def verify(self, request_id: UUID, code: str, opening: SessionOpening) -> datetime | None:
        """Open a session in exchange for the code; return the time when it ends, or None if the code is not valid.

        Repeating the call with the same session and secret returns the session that is open already.
        """
        with self._database.transaction() as cursor:
            if expires_at := opening.expiry(cursor):
                return expires_at
            cursor.execute(
                "UPDATE access_requests AS request SET code_attempts = code_attempts + 1"
                " WHERE id = %(id)s AND audience = %(audience)s AND code_attempts < %(tries)s"
                " AND created_at > now() - make_interval(mins => %(minutes)s)"
                " RETURNING contact_indexes, code_id, code_digits, (code_digits > %(digits)s OR (SELECT"
                " sum(code_attempts) FROM access_requests WHERE contact_indexes[1] = request.contact_indexes[1])"
                " < %(wrong)s) AND (%(audience)s <> 'member' OR (SELECT sum(code_attempts) FROM access_requests"
                " WHERE contact_indexes[1] = request.contact_indexes[1] AND audience = %(audience)s"
                " AND created_at > now() - interval '1 hour') < %(hourly)s)",
                {
                    "id": request_id,
                    "audience": opening.audience,
                    "tries": MAX_CODE_ATTEMPTS,
                    "minutes": CODE_MINUTES,
                    "digits": CODE_DIGITS,
                    "wrong": MAX_WRONG_CODES,
                    "hourly": MAX_MEMBER_ATTEMPTS,
                },
            )
            contact_indexes, code_id, code_digits, is_unguessed = cursor.fetchone() or ([], None, None, False)
            # All comparisons are made even if there is no such request, so that the time is the same.
            expected = self._all_codes(Code(code_id or request_id, code_digits or CODE_DIGITS))
            typed = "".join(c for c in code if c not in " -").encode()
            matches = [hmac.compare_digest(typed, candidate.encode()) for candidate in expected]
            if code_id is None or not is_unguessed or not any(matches):
                return None
            return opening.use_code(cursor, code_id, contact_indexes)

    def is_valid_link(self, token: str, audience: Audience = Audience.HOLDER) -> bool:
        """Return True if the token of a mail's link opens a session."""
        code_id = self._linked_code(token)
        return code_id is not None and bool(self._database.row(_CODE_OF_LINK, (code_id, audience, CODE_MINUTES)))

    def open_link(self, token: str, opening: SessionOpening) -> datetime | None:
        """Open a session in exchange for the token of a mail's link, as `verify` does for its code."""
        code_id = self._linked_code(token)
        if code_id is None:
            return None
        with self._database.transaction() as cursor:
            if expires_at := opening.expiry(cursor):
                return expires_at
            request = cursor.execute(_CODE_OF_LINK, (code_id, opening.audience, CODE_MINUTES)).fetchone()
            return opening.use_code(cursor, code_id, request[0]) if request else None

    def _linked_code(self, token: str) -> UUID | None:
        """Return the id of the code that the link was sent with, or None if the token is not ours."""
        try:
            content = base64.b64decode(token + "==", altchars=b"-_", validate=True)
            code_id = UUID(bytes=content[:-SIGNATURE_BYTES])
        except (ValueError, binascii.Error):
            return None
        signatures = [_signature(hashed) for hashed in self._links.all_of(code_id.hex)]
        is_ours = any(hmac.compare_digest(signature, content[-SIGNATURE_BYTES:]) for signature in signatures)
        # The same content has several forms in base64, of which one is a link.
        return code_id if is_ours and url_text(content) == token else None

    def _link_token(self, code: Code) -> str:
        return url_text(code.id.bytes + _signature(self._links.of(code.id.hex)))

    def _text(self, code: Code) -> str:
        """Return the code in groups of four digits."""
        digits = self._all_codes(code)[0]
        return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))

    def _all_codes(self, code: Code) -> list[str]:
        """Return the digits of the code as each pepper makes them, the newest pepper's first."""
        digests = dict.fromkeys(hashed.rpartition(":")[2] for hashed in self._codes.all_of(str(code.id)))
        return [f"{int(digest, 16) % 10**code.digits:0{code.digits}}" for digest in digests]


def _signature(hashed: str) -> bytes:
    return bytes.fromhex(hashed.rpartition(":")[2])[:SIGNATURE_BYTES]


# A code that was sent again is valid until the last request for it expires.
_CODE_OF_LINK = (
    "SELECT contact_indexes FROM access_requests AS code WHERE id = %s AND audience = %s AND code_id = id"
    " AND used_at IS NULL AND EXISTS"
    " (SELECT FROM access_requests WHERE code_id = code.id AND created_at > now() - make_interval(mins => %s))"
)
